"""Every province of a run, a panel a map: percentage of official area (Fig. 16), IoU (Fig. 13)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cropbase.figures import save_figure
from cropbase.tables import read_csv, write_csv
from croplayer.comparison.provinces import compare_provinces
from croplayer.report.style import BLUE, GREEN, INK, RED, fonts, new_figure, printable

PIXEL_COLUMNS = ("product", "title", "reading", "tp", "fp", "fn", "iou", "compared_share")


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
    note = _note(generated)
    strict = table[table["reading"] == "strict"]
    maps = list(dict.fromkeys(zip(strict["kind"], strict["name"], strict["title"], strict=True)))
    figure, axes = _panels(len(maps), {province: titles[province] for province in areas}, note)
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
    save_figure(figure, figure_png)


def plot_province_iou(
    *,
    pixels: dict[str, Path],
    titles: dict[str, str],
    table_csv: Path,
    figure_png: Path,
    generated: list[str],
) -> None:
    """IoU of each product with the final map in every province (PNG, Fig. 13), and as a table.

    Parameters
    ----------
    pixels : province -> its `pixels.csv` (`summarise_comparison`). titles : its name on figures.
    table_csv : `province, product, title, reading, iou, compared_share`; rows of province "all"
        have the IoU of all pixels together.
    generated : provinces that are no real places.

    A panel a product with a point a province, strict reading; the line is all of them together.
    """
    found = [
        read_csv(path, PIXEL_COLUMNS).assign(province=province) for province, path in pixels.items()
    ]
    table = pd.concat(found, ignore_index=True)
    whole = _together(table)
    columns = ["province", "product", "title", "reading", "iou", "compared_share"]
    write_csv(pd.concat([table, whole], ignore_index=True)[columns], table_csv)
    strict, total = (t[t["reading"] == "strict"] for t in (table, whole))
    products = strict.drop_duplicates("product")
    figure, axes = _panels(len(products), titles, _note(generated))
    for panel, product in zip(axes, products.itertuples(), strict=True):
        mine = strict[strict["product"] == product.product]
        places = [list(titles).index(province) for province in mine["province"]]
        everywhere = float(total.loc[total["product"] == product.product, "iou"].iloc[0])
        panel.axvline(everywhere, color=INK, linewidth=0.8)
        panel.scatter(mine["iou"], places, s=26, color=BLUE)
        panel.set_title(f"{product.title}\nall: {everywhere:.2f}", fontsize=8)
        panel.tick_params(labelsize=7)
        panel.set_xlabel("IoU with the final map (1)", fontsize=7)
        panel.set_xlim(0, 1)
    save_figure(figure, figure_png)


def _together(table: pd.DataFrame) -> pd.DataFrame:
    """IoU of each product and reading over the pixels of all provinces, province "all"."""
    counts = ["tp", "fp", "fn", "compared_ha", "inside_ha"]
    whole = table.groupby(["product", "title", "reading"], sort=False)[counts].sum().reset_index()
    whole["iou"] = whole["tp"] / (whole["tp"] + whole["fp"] + whole["fn"])
    whole["compared_share"] = whole["compared_ha"] / whole["inside_ha"]
    return whole.assign(province="all")


def _panels(count: int, titles: dict[str, str], note: str) -> tuple[Figure, np.ndarray]:
    """A figure and its `count` panels beside one another; from top to bottom the provinces."""
    figure = new_figure(1.6 + 1.5 * count, 1.6 + 0.3 * len(titles), title="Provinces", note=note)
    axes = figure.subplots(1, count, squeeze=False, sharey=True)[0]
    names = [printable(title, province) for province, title in titles.items()]
    axes[0].set_yticks(range(len(names)), names, fontsize=8, fontfamily=list(fonts()))
    axes[0].set_ylim(len(names) - 0.5, -0.5)
    return figure, axes


def _note(generated: list[str]) -> str:
    return f"Generated, no real place: {', '.join(generated)}" if generated else ""
