"""Figures of change: shares of crops over the years, and maps with ellipses and profiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, PowerNorm
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from pyproj import Transformer

from cropalloc.change.ellipse import Ellipse
from cropalloc.report.style import (
    INK,
    crop_colours,
    crop_title,
    draw_outline,
    frame_of_data,
    map_axes,
    new_figure,
    panel_size,
    read_outline,
    read_picture,
    year_colours,
)
from cropbase.errors import InputError
from cropbase.figures import image, save_figure, with_margin
from cropbase.tables import read_csv, read_table

_LABEL_FROM_SHARE = 0.025


def plot_shares(*, shares: Path, output: Path, title: str = "", note: str = "") -> None:
    """Harvested area of the crops in every year, joined by bands, as Fig. 3 (PNG).

    Parameters
    ----------
    shares : CSV of `analyse_change`. In every year the largest crop lies at the bottom; the height
        of a node is its area, the text its share of the year's total (from 2.5 % on).

    Raises InputError for a file that cannot be read.
    """
    table = read_csv(shares, ["year", "crop", "harvested_ha", "share"])
    years = sorted(table["year"].unique())
    areas = table.pivot(index="crop", columns="year", values="harvested_ha").fillna(0.0) / 1e6
    of_total = table.pivot(index="crop", columns="year", values="share").fillna(0.0)
    order = areas.sum(axis=1).sort_values(ascending=False, kind="stable").index
    areas = areas.loc[[crop for crop in order if areas.loc[crop].sum() > 0]]
    colours = crop_colours(list(areas.index))
    figure = new_figure(2.6 + 1.25 * max(len(years), 2), 5.4, title=title, note=note)
    axes = figure.subplots()
    bottoms = {year: _stack(areas[year]) for year in years}
    half = 0.17
    for k, year in enumerate(years):
        for crop in areas.index:
            height, low = areas.at[crop, year], bottoms[year][crop]
            axes.bar(
                k,
                height,
                2 * half,
                bottom=low,
                color=colours[crop],
                linewidth=0.4,
                edgecolor="white",
                zorder=3,
            )
            share = of_total.at[crop, year]
            if share >= _LABEL_FROM_SHARE:
                axes.text(
                    k,
                    low + height / 2,
                    f"{share:.1%}",
                    ha="center",
                    va="center",
                    fontsize=6,
                    zorder=4,
                    color=_contrast(colours[crop]),
                )
        if k + 1 < len(years):
            after = years[k + 1]
            for crop in areas.index:
                _band(
                    axes,
                    k + half,
                    k + 1 - half,
                    (bottoms[year][crop], areas.at[crop, year]),
                    (bottoms[after][crop], areas.at[crop, after]),
                    colours[crop],
                )
    axes.set_xticks(range(len(years)), [str(year) for year in years])
    axes.set_xlim(-0.4, len(years) - 0.6)
    axes.set_ylim(0, areas.sum().max() * 1.02)
    axes.set_ylabel("harvested area, Mha", fontsize=9)
    axes.tick_params(labelsize=8.5, length=2)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(
        handles=[
            Patch(facecolor=colours[crop], label=crop_title(crop)) for crop in areas.index[::-1]
        ],
        loc="center left",
        bbox_to_anchor=(1.01, 0.5),
        fontsize=7.5,
        frameon=False,
        ncols=1 if len(areas) <= 22 else 2,
    )
    save_figure(figure, output)


def _stack(area: pd.Series) -> dict[str, float]:
    """Where each crop begins, the largest lowest."""
    ordered = area.sort_values(ascending=False, kind="stable")
    return dict(zip(ordered.index, np.cumsum(ordered) - ordered, strict=True))


def _band(
    axes: Axes,
    x0: float,
    x1: float,
    before: tuple[float, float],
    after: tuple[float, float],
    colour: str,
) -> None:
    """A smooth band from one node (bottom, height) to the next."""
    t = np.linspace(0, 1, 40)
    ease = t * t * (3 - 2 * t)
    low = before[0] + (after[0] - before[0]) * ease
    high = low + before[1] + (after[1] - before[1]) * ease
    axes.fill_between(x0 + (x1 - x0) * t, low, high, color=colour, alpha=0.38, linewidth=0)


def _contrast(colour: str) -> str:
    red, green, blue = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return "white" if 0.3 * red + 0.59 * green + 0.11 * blue < 140 else "black"


def plot_change(
    *,
    ellipses: Path,
    profiles: Path,
    maps: Mapping[str, Path],
    output: Path,
    boundary: Path | None = None,
    boundary_layer: str | None = None,
    crops: Sequence[str] | None = None,
    title: str = "",
    note: str = "",
) -> None:
    """A map a crop with the ellipse and centre of every year, and profiles beside it (Fig. 4, PNG).

    Parameters
    ----------
    ellipses, profiles : files of `analyse_change`. maps : crop -> map drawn under the ellipses
        (that of the last year, say). boundary : vector file with the country's outline.
    crops : those to draw, in this order; by default the four with the largest area.

    The curves above and to the right sum harvested area along latitude and longitude, a colour a
    year. Raises InputError for files that cannot be read or a crop without an ellipse or map.
    """
    table = read_csv(ellipses, ["crop", "year", "center_x_m", "grid_rotation_degrees", "crs"])
    along = read_table(profiles)
    if crops is None:
        largest = table.groupby("crop")["harvested_ha"].max().sort_values(ascending=False)
        crops = [crop for crop in largest.index if crop in maps][:4]
    lacking = [crop for crop in crops if crop not in set(table["crop"]) or crop not in maps]
    if lacking or not crops:
        raise InputError(
            f"there is no ellipse or no map of {', '.join(lacking) or 'any crop'}",
            given=f"ellipses of {', '.join(sorted(set(table['crop'])))}",
        )
    outline = read_outline(boundary, layer=boundary_layer)
    colours = year_colours([int(year) for year in table["year"].unique()])
    columns = 1 if len(crops) == 1 else 2
    rows = -(-len(crops) // columns)
    picture, whole = read_picture(maps[crops[0]])
    width, height = panel_size(with_margin(frame_of_data(picture, whole)), 3.6)
    figure = new_figure(
        columns * (width + 1.35) + 1.0, rows * (height + 1.25) + 0.6, title=title, note=note
    )
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, crop in zip(panels, crops, strict=False):
        of_crop = table[table["crop"] == crop].sort_values("year")
        _change_panel(axes, of_crop, maps[crop], outline, colours)
        _profiles(axes, along[along["crop"] == crop], colours)
        shift = of_crop["shift_from_first_km"].iloc[-1]
        moved = ""
        if np.isfinite(shift):
            digits = 0 if shift >= 10 else 1
            moved = f": centre moved {shift:.{digits}f} km, {_span(of_crop)}"
        axes.child_axes[0].set_title(f"{crop_title(crop)}{moved}", fontsize=9)
    for axes in panels[len(crops) :]:
        axes.set_visible(False)
    figure.legend(
        handles=[Line2D([], [], color=c, linewidth=2, label=str(y)) for y, c in colours.items()],
        loc="outside right upper",
        fontsize=8,
        frameon=False,
    )
    save_figure(figure, output)


def _change_panel(
    axes: Axes,
    table: pd.DataFrame,
    map_path: Path,
    outline: np.ndarray,
    colours: dict[int, str],
) -> None:
    """The map, and on it the ellipse and the centre of every year."""
    picture, whole = read_picture(map_path)
    extent = with_margin(frame_of_data(picture, whole))
    ground = np.where(np.isfinite(picture), 1.0, np.nan)
    known = np.where(picture > 0, picture, np.nan)
    most = float(np.nanpercentile(known, 99)) if np.isfinite(known).any() else 1.0
    greys = ListedColormap(colormaps["Greys"](np.linspace(0.12, 0.72, 256)))
    for layer, colours_of, norm in (
        (ground, ListedColormap(["#F3F3F1"]), None),
        (known, greys, PowerNorm(0.6, 0, most)),
    ):
        axes.imshow(
            layer,
            extent=image(whole),
            cmap=colours_of,
            norm=norm,
            zorder=1,
            interpolation="nearest",
            aspect="auto",
        )
    map_axes(axes, extent)
    axes.set_facecolor("white")
    if len(outline):
        draw_outline(axes, outline)
    for row in table.itertuples():
        ellipse = Ellipse(
            row.center_x_m,
            row.center_y_m,
            row.semi_major_km * 1000,
            row.semi_minor_km * 1000,
            row.grid_rotation_degrees,
        )
        back = Transformer.from_crs(row.crs, "EPSG:4326", always_xy=True)
        lon, lat = back.transform(*ellipse.outline().T)
        axes.plot(lon, lat, color=colours[int(row.year)], linewidth=1.3, zorder=5)
    axes.plot(table["center_lon"], table["center_lat"], color=INK, linewidth=0.7, zorder=6)
    axes.scatter(
        table["center_lon"],
        table["center_lat"],
        s=16,
        zorder=7,
        edgecolors="white",
        linewidths=0.5,
        color=[colours[int(year)] for year in table["year"]],
    )


def _profiles(axes: Axes, along: pd.DataFrame, colours: dict[int, str]) -> None:
    """Curves above and to the right of a map, on its very axes."""
    top = axes.inset_axes([0, 1.04, 1, 0.2], sharex=axes)
    right = axes.inset_axes([1.04, 0, 0.2, 1], sharey=axes)
    limits = axes.get_xlim(), axes.get_ylim()
    _profile(top, along[along["axis"] == "longitude"], colours, upright=False)
    _profile(right, along[along["axis"] == "latitude"], colours, upright=True)
    axes.set_xlim(limits[0])
    axes.set_ylim(limits[1])


def _span(table: pd.DataFrame) -> str:
    return f"{int(table['year'].min())}–{int(table['year'].max())}"


def _profile(axes: Axes, rows: pd.DataFrame, colours: dict[int, str], *, upright: bool) -> None:
    for year, of_year in rows.groupby("year"):
        middle = (of_year["low_degrees"] + of_year["high_degrees"]) / 2
        area = of_year["harvested_ha"] / 1e3
        x, y = (area, middle) if upright else (middle, area)
        axes.plot(x, y, color=colours[int(year)], linewidth=0.9)
    axes.tick_params(labelsize=5.5, length=1.5)
    axes.spines[["top", "right"]].set_visible(False)
    if upright:
        axes.tick_params(labelleft=False)
        axes.set_xlim(left=0)
        axes.set_xlabel("kha", fontsize=6)
        axes.locator_params(axis="x", nbins=3)
    else:
        axes.tick_params(labelbottom=False)
        axes.set_ylim(bottom=0)
        axes.set_ylabel("kha", fontsize=6)
        axes.locator_params(axis="y", nbins=3)
