"""Bars of the comparison with products: IoU (Fig. 13) and percentage of official area (Fig. 12)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from cropbase.figures import save_figure
from cropbase.tables import read_csv
from croplayer.report.areas import scenario_text
from croplayer.report.style import BLUE, GREEN, INK, ORANGE, RED, SKY, new_figure

_READINGS = {
    "strict": ("cropland classes alone (strict)", BLUE),
    "lenient": ("unclear classes as cropland (lenient)", ORANGE),
    "undisputed": ("unclear classes left out", SKY),
}


def plot_product_iou(*, pixels_csv: Path, output: Path, title: str = "", note: str = "") -> None:
    """Bars of the IoU of each product with the final map, by reading (PNG, Fig. 13).

    Products come in the order of their strict IoU; below each name stands the share of the province
    that both maps say something about.
    """
    table = read_csv(pixels_csv, ("product", "title", "reading", "iou", "compared_share"))
    wide = table.pivot(index="title", columns="reading", values="iou")
    wide = wide.sort_values("strict", ascending=False)
    shares = table.drop_duplicates("title").set_index("title")["compared_share"]
    readings = [reading for reading in _READINGS if reading in wide.columns]
    figure = new_figure(2.2 + 1.25 * len(wide), 4.2, title=title, note=note)
    axes = figure.subplots()
    width = 0.8 / len(readings)
    for k, reading in enumerate(readings):
        text, colour = _READINGS[reading]
        places = np.arange(len(wide)) + (k - (len(readings) - 1) / 2) * width
        bars = axes.bar(
            places, wide[reading], width, color=colour, edgecolor=INK, linewidth=0.5, label=text
        )
        axes.bar_label(bars, fmt="%.2f", fontsize=7, padding=2)
    names = [f"{name}\n{shares[name]:.0%} compared" for name in wide.index]
    axes.set_xticks(range(len(wide)), names, fontsize=8)
    axes.set_ylabel("IoU with the final map (1)", fontsize=9)
    axes.set_ylim(0, 1)
    axes.legend(fontsize=8, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
    save_figure(figure, output)


def plot_product_areas(*, areas_csv: Path, output: Path, title: str = "", note: str = "") -> None:
    """Percentage of the official area of products and scenarios (PNG, Fig. 12 and 16).

    A bar is the strict reading, a whisker reaches to the lenient one; the band is the tolerance.
    Without an official area hectares are drawn instead. A product that knows too little of the
    province has no bar, and its name says why.
    """
    table = read_csv(areas_csv, ("kind", "title", "reading", "percent_of_official"))
    official = table["official_area_ha"].notna().any()
    value, unit, label = (
        ("percent_of_official", 1, "cropland (% of official area)")
        if official
        else ("cropland_ha", 1000, "cropland (thousand hectares)")
    )
    figure = new_figure(
        2.4 + 0.95 * len(table[table["reading"] == "strict"]), 4.4, title=title, note=note
    )
    axes = figure.subplots()
    draw_areas(axes, table, value, unit)
    if official:
        draw_tolerance(axes, float(table["tolerance_percent"].iloc[0]))
    axes.set_ylabel(label, fontsize=9)
    axes.set_title(
        "Scenarios of this map (green), and products (blue); whiskers: unclear classes as cropland",
        fontsize=8,
    )
    save_figure(figure, output)


def draw_areas(axes: Axes, table: pd.DataFrame, value: str, unit: float) -> None:
    """A bar a map with its name below; `value` is divided by `unit`."""
    strict = table[table["reading"] == "strict"].reset_index(drop=True)
    lenient = table[table["reading"] == "lenient"].set_index("name")[value]
    heights = strict[value] / unit
    above = (strict["name"].map(lenient) / unit - heights).clip(lower=0).fillna(0)
    colours = [GREEN if kind == "scenario" else BLUE for kind in strict["kind"]]
    bars = axes.bar(
        range(len(strict)), heights.fillna(0), color=colours, edgecolor=INK, linewidth=0.5
    )
    drawn = above > 0
    axes.errorbar(
        np.flatnonzero(drawn),
        heights[drawn],
        yerr=[np.zeros(drawn.sum()), above[drawn]],
        fmt="none",
        ecolor=INK,
        capsize=4,
        linewidth=1,
    )
    for bar, height in zip(bars, heights, strict=True):
        axes.annotate(
            "" if np.isnan(height) else f"{height:.1f}",
            (bar.get_x() + bar.get_width() / 2, 0),
            xytext=(0, 4),
            textcoords="offset points",
            ha="center",
            fontsize=7,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        )
    axes.set_xticks(range(len(strict)), [_name(row) for row in strict.itertuples()], fontsize=7)
    top = np.nanmax([*(heights + above), 1e-9])
    axes.set_ylim(0, top * 1.15)


def draw_tolerance(axes: Axes, tolerance: float) -> None:
    """The official area, 100 %, and the band of the tolerance around it."""
    axes.axhspan(
        100 - tolerance,
        100 + tolerance,
        color=RED,
        alpha=0.15,
        linewidth=0,
        zorder=0,
        label=f"official area ± {tolerance:g} %",
    )
    axes.axhline(100, color=RED, linewidth=1.3)
    axes.legend(fontsize=8, frameon=False, loc="upper right")


def _name(row) -> str:
    text = scenario_text(row.title) if row.kind == "scenario" else row.title.replace(" ", "\n", 1)
    few = np.isnan(row.percent_of_official) and not np.isnan(row.official_area_ha)
    return f"{text}\n(covers {row.known_share:.0%})" if few else text
