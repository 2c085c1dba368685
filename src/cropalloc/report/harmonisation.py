"""How far the levels of the statistics were from each other (as Fig. S5 and S6 of the paper)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from cropalloc.report.style import RED, crop_title, new_figure, year_colours
from cropbase.figures import save_figure
from cropbase.tables import read_table


def plot_harmonisation(
    *, audit: Path, nodes: Path, targets: Path, output: Path, title: str = "", note: str = ""
) -> None:
    """Sums of the levels beside the nation, and the factors that made them agree (PNG).

    Parameters
    ----------
    audit, targets : tables of `harmonise_statistics`. nodes : table of `average_statistics`.

    Left: for each crop and year, the sum of what the units of a level reported over the figure of
    level 0, before harmonisation; a level that is not complete lies below 1. Right: the factors of
    all changed units. Raises InputError for tables that cannot be read.
    """
    figures = read_table(nodes)
    placed = read_table(targets)
    sums = figures.groupby(["crop", "year", "level"], as_index=False)["value"].sum()
    top = sums[sums["level"] == 0].set_index(["crop", "year"])["value"]
    below = sums[sums["level"] > 0].join(top.rename("nation"), on=["crop", "year"])
    below = below[below["nation"] > 0]
    below["share"] = below["value"] / below["nation"]
    order = placed.groupby("crop")["harvested_ha"].sum().sort_values(ascending=False)
    crops = [crop for crop, area in order.items() if area > 0]

    figure = new_figure(12.0, 1.6 + 0.26 * max(len(crops), 8), title=title, note=note)
    left, right = figure.subplots(1, 2, width_ratios=[2, 1])
    _level_sums(left, below, crops)
    _factors(right, pd.read_csv(audit, encoding="utf-8"))
    save_figure(figure, output)


def _level_sums(axes, below: pd.DataFrame, crops: list[str]) -> None:
    years = sorted(below["year"].unique())
    levels = sorted(below["level"].unique())
    colours = year_colours(years)
    signs = dict(zip(levels, "os^Dv", strict=False))
    place = {crop: -index for index, crop in enumerate(crops)}
    axes.axvline(1, color=RED, linewidth=1)
    for (level, year), part in below.groupby(["level", "year"]):
        part = part[part["crop"].isin(place)]
        axes.plot(
            part["share"],
            part["crop"].map(place),
            signs[level],
            color=colours[year],
            markersize=5,
            label=f"level {level}, {year}",
        )
    axes.set_yticks(list(place.values()), [crop_title(crop) for crop in place])
    axes.set_xlim(0, max(1.15, min(float(below["share"].to_numpy().max(initial=1.0)), 2.0) + 0.05))
    axes.set_xlabel("Sum of the reporting units / nation, before harmonisation")
    axes.grid(axis="x", linewidth=0.3)
    if len(below):
        axes.legend(fontsize=7, loc="lower left", frameon=False)


def _factors(axes, audit: pd.DataFrame) -> None:
    factors = audit["factor"].dropna()
    factors = factors[(factors > 0) & (factors != 1)]
    axes.set_xlabel("Factor of a changed figure")
    axes.set_ylabel("Figures")
    axes.axvline(1, color=RED, linewidth=1)
    if len(factors):
        span = np.clip(np.abs(np.log2(factors)).max(), 0.01, 3)
        bins = 2.0 ** np.linspace(-span, span, 41)
        axes.hist(factors.clip(bins[0], bins[-1]), bins=bins, color="#4C78A8")
        axes.set_title(f"{len(factors)} changed figures", fontsize=9)
    else:
        axes.set_title("no figure was changed", fontsize=9)
