"""Percentage of official area of every province of a run, a panel a map (Fig. 16)."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cropbase.figures import save_figure
from croplayer.comparison.provinces import compare_provinces
from croplayer.report.style import BLUE, GREEN, INK, RED, fonts, new_figure, printable


def plot_provinces(
    *,
    areas: dict[str, Path],
    titles: dict[str, str],
    table_csv: Path,
    counts_csv: Path,
    figure_png: Path,
    generated: list[str],
) -> None:
    """Write the two tables of all provinces (`compare_provinces`) and their figure.

    A panel a map with a point a province; its heading says how many provinces are within the
    tolerance, of those with an official area that the map covers. `generated`: provinces that are
    no real places.
    """
    counts = compare_provinces(areas=areas, titles=titles, output=table_csv, counts=counts_csv)
    table = pd.read_csv(table_csv)
    note = f"Generated, no real place: {', '.join(generated)}" if generated else ""
    strict = table[table["reading"] == "strict"]
    maps = list(dict.fromkeys(zip(strict["kind"], strict["name"], strict["title"], strict=True)))
    figure = new_figure(1.6 + 1.5 * len(maps), 1.6 + 0.3 * len(areas), title="Provinces", note=note)
    axes = figure.subplots(1, len(maps), squeeze=False, sharey=True)[0]
    for panel, (kind, name, title) in zip(axes, maps, strict=True):
        mine = strict[(strict["kind"] == kind) & (strict["name"] == name)]
        places = [list(areas).index(province) for province in mine["province"]]
        panel.axvline(100, color=INK, linewidth=0.8)
        tolerance = float(mine["tolerance_percent"].iloc[0])
        panel.axvspan(100 - tolerance, 100 + tolerance, color=RED, alpha=0.15, linewidth=0)
        panel.scatter(
            mine["percent_of_official"], places, s=26, color=GREEN if kind == "scenario" else BLUE
        )
        row = counts[(counts["name"] == name) & (counts["reading"] == "strict")]
        of = f"{row['within'].iloc[0]} of {row['judged'].iloc[0]}" if len(row) else "not judged"
        panel.set_title(f"{title.replace('_', ' ')}\n{of} within {tolerance:g} %", fontsize=8)
        panel.tick_params(labelsize=7)
        panel.set_xlabel("% of official", fontsize=7)
        panel.set_xlim(left=0)
    names = [printable(titles[province], province) for province in areas]
    axes[0].set_yticks(range(len(areas)), names, fontsize=8, fontfamily=list(fonts()))
    axes[0].invert_yaxis()
    save_figure(figure, figure_png)
