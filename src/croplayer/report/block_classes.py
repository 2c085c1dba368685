"""Classes of blocks: image coverage (Fig. 6), semantic classes (Fig. 9), options (Fig. 10)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec

from cropbase.figures import save_figure
from cropbase.tables import write_csv
from croplayer.blocks.classes import COVERAGE_TYPES, LOW_QUALITY_TYPES
from croplayer.report.block_maps import Places, class_map
from croplayer.report.block_table import read_block_tables
from croplayer.report.style import (
    COVERAGE_COLOURS,
    INK,
    OPTION_COLOURS,
    SEMANTIC_COLOURS,
    fonts,
    legend,
    new_figure,
    panel_size,
    printable,
)

WORDS = {
    "planting": "planting",
    "non_planting": "non-planting",
    "snow_ice": "snow or ice",
    "cloudy": "cloudy",
    "nodata": "no data",
    "TP": "TP: right",
    "FP": "FP: no cropland there",
    "Noise": "noise",
    "Artifacts": "artifacts",
}
BETTER = "better of both"
_LETTERS = "ab"


def plot_coverage(
    *,
    blocks: Sequence[Path],
    sources: Sequence[str],
    output: Path,
    table_csv: Path,
    title: str = "",
    note: str = "",
) -> None:
    """Shares of the coverage types by source (PNG, Fig. 6), and as a table.

    Parameters
    ----------
    blocks : block tables (`tabulate_blocks`) of one or several provinces.
    sources : names of the two sources, A first.

    A third row says what would remain if every block came from the source whose imagery is of the
    better quality there (the paper's 6.8 %): types in the order of Table 1, the worse last. With
    several provinces there is a panel for each source, and in it a bar for each province.
    """
    table = read_block_tables(blocks)
    rank = {name: k for k, name in enumerate(COVERAGE_TYPES)}
    types = [table[f"coverage_type_{letter}"].astype(str) for letter in _LETTERS]
    better = np.minimum(*(of.map(rank) for of in types)).map(dict(enumerate(COVERAGE_TYPES)))
    columns = dict(zip((*sources, BETTER), (*types, better), strict=True))
    shares = class_shares(table, columns, COVERAGE_TYPES)
    groups = shares["group"].unique()
    several = len(groups) > 1
    rows = len(groups) if several else len(columns)
    figure = new_figure(12.5 if several else 8.2, 1.7 + 0.3 * rows, title=title, note=note)
    grid = figure.add_gridspec(2, 1, height_ratios=[0.28, 0.6 + 0.3 * rows])
    entries = {WORDS[name]: colour for name, colour in COVERAGE_COLOURS.items()}
    key = figure.add_subplot(grid[0])
    key.set_axis_off()
    legend(key, entries, columns=len(entries), above=True)
    share_bars(figure, grid[1], shares, COVERAGE_COLOURS, _low_quality(shares))
    write_csv(shares, table_csv)
    save_figure(figure, output)


def plot_semantic(
    *,
    blocks: Sequence[Path],
    sources: Sequence[str],
    output: Path,
    table_csv: Path,
    title: str = "",
    note: str = "",
) -> None:
    """Maps and shares of the semantic classes of each source (PNG, Fig. 9), and as a table.

    Parameters as `plot_coverage`.
    """
    table = read_block_tables(blocks)
    columns = {
        source: table[f"semantic_{letter}"].astype(str)
        for source, letter in zip(sources, _LETTERS, strict=True)
    }
    _maps_and_shares(table, columns, SEMANTIC_COLOURS, WORDS, output, table_csv, title, note)


def plot_options(
    *,
    blocks: Sequence[Path],
    sources: Sequence[str],
    output: Path,
    table_csv: Path,
    title: str = "",
    note: str = "",
) -> None:
    """Map and shares of the integration options (PNG, Fig. 10), and as a table.

    Parameters as `plot_coverage`.
    """
    table = read_block_tables(blocks)
    columns = {"integration option": table["option"].astype(str)}
    words = option_words(sources)
    _maps_and_shares(table, columns, OPTION_COLOURS, words, output, table_csv, title, note)


def option_words(sources: Sequence[str]) -> dict[str, str]:
    """The integration options as people read them; `sources`: A and B."""
    a, b = sources
    return {"neither": "neither", "only_a": f"only {a}", "only_b": f"only {b}", "both": "both"}


def class_shares(
    table: pd.DataFrame, columns: Mapping[str, pd.Series], classes: Sequence[str]
) -> pd.DataFrame:
    """Blocks and shares of each class: columns `of, group, class, blocks, share`.

    `columns`: what -> (blocks,) classes. `group` is "all", then each province if there are several.
    """
    groups = {"all": np.ones(len(table), bool)}
    if table["province"].nunique() > 1:
        groups |= {name: table["province"] == name for name in sorted(table["province"].unique())}
    rows = []
    for group, here in groups.items():
        for of, values in columns.items():
            counts = values[here].value_counts()
            for name in classes:
                count = int(counts.get(name, 0))
                rows.append((of, group, name, count, count / max(int(here.sum()), 1)))
    return pd.DataFrame(rows, columns=["of", "group", "class", "blocks", "share"])


def share_bars(
    figure: Figure,
    place: SubplotSpec,
    shares: pd.DataFrame,
    colours: Mapping[str, str],
    remarks: Mapping[tuple[str, str], str] | None = None,
) -> None:
    """Stacked bars in percent of the blocks: a bar a source or, of several groups, panels of bars.

    `shares` as of `class_shares`; `remarks` (of, group) -> what is written at a bar's name or, with
    several groups, that of "all" at its panel's.
    """
    counts = shares.groupby(["of", "group"], sort=False)["blocks"].sum()
    notes = remarks or {}
    sources = list(shares["of"].unique())
    groups = list(shares["group"].unique())
    if len(groups) == 1:
        keys = [(of, groups[0]) for of in sources]
        names = [
            f"{of}, n = {counts[of, group]:,}{notes.get((of, group), '')}" for of, group in keys
        ]
        _stacked(figure.add_subplot(place), shares, colours, keys, names, least=4)
        return
    inner = place.subgridspec(1, len(sources))
    for k, of in enumerate(sources):
        keys = [(of, group) for group in groups]
        names = [f"{printable(g, '?')}, n = {counts[of, g]:,}" if k == 0 else "" for g in groups]
        axes = figure.add_subplot(inner[k])
        _stacked(axes, shares, colours, keys, names, least=6)
        axes.set_title(of + notes.get(keys[0], "").replace("\n", ": "), fontsize=9)


def _stacked(
    axes: Axes,
    shares: pd.DataFrame,
    colours: Mapping[str, str],
    keys: Sequence[tuple[str, str]],
    names: Sequence[str],
    least: float,
) -> None:
    """A stacked bar for each (of, group) of `keys`; percentages below `least` are not written."""
    left = np.zeros(len(keys))
    percents = 100 * shares.set_index(["of", "group", "class"])["share"]
    for name, colour in colours.items():
        percent = np.array([percents[(*key, name)] for key in keys])
        axes.barh(
            range(len(keys)),
            percent,
            left=left,
            color=colour,
            edgecolor=INK,
            linewidth=0.5,
            height=0.72,
        )
        ink = "white" if np.dot(to_rgb(colour), (0.3, 0.59, 0.11)) < 0.45 else "black"
        for k, value in enumerate(percent):
            if value >= least:
                middle = left[k] + value / 2
                axes.text(middle, k, f"{value:.1f}", ha="center", va="center", size=7, color=ink)
        left += percent
    axes.set_yticks(range(len(keys)), names, fontsize=7.5, fontfamily=list(fonts()))
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.margins(y=0.01)
    axes.set_xlabel("share of the blocks (%)", fontsize=8)
    axes.tick_params(axis="x", labelsize=8)


def _low_quality(shares: pd.DataFrame) -> dict[tuple[str, str], str]:
    """(of, group) -> the share of imagery that says little of the fields, in words."""
    low = shares[shares["class"].isin(LOW_QUALITY_TYPES)]
    sums = low.groupby(["of", "group"], sort=False)["share"].sum()
    return {key: f"\nlow quality {share:.1%}" for key, share in sums.items()}


def _maps_and_shares(
    table: pd.DataFrame,
    columns: Mapping[str, pd.Series],
    colours: Mapping[str, str],
    words: Mapping[str, str],
    output: Path,
    table_csv: Path,
    title: str,
    note: str,
) -> None:
    """A map for each of `columns`, their shares as bars below."""
    place = Places(table)
    shares = class_shares(table, columns, list(colours))
    groups = shares["group"].nunique()
    rows = groups if groups > 1 else len(columns)
    width, height = panel_size(place.extent, 4.2)
    bars = 0.3 + 0.27 * rows
    figure = new_figure(
        max(0.6 + len(columns) * (width + 0.4), 6.5), 1.5 + height + 0.75 + bars,
        title=title, note=note,
    )  # fmt: skip
    grid = figure.add_gridspec(2, len(columns), height_ratios=[height + 0.75, bars])
    for k, (of, values) in enumerate(columns.items()):
        class_map(
            figure.add_subplot(grid[0, k]),
            place,
            table.assign(value=values),
            "value",
            colours=colours,
            words=words,
            title=of,
        )
    share_bars(figure, grid[1, :], shares, colours)
    write_csv(shares, table_csv)
    save_figure(figure, output)
