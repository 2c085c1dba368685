"""Every figure and table of a province's report, in the order of the paper.

Numbers are those of the paper whose figure or table the item follows; an item without one stands
after those of the paper.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

When = Literal[
    "always",
    "products",
    "reference",
    "model_comparison",
    "choosing",
    "own_coverage",
    "own_segmentation",
    "own_semantic",
    "own_integration",
]
_BORROWED = "the model of another province is used (configuration: models)"
WHEN: dict[When, str] = {
    "always": "this run did not make it",
    "products": "no products are compared (configuration: comparison.products)",
    "reference": "there is no reference sample (configuration: comparison.reference)",
    "model_comparison": "no segmentation models were compared (snakemake model_comparison)",
    "choosing": "what to label next was not chosen (configuration: active.in_every_run)",
    "own_coverage": _BORROWED,
    "own_segmentation": _BORROWED,
    "own_semantic": _BORROWED,
    "own_integration": _BORROWED,
}
"""Parts that not every run has, and what the report says where one is missing."""


@dataclass(frozen=True)
class Item:
    """One figure or table of a run.

    Parameters
    ----------
    number : of the paper, such as "Figure 12"; "" for what the paper does not have.
    key : unique name, which addresses of the page end with.
    kind : how it is shown: a PNG as a picture, a CSV or Parquet file as a table.
    path : relative to results/{province}.
    title, caption : one line, and what a reader must know, with units.
    when : the part of a run that makes it; rules ask for it only where the run has that part.
    """

    number: str
    key: str
    kind: Literal["figure", "table"]
    path: str
    title: str
    caption: str
    when: When = "always"


def _block_item(number: str, key: str, title: str, caption: str) -> Item:
    """A figure or table of `block_figures.smk` and `examples.smk`, by the paper's word for it."""
    if number.startswith("Table"):
        return Item(number, key, "table", f"report/{key}.csv", title, caption)
    return Item(number, key, "figure", f"figures/{key}.png", title, caption)


