"""How the map is made, from blocks to county files: stages, methods, rules (Fig. 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill

from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from cropbase.figures import save_figure
from croplayer.report.block_table import read_block_tables
from croplayer.report.style import BLUE, GREEN, INK, ORANGE, PURPLE, RED, fonts, new_figure


@dataclass(frozen=True)
class Stage:
    """A box: its heading, the rules that do it, and what it does in words with `{names}`."""

    title: str
    rules: tuple[str, ...]
    text: str


LANES: dict[str, tuple[Stage, ...]] = {
    "Pre-processing": (
        Stage("Plan", ("plan_blocks",), "{blocks} blocks"),
        Stage("Imagery", ("fetch_tiles", "build_mosaic"), "{sources}"),
        Stage("Image quality", ("train_coverage", "assess_quality"),
              "{coverage_model}: coverage type;\nsharpness, hue, saturation, lightness"),
        Stage("Terrain", ("measure_terrain",), "elevation, slope,\nruggedness, roughness"),
    ),
    "Cropland extraction": (
        Stage("Labels", ("import_labels",), "round {round}:\n{labelled} blocks labelled"),
        Stage("Segmentation", ("train_segmentation", "segment_shard"),
              "{segmentation_model},\na mask for each source"),
        Stage("Features", ("measure_features",), "16 of a block\nand source (Table 5)"),
        Stage("Semantic classes", ("train_semantic", "classify_semantic"),
              "XGBoost: TP, FP,\nnoise, artifacts"),
        Stage("Validation", ("validate_pixels", "validate_blocks", "validate_province"),
              "pixels, blocks, province"),
    ),
    "Post-processing": (
        Stage("Integration", ("train_integration", "choose_options"),
              "XGBoost, 30 features:\nneither, only A, only B, both"),
        Stage("Final map", ("integrate_shard",), "{cropland} of cropland"),
        Stage("County files", ("export_counties",), "polygons of each county"),
    ),
    "Evaluation": (
        Stage("Existing products", ("compare_shard", "summarise_comparison"),
              "{products} compared: IoU,\narea fraction, edge density"),
        Stage("Official area", ("validate_province",), "percentage of the\nofficial area"),
    ),
}  # fmt: skip
_COLOURS = (BLUE, ORANGE, GREEN, PURPLE)
_WIDTH, _HEIGHT, _GAP, _LANE = 2.35, 1.0, 0.35, 1.75


def plot_flow(
    *,
    blocks: Sequence[Path],
    sources: Sequence[str],
    coverage_model: str,
    segmentation_model: str,
    label_round: int,
    products: int,
    output: Path,
    title: str = "",
    note: str = "",
) -> None:
    """The stages in four lanes, with this run's counts and models (PNG, Fig. 5).

    Parameters
    ----------
    blocks : block tables (`tabulate_blocks`). sources : names of the sources.
    coverage_model, segmentation_model : architectures. label_round : number of the round.
    products : how many existing products the map is compared with.

    In small letters: the rules of the workflow that do it.
    """
    table = read_block_tables(blocks)
    words = {
        "blocks": f"{len(table):,}",
        "sources": " and ".join(sources),
        "coverage_model": coverage_model,
        "segmentation_model": segmentation_model,
        "round": label_round,
        "labelled": f"{(table['labelled'] != '').sum():,}",
        "cropland": f"{table['cropland_ha'].sum() / 1000:,.1f} thousand ha",
        "products": products,
    }
    longest = max(len(stages) for stages in LANES.values())
    width, height = 1.9 + longest * (_WIDTH + _GAP), len(LANES) * _LANE
    figure = new_figure(width * 0.92, height * 0.92 + 1.0, title=title, note=note)
    axes = figure.subplots()
    axes.set_xlim(0, width)
    axes.set_ylim(-height, 0)
    axes.set_axis_off()
    for k, ((lane, stages), colour) in enumerate(zip(LANES.items(), _COLOURS, strict=True)):
        y = -k * _LANE - 1.3
        axes.text(0.05, y + _HEIGHT / 2, lane.replace(" ", "\n"), fontsize=11, va="center",
                  color=colour, fontweight="bold")  # fmt: skip
        for n, stage in enumerate(stages):
            _box(axes, _left(n), y, stage, words, colour)
            if n:
                _arrow(axes, (_left(n) - _GAP, y + _HEIGHT / 2), (_left(n), y + _HEIGHT / 2))
        if k:
            _down(axes, len(list(LANES.values())[k - 1]) - 1, y)
    _back(axes, -_LANE - 1.3, len(LANES["Cropland extraction"]) - 1)
    save_figure(figure, output)


def _left(n: int) -> float:
    return 1.8 + n * (_WIDTH + _GAP)


def _box(axes: Axes, x: float, y: float, stage: Stage, words: dict, colour: str) -> None:
    axes.add_patch(
        FancyBboxPatch((x, y), _WIDTH, _HEIGHT, boxstyle="round,pad=0,rounding_size=0.08",
                       facecolor="white", edgecolor=colour, linewidth=1.6)
    )  # fmt: skip
    middle = x + _WIDTH / 2
    place = {"ha": "center", "color": INK, "fontfamily": list(fonts())}
    axes.text(middle, y + _HEIGHT - 0.2, stage.title, fontsize=9, fontweight="bold", va="center",
              **place)  # fmt: skip
    text = stage.text.format(**words)
    axes.text(middle, y + _HEIGHT - 0.34, text, fontsize=7.5, va="top", **place)
    rules = fill(", ".join(stage.rules), 38)
    axes.text(middle, y + 0.07, rules, fontsize=6.5, va="bottom", ha="center", color="#555555")


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], colour=INK) -> None:
    axes.annotate(
        "", end, start, arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 1.2}
    )


def _down(axes: Axes, last: int, y: float) -> None:
    """From the last box of the lane above to the first one of the lane at `y`."""
    top = y + _LANE
    between = y + _HEIGHT + 0.28
    x0, x1 = _left(last) + _WIDTH + 0.12, _left(0) + _WIDTH / 2
    right = _left(last) + _WIDTH
    axes.plot(
        [right, x0, x0, x1], [top + _HEIGHT / 2] * 2 + [between] * 2, color=INK, linewidth=1.2
    )
    _arrow(axes, (x1, between), (x1, y + _HEIGHT))


def _back(axes: Axes, y: float, last: int) -> None:
    """Active learning: from the validation back to the labels, until the thresholds are met."""
    above = y + _HEIGHT + 0.13
    x0, x1 = _left(last) + _WIDTH / 2, _left(0) + 0.7 * _WIDTH
    axes.plot([x0, x0, x1], [y + _HEIGHT, above, above], color=RED, linewidth=1.2)
    _arrow(axes, (x1, above), (x1, y + _HEIGHT), RED)
    axes.text((x0 + x1) / 2, above, "another round of labels until the thresholds are met",
              fontsize=7, color=RED, ha="center", va="center",
              bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5})  # fmt: skip
