"""Where labels lie: map of the labelled blocks (Fig. 3) and sampling density (Fig. 8)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from matplotlib.axes import Axes

from cropbase.figures import save_figure
from cropbase.tables import write_csv
from croplayer.report.block_maps import MOST_EDGES, Places, class_map
from croplayer.report.block_table import NEGATIVE, POSITIVE, read_block_tables
from croplayer.report.style import BLUE, INK, ORANGE, RED, fonts, new_figure, panel_size, printable

MOST_BARS = 40
_COLOURS = {POSITIVE: BLUE, NEGATIVE: ORANGE, "": "#F2F0E8"}


def plot_samples(*, blocks: Sequence[Path], output: Path, title: str = "", note: str = "") -> None:
    """Blocks with labelled extents, with and without drawn cropland (PNG, Fig. 3).

    `blocks` : block tables (`tabulate_blocks`) of one or several provinces.
    """
    table = read_block_tables(blocks)
    place = Places(table)
    counts = table["labelled"].value_counts()
    words = {
        POSITIVE: f"positive, cropland drawn: {counts.get(POSITIVE, 0):,}",
        NEGATIVE: f"negative, no cropland there: {counts.get(NEGATIVE, 0):,}",
        "": f"not labelled: {counts.get('', 0):,}",
    }
    width, height = panel_size(place.extent, 5.5)
    figure = new_figure(max(width + 0.8, 5.5), height + 1.7, title=title, note=note)
    axes = figure.subplots()
    class_map(
        axes, place, table, "labelled",
        colours=_COLOURS, words=words, title=f"Labelled blocks, n = {len(table):,} blocks",
    )  # fmt: skip
    if len(table) > MOST_EDGES:
        _dots(axes, table)
    save_figure(figure, output)


def _dots(axes: Axes, table: gpd.GeoDataFrame) -> None:
    """A dot a labelled block, where blocks are too small to be seen."""
    for kind in (POSITIVE, NEGATIVE):
        mine = table.geometry[table["labelled"] == kind].to_numpy()
        x, y = shapely.get_coordinates(shapely.centroid(mine)).T
        axes.scatter(x, y, s=9, color=_COLOURS[kind], edgecolor=INK, linewidth=0.25, zorder=5)


def plot_density(
    *,
    blocks: Sequence[Path],
    output: Path,
    table_csv: Path,
    title: str = "",
    note: str = "",
) -> None:
    """Share of the blocks with labels, by province or, of a single one, county (PNG, Fig. 8).

    Parameters
    ----------
    blocks : block tables (`tabulate_blocks`) of one or several provinces.
    table_csv : `place, blocks, positive, negative, density`, the densest first, all of them last.

    Of more than forty places the forty with the most blocks are drawn, and the axis says so.
    """
    table = read_block_tables(blocks)
    several = table["province"].nunique() > 1
    found = sampling_density(table, "province" if several else "county")
    drawn, whole = found.iloc[:-1], found.iloc[-1]
    left_out = max(len(drawn) - MOST_BARS, 0)
    drawn = drawn[drawn["blocks"].rank(method="first", ascending=False) <= MOST_BARS]
    figure = new_figure(max(2.4 + 0.42 * len(drawn), 5.5), 4.4, title=title, note=note)
    axes = figure.subplots()
    bottom = np.zeros(len(drawn))
    for kind in (POSITIVE, NEGATIVE):
        height = (drawn[kind] / drawn["blocks"]).to_numpy()
        axes.bar(
            range(len(drawn)), height, bottom=bottom, color=_COLOURS[kind], edgecolor=INK,
            linewidth=0.5, label=f"{kind} ({whole[kind]:,} blocks)",
        )  # fmt: skip
        bottom += height
    for k, row in enumerate(drawn.itertuples()):
        text = f"{row.positive + row.negative}/{row.blocks:,}"
        turned = 90 if len(drawn) > 12 else 0
        axes.annotate(
            text, (k, bottom[k]), xytext=(0, 3), textcoords="offset points",
            ha="center", va="bottom", fontsize=7, rotation=turned,
            bbox={"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 0.8}, zorder=5,
        )  # fmt: skip
    axes.axhline(
        whole["density"], color=RED, linewidth=1.2, label=f"all blocks: {whole['density']:.4g}"
    )
    names = [printable(name, "?") for name in drawn["place"]]
    many = len(drawn) > 6
    axes.set_xticks(
        range(len(drawn)), names, fontsize=8, rotation=60 if many else 0,
        ha="right" if many else "center", fontfamily=list(fonts()), rotation_mode="anchor",
    )  # fmt: skip
    axes.set_ylabel("labelled blocks / all blocks (1)", fontsize=8)
    rest = f" ({left_out} smaller ones are in the table alone)" if left_out else ""
    axes.set_xlabel(("province" if several else "county") + rest, fontsize=8)
    axes.tick_params(axis="y", labelsize=8)
    axes.margins(x=0.02 if many else 0.05, y=0.25 if many else 0.12)
    axes.legend(fontsize=8, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    write_csv(found, table_csv)
    save_figure(figure, output)


def sampling_density(table: pd.DataFrame, by: str) -> pd.DataFrame:
    """Labelled blocks by `by` (province or county); a last row "all" has all of them together.

    Counties are told apart by their ids: in several cities there is one of the same name.
    """
    counted = table.assign(
        key=table["county_id" if by == "county" else by].fillna(""),
        place=table[by].fillna("").replace("", "in no county"),
        blocks=1,
        positive=(table["labelled"] == POSITIVE).astype(int),
        negative=(table["labelled"] == NEGATIVE).astype(int),
    )
    columns = ["blocks", POSITIVE, NEGATIVE]
    sums = counted.groupby(["key", "place"])[columns].sum().reset_index().drop(columns="key")
    sums["density"] = (sums[POSITIVE] + sums[NEGATIVE]) / sums["blocks"]
    sums = sums.sort_values(["density", "place"], ascending=[False, True], kind="stable")
    whole = counted[columns].sum()
    whole = {"place": "all", **whole, "density": whole[[POSITIVE, NEGATIVE]].sum() / len(table)}
    return pd.concat([sums, pd.DataFrame([whole])], ignore_index=True)
