"""Wiring only: the provinces and cases of this run, the stages, the targets a person asks for."""

from snakemake.utils import min_version

min_version("9.3")


include: "workflow/rules/common.smk"
include: "workflow/rules/rounds.smk"
include: "workflow/rules/cases.smk"
include: "workflow/rules/products.smk"
include: "workflow/rules/compared_models.smk"
include: "workflow/rules/choosing.smk"
include: "workflow/rules/figures.smk"


wildcard_constraints:
    province=one_of(with_lenders(PROVINCES)),
    source=NAME_PATTERN,
    shard=ID_PATTERN,
    nation=one_of(NATIONS),
    case=one_of(CASES),
    year=r"\d{4}",
    part=r"\d{3}",
    model=NAME_PATTERN,
    fold=r"\d+",
    seed=r"\d+",
    baseline="cropland|suitability_cropland",
    contestant="max_score|cropland|suitability_cropland",
    product=r"[A-Za-z0-9_\-]+",
    table="coverage|semantic|options|corrections",
    round=r"\d+",


report: "workflow/report/workflow.rst"


localrules:
    all,
    plan,
    tiles,
    segmentation,
    model_comparison,
    choose,


# The county files, the accuracy table and the figures of every province of the run, the crop maps
# and what judges them of every case.
rule all:
    default_target: True
    input:
        collect("results/{province}/metrics.json", province=PROVINCES),
        lambda wildcards: figures_of(PROVINCES),
        lambda wildcards: comparison_targets(PROVINCES),
        lambda wildcards: chosen_files(choosing_provinces()),
        lambda wildcards: case_targets(CASES),


rule plan:
    """Only the plan: blocks, shards and a preview of requests, disk and hours."""
    input:
        collect("results/{province}/plan/preview.html", province=PROVINCES),
        collect("results/nations/{nation}/plan.html", nation=NATIONS),


rule tiles:
    """Only the imagery: every mosaic of every source."""
    input:
        lambda wildcards: [
            path
            for province in PROVINCES
            for source in sources_of(province)
            for path in shard_files("mosaic", province, source)
        ],


rule segmentation:
    """The segmentation model and its accuracy on held-out extents."""
    input:
        collect("results/{province}/validation/pixel.json", province=PROVINCES),
        collect(
            "results/{province}/figures/{name}.png",
            province=PROVINCES,
            name=["learning_curve", "extents"],
        ),


rule model_comparison:
    """Segmentation models side by side on the same labels: table, page, pictures."""
    input:
        collect("results/{province}/model_comparison/models.html", province=PROVINCES),


rule choose:
    """What to label next: a ranked list of blocks with reasons, and a QGIS project to label in."""
    input:
        lambda wildcards: chosen_files(PROVINCES),


include: "workflow/rules/plan.smk"
include: "workflow/rules/tiles.smk"
include: "workflow/rules/labels.smk"
include: "workflow/rules/quality.smk"
include: "workflow/rules/terrain.smk"
include: "workflow/rules/segmentation.smk"
include: "workflow/rules/model_comparison.smk"
include: "workflow/rules/blocks.smk"
include: "workflow/rules/active.smk"
include: "workflow/rules/validation.smk"
include: "workflow/rules/comparison.smk"
include: "workflow/rules/comparison_report.smk"
include: "workflow/rules/export.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/block_figures.smk"
include: "workflow/rules/examples.smk"
include: "workflow/rules/provinces_report.smk"
include: "workflow/rules/demo.smk"
include: "workflow/rules/statistics.smk"
include: "workflow/rules/cells.smk"
include: "workflow/rules/allocation.smk"
include: "workflow/rules/crop_maps.smk"
