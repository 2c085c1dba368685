"""Numbers of blocks: slope (Fig. 1), image quality (Fig. 7), area fraction (Fig. 17)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from cropbase.figures import image, save_figure
from cropbase.tables import write_csv
from croplayer.report.block_classes import WORDS
from croplayer.report.block_maps import Places, class_map, value_map, value_span
from croplayer.report.block_table import read_block_tables
from croplayer.report.shards import read_imagery
from croplayer.report.style import (
    BLUE,
    COVERAGE_COLOURS,
    GREEN,
    INK,
    fonts,
    map_axes,
    new_figure,
    panel_size,
    printable,
)

SLOPE_EDGES = (0, 2, 6, 15, 25, 90)
"""Degrees: the five slope grades of cropland in the national land survey of China."""
FRACTION_STEP = 0.1


def plot_slope(
    *,
    blocks: Sequence[Path],
    output: Path,
    table_csv: Path,
    title: str = "",
    note: str = "",
) -> None:
    """Median slope of the blocks, and how land and cropland lie over it (PNG, Fig. 1).

    Parameters
    ----------
    blocks : block tables (`tabulate_blocks`) of one or several provinces.
    table_csv : columns `slope_from, slope_to` (degrees), `blocks`, `land_ha`, `cropland_ha` (of the
        final map) and the shares of both.

    Land and cropland count where their block's median slope lies: with 0.05 degree blocks a narrow
    valley counts as its slopes do. Blocks without elevation are left out and counted.
    """
    table = read_block_tables(blocks)
    place = Places(table)
    classes = slope_classes(table)
    width, height = panel_size(place.extent, 4.4)
    figure = new_figure(width + 5.6, 1.1 + max(height, 3.4), title=title, note=note)
    left, right = figure.subplots(1, 2, width_ratios=[width + 0.6, 4.2])
    value_map(
        figure, left, place, table, "slope",
        title="Slope, median of the block", unit="degrees",
    )  # fmt: skip
    _slope_bars(right, classes, int(table["slope"].isna().sum()))
    write_csv(classes, table_csv)
    save_figure(figure, output)


def _slope_bars(axes: Axes, classes: pd.DataFrame, unknown: int) -> None:
    """Shares of land and cropland side by side; `unknown` blocks have no elevation."""
    places = np.arange(len(classes))
    for k, (column, text, colour) in enumerate(
        (("land_share", "land", BLUE), ("cropland_share", "cropland of the final map", GREEN))
    ):
        bars = axes.bar(
            places + (k - 0.5) * 0.4,
            100 * classes[column],
            0.4,
            color=colour,
            edgecolor=INK,
            linewidth=0.5,
            label=f"{text}: {area_text(classes[column.replace('share', 'ha')].sum())}",
        )
        axes.bar_label(bars, fmt="%.1f", fontsize=7, padding=2)
    names = [f"{row.slope_from:g}-{row.slope_to:g}" for row in classes.itertuples()]
    axes.set_xticks(places, [*names[:-1], f"> {SLOPE_EDGES[-2]}"], fontsize=8)
    axes.set_xlabel("slope, median of the block (degrees)", fontsize=8)
    axes.set_ylabel("share (%)", fontsize=8)
    axes.tick_params(axis="y", labelsize=8)
    axes.set_ylim(0, max(100 * classes[["land_share", "cropland_share"]].max(axis=None) * 1.12, 1))
    if not classes["blocks"].any():
        axes.text(0.5, 0.5, "no elevation is known here", transform=axes.transAxes, ha="center")
    axes.legend(fontsize=8, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.14))
    some = f"; {unknown:,} without elevation" if unknown else ""
    axes.set_title(f"n = {classes['blocks'].sum():,} blocks{some}", fontsize=9)


def area_text(hectares: float) -> str:
    """Hectares as people read them: thousands, or millions of a large country."""
    if hectares >= 1e7:
        return f"{hectares / 1e6:,.1f} million ha"
    return f"{hectares / 1000:,.1f} thousand ha"


def slope_classes(table: pd.DataFrame) -> pd.DataFrame:
    """Hectares and shares of land and cropland by slope class; lower edges belong to a class."""
    grade = pd.cut(table["slope"], SLOPE_EDGES, right=False, labels=False)
    sums = (
        table.assign(blocks=1)
        .groupby(grade)[["blocks", "inside_ha", "cropland_ha"]]
        .sum()
        .reindex(range(len(SLOPE_EDGES) - 1), fill_value=0)
        .rename(columns={"inside_ha": "land_ha"})
    )
    for name in ("land", "cropland"):
        total = sums[f"{name}_ha"].sum()
        sums[f"{name}_share"] = sums[f"{name}_ha"] / total if total > 0 else 0.0
    sums.insert(0, "slope_from", SLOPE_EDGES[:-1])
    sums.insert(1, "slope_to", SLOPE_EDGES[1:])
    return sums.reset_index(drop=True)


def plot_quality(
    *,
    blocks: Sequence[Path],
    mosaics: dict[str, list[Path]],
    output: Path,
    title: str = "",
    note: str = "",
    pixels: int = 600,
) -> None:
    """Imagery, coverage types, saturation and sharpness of each source (PNG, Fig. 7).

    Parameters
    ----------
    blocks : block tables (`tabulate_blocks`). mosaics : source -> rasters of its shards, A first;
        read through their overviews, `pixels` on the longer edge.

    Colours of saturation and sharpness (Eq. 1) mean the same in both columns.
    """
    table = read_block_tables(blocks)
    place = Places(table)
    width, height = panel_size(place.extent, 3.4)
    figure = new_figure(
        0.5 + 4 * (width + 0.35), 1.0 + len(mosaics) * (height + 1.0), title=title, note=note
    )
    axes = figure.subplots(len(mosaics), 4, squeeze=False)
    for row, (letter, (source, files)) in zip(
        axes, zip("ab", mosaics.items(), strict=True), strict=True
    ):
        row[0].imshow(read_imagery(files, place.extent, pixels), extent=image(place.extent))
        map_axes(row[0], place.extent, f"{source}: imagery")
        class_map(
            row[1], place, table, f"coverage_type_{letter}",
            colours=COVERAGE_COLOURS, words=WORDS, title=f"{source}: coverage type",
        )  # fmt: skip
        for axis, name, unit in (
            (row[2], "saturation", "saturation (0-1)"),
            (row[3], "sharpness", "Sobel gradient (Eq. 1), bands scaled to 0-1"),
        ):
            both = pd.concat([table[f"{name}_a"], table[f"{name}_b"]])
            value_map(
                figure, axis, place, table, f"{name}_{letter}", title=f"{source}: {name}",
                unit=unit, colours="viridis", span=value_span(both),
            )  # fmt: skip
    save_figure(figure, output)


def plot_fraction(
    *,
    blocks: Sequence[Path],
    output: Path,
    table_csv: Path,
    title: str = "",
    note: str = "",
) -> None:
    """Area fraction of cropland in each block of the final map (PNG, Fig. 17; Eq. 5).

    Beside the map: how many blocks have which fraction, or, of several provinces, the fraction of
    each. `table_csv` has what is drawn there, with hectares. Parameters as `plot_slope`.
    """
    table = read_block_tables(blocks)
    place = Places(table)
    several = table["province"].nunique() > 1
    width, height = panel_size(place.extent, 5.0)
    rows = table["province"].nunique() if several else 0
    figure = new_figure(
        width + 5.0, max(1.1 + max(height, 3.2), 1.6 + 0.2 * rows), title=title, note=note
    )
    left, right = figure.subplots(1, 2, width_ratios=[width + 0.6, 3.6])
    value_map(
        figure, left, place, table, "af", title="Cropland of the final map",
        unit="area fraction (Eq. 5)", colours="YlGn", span=(0.0, 1.0),
    )  # fmt: skip
    found = province_fractions(table) if several else fraction_counts(table)
    (_province_bars if several else _fraction_bars)(right, found)
    write_csv(found, table_csv)
    save_figure(figure, output)


def fraction_counts(table: pd.DataFrame) -> pd.DataFrame:
    """Blocks and their cropland by area fraction: `af_from, af_to, blocks, cropland_ha`.

    The first row, 0 to 0, has the blocks without any cropland; other classes have their upper edge.
    """
    edges = np.round(np.arange(0, 1 + FRACTION_STEP / 2, FRACTION_STEP), 6)
    known = table[table["af"].notna()]
    # Rounded, so that a block on an edge does not fall by the last bit of its fraction.
    grade = np.ceil(np.round(known["af"].to_numpy() / FRACTION_STEP, 9)).astype(int)
    sums = known.assign(blocks=1).groupby(grade)[["blocks", "cropland_ha"]].sum()
    sums = sums.reindex(range(len(edges)), fill_value=0)
    sums.insert(0, "af_from", np.concatenate([[0.0], edges[:-1]]))
    sums.insert(1, "af_to", edges)
    return sums.reset_index(drop=True)


def province_fractions(table: pd.DataFrame) -> pd.DataFrame:
    """Cropland of each province: `province, blocks, land_ha, cropland_ha, af`, the most first."""
    sums = table.assign(
        blocks=1, land_ha=table["inside_ha"], known=table["inside_ha"] - table["unusable_ha"]
    )
    sums = sums.groupby("province")[["blocks", "land_ha", "known", "cropland_ha"]].sum()
    sums["af"] = sums["cropland_ha"] / sums.pop("known")
    return sums.sort_values("af", ascending=False, kind="stable").reset_index()


def _fraction_bars(axes: Axes, found: pd.DataFrame) -> None:
    names = ["none", *(f"{row.af_from:g}-{row.af_to:g}" for row in found[1:].itertuples())]
    bars = axes.barh(names, found["blocks"], color=GREEN, edgecolor=INK, linewidth=0.5)
    axes.bar_label(bars, fmt="{:,.0f}", fontsize=7, padding=2)
    axes.set_xlabel("blocks", fontsize=8)
    axes.set_ylabel("area fraction of the block (1)", fontsize=8)
    axes.margins(x=0.12)
    _count_title(axes, found)


def _province_bars(axes: Axes, found: pd.DataFrame) -> None:
    names = [printable(name, "?") for name in found["province"]]
    bars = axes.barh(range(len(found)), found["af"], color=GREEN, edgecolor=INK, linewidth=0.5)
    axes.bar_label(bars, fmt="%.2f", fontsize=7, padding=2)
    axes.set_yticks(range(len(found)), names, fontfamily=list(fonts()))
    axes.invert_yaxis()
    axes.set_xlabel("area fraction of the province (1)", fontsize=8)
    axes.margins(x=0.12, y=0.01)
    _count_title(axes, found)


def _count_title(axes: Axes, found: pd.DataFrame) -> None:
    axes.tick_params(labelsize=7.5)
    axes.set_title(
        f"n = {found['blocks'].sum():,} blocks,\n"
        f"{area_text(found['cropland_ha'].sum())} of cropland",
        fontsize=9,
    )