CONTENTS: tuple[Item, ...] = (
    _block_item(
        "Figure 1",
        "slope",
        "Slope of land and cropland",
        "Median slope of each block, and the share of land and of mapped cropland by slope "
        "class, degrees.",
    ),
    _block_item(
        "Table 1",
        "coverage_types",
        "Coverage types",
        "What each type means, and how many blocks were labelled and predicted so, by source.",
    ),
    _block_item(
        "Figure 2",
        "coverage_examples",
        "Examples of the coverage types",
        "Blocks of each type, evenly spread over the labelled ones (over the predicted where "
        "none are).",
    ),
    _block_item(
        "Figure 3",
        "samples",
        "Labelled blocks",
        "Positive: cropland was drawn in the block; negative: an extent was looked at and "
        "has none.",
    ),
    _block_item(
        "Table 2",
        "label_classes",
        "Classes of the labels",
        "Drawn polygons of each class: number and sizes, hectares.",
    ),
    Item(
        "Table 2",
        "label_examples",
        "figure",
        "figures/label_examples.png",
        "Examples of the label classes",
        "Polygons of the middle sizes of each class, evenly spread; hectares above.",
    ),
    _block_item(
        "Table 3",
        "products",
        "Existing products",
        "Producer, year, pixel, cropland classes, and the accuracy that the authors state.",
    ),
    _block_item(
        "Figure 4",
        "definitions",
        "What this map and existing products call cropland",
        "By the groups of the paper: surely cropland, surely not, or not said.",
    ),
    _block_item(
        "Figure 5",
        "flow",
        "How the map is made",
        "Stages with the counts and models of this run; small letters: rules of the workflow.",
    ),
    _block_item(
        "Table 4",
        "option_facts",
        "Integration options",
        "Blocks and cropland of each option, and the medians of its blocks.",
    ),
    _block_item(
        "Table 5",
        "feature_facts",
        "Features of a block",
        "Unit, median and quartiles over all blocks, by source.",
    ),
    _block_item(
        "Figure 6",
        "coverage",
        "Coverage types by source",
        "Percent of the blocks; the last bar: if every block came from the source with the "
        "better imagery.",
    ),
    _block_item(
        "Figure 7",
        "quality",
        "Imagery and its quality",
        "Imagery of each source, coverage type, saturation (0-1), sharpness (Eq. 1).",
    ),
    _block_item(
        "Figure 8",
        "density",
        "Sampling density",
        "Labelled blocks by all blocks, for each county; red: all of them together.",
    ),
    Item(
        "Table 6",
        "models",
        "table",
        "model_comparison/models.csv",
        "Segmentation models side by side",
        "Accuracy, time and memory of the segmentation models on the same labels.",
        "model_comparison",
    ),
    _block_item(
        "Figure 9",
        "semantic",
        "Semantic classes",
        "Classes of each source's cropland as the model sees them: map, and percent of the blocks.",
    ),
    _block_item(
        "Figure 10",
        "options",
        "Integration options on the map",
        "Which source the map takes in each block, corrections included; percent of the blocks.",
    ),
    Item(
        "Figure 11a",
        "semantic_importance",
        "figure",
        "figures/semantic_importance.png",
        "Importance of the features for the semantic class",
        "Permutation importance of the 16 features of a block (Table 5): how much accuracy "
        "falls when one is shuffled. Bars: one standard deviation over the repeats.",
        "own_semantic",
    ),
    Item(
        "Figure 11b",
        "integration_importance",
        "figure",
        "figures/integration_importance.png",
        "Importance of the features for the integration",
        "Permutation importance of the 30 features of a block for the integration option. Bars: "
        "one standard deviation over the repeats.",
        "own_integration",
    ),
    Item(
        "Figure 12",
        "areas",
        "figure",
        "figures/areas.png",
        "Cropland area against the official figure",
        "Cropland of each scenario, thousand hectares on the ellipsoid, for the province and "
        "its counties: each source alone, the union of both, the selected integration. Red "
        "line: the official area, with the tolerance as a band.",
    ),
    Item(
        "Figure 13",
        "products_iou",
        "figure",
        "figures/products_iou.png",
        "IoU of existing products with this map",
        "Agreement of two maps where both say something; neither is the truth. Strict counts a "
        "product's cropland classes alone, lenient also those that hold cropland among other "
        "things.",
        "products",
    ),
    Item(
        "Figure 14",
        "products_deviations",
        "figure",
        "figures/products_deviations.png",
        "Deviation of area fraction and edge density",
        "Relative deviation of each block's area fraction and edge density from this map (Eq. 5 "
        "and 6). Red: the product has more; blue: less; empty: this map has no cropland there.",
        "products",
    ),
    Item(
        "Figure 15",
        "products_slopes",
        "figure",
        "figures/products_slopes.png",
        "Deviation over slope",
        "Deviation of area fraction and edge density over the median slope of the block, "
        "degrees; red: median of the slope class. Deviations beyond the axis are drawn at its "
        "end.",
        "products",
    ),
    Item(
        "Figure 16",
        "products_areas",
        "figure",
        "figures/products_areas.png",
        "Percentage of the official area: products and scenarios",
        "Cropland area in percent of the official area; hectares on the ellipsoid. Whiskers "
        "reach to the lenient reading. A product that knows too little of the province is not "
        "put beside the official area.",
        "products",
    ),
    _block_item(
        "Figure 17",
        "fraction",
        "Area fraction of cropland",
        "Cropland of the final map by the ground that it knows, for each block (Eq. 5).",
    ),
    Item(
        "",
        "overview",
        "figure",
        "figures/overview.png",
        "The province: imagery, masks, integrated map",
        "Imagery of each source, the mask made from it, the integrated map, and where the masks "
        "agree. Solid line: the province; dotted: its counties. A shade between cropland and "
        "not cropland is a share of the pixels below it.",
    ),
    Item(
        "",
        "accuracy",
        "table",
        "validation/accuracy.csv",
        "Accuracy at three levels",
        "Pixels of held-out extents, blocks, province: values with 95 % intervals where there "
        "are any, and the thresholds of the decision to stop.",
    ),
    Item(
        "",
        "rounds",
        "figure",
        "figures/rounds.png",
        "Rounds of active learning",
        "The three levels over the rounds of labels, with their thresholds.",
    ),
    Item(
        "",
        "learning_curve",
        "figure",
        "figures/learning_curve.png",
        "Learning curve of the segmentation",
        "Loss of the training and accuracy on the validation extents over the steps.",
        "own_segmentation",
    ),
    Item(
        "",
        "coverage_confusion",
        "figure",
        "figures/coverage_confusion.png",
        "Coverage types: interpreted and predicted",
        "Blocks that were not trained on, by their interpreted and their predicted coverage type.",
        "own_coverage",
    ),
    Item(
        "",
        "extents",
        "figure",
        "figures/extents.png",
        "Validation extents: drawn and mapped",
        "The validation extents close up: the polygons that people drew, and where the masks "
        "agree with them.",
    ),
    Item(
        "",
        "detail",
        "figure",
        "figures/detail.png",
        "Places at full resolution",
        "Imagery, masks and integrated map of a few places, each pixel of the map shown.",
    ),
    Item(
        "",
        "products_plates",
        "figure",
        "figures/products_plates.png",
        "Blocks of this map beside every product",
        "From the most to the least disagreement, at full resolution.",
        "products",
    ),
    Item(
        "",
        "products_scatter",
        "figure",
        "figures/products_scatter.png",
        "Blocks: product against this map",
        "Area fraction and edge density (Eq. 5) of every block by the product and by this map, "
        "over the pixels that both know; the line is equality.",
        "products",
    ),
    Item(
        "",
        "product_pixels",
        "table",
        "comparison/pixels.csv",
        "Products and this map, pixel by pixel",
        "Pixels and hectares that both know, and the measures of their agreement.",
        "products",
    ),
    Item(
        "",
        "product_area_table",
        "table",
        "comparison/areas.csv",
        "Areas of products and scenarios",
        "Cropland in hectares and in percent of the official area.",
        "products",
    ),
    Item(
        "",
        "product_slopes_table",
        "table",
        "comparison/slopes.csv",
        "Deviations by slope class",
        "Quartiles of the deviations of Eq. 6 by slope, degrees.",
        "products",
    ),
    Item(
        "",
        "product_definitions",
        "table",
        "comparison/definitions.csv",
        "Where definitions of cropland differ",
        "What each product counts as cropland (Fig. 4), and the hectares that this moves.",
        "products",
    ),
    Item(
        "",
        "product_findings",
        "table",
        "comparison/findings.csv",
        "What is odd about the products",
        "To know before their figures are read.",
        "products",
    ),
    Item(
        "",
        "reference_accuracy",
        "table",
        "comparison/accuracy.csv",
        "Accuracy by the reference sample",
        "Design-based estimates with their standard errors (se) and 95 % intervals.",
        "reference",
    ),
    Item(
        "",
        "reference_groups",
        "table",
        "comparison/groups.csv",
        "Areas of cropland groups by the reference sample",
        "Hectares of the groups of Fig. 4, with standard errors and 95 % intervals.",
        "reference",
    ),
    Item(
        "",
        "county_areas",
        "table",
        "export/areas.csv",
        "Account of the county files",
        "Hectares of each county: its area, its cropland in the raster, what simplification, "
        "small polygons and filled holes change, and the polygons as exported.",
    ),
    Item(
        "",
        "chosen",
        "figure",
        "figures/chosen.png",
        "What to label next",
        "The blocks whose labels would help most, with the reasons.",
        "choosing",
    ),
    Item(
        "",
        "chosen_table",
        "table",
        "choosing/chosen.csv",
        "What to label next: the list",
        "Blocks by rank, with what speaks for each.",
        "choosing",
    ),
)
