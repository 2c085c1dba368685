"""The allocation close up beside baselines and other products, cell by cell (as Fig. 6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.colors import ListedColormap

from cropalloc.export.areas import crops_of_areas, read_areas
from cropalloc.export.places import Places
from cropalloc.report.style import (
    AREA_SHADES,
    EMPTY,
    crop_title,
    hectares,
    map_axes,
    new_figure,
    panel_size,
)
from cropalloc.settings.validation import ProductMap
from cropalloc.validation.products import read_product
from cropbase.areas import row_pixel_areas_ha
from cropbase.figures import Extent, image, save_figure
from cropbase.tables import read_table

EDGE_DEGREES = 1.0
"""Edge of a place: about a prefecture, as in the paper."""
LEAST_CELLS = 24
"""Fewer cells along an edge show no pattern: a coarse grid gets a larger place."""
TITLES = {
    "max_score": "allocation",
    "cropland": "in proportion to cropland",
    "suitability_cropland": "to suitability x cropland",
}
"""Contestants on the figure; products stand there by their own names."""


@dataclass(frozen=True)
class Panel:
    """Percent of each pixel (rows, columns), NaN where nothing is said, and where it lies."""

    percent: np.ndarray
    extent: Extent


def plot_close_ups(
    *,
    cells: Path,
    selected: Path,
    areas: Mapping[str, Sequence[Path]],
    products: Mapping[str, Sequence[ProductMap]],
    output: Path,
    title: str = "",
    note: str = "",
    rows: int = 3,
) -> None:
    """The land, the allocation, the baselines and other products at one place a crop (PNG).

    Parameters
    ----------
    cells : `grid/cells.parquet`. selected : `allocation/{year}/cells.parquet`.
    areas : name of a contestant -> its tables of areas; the first is the allocation, whose largest
        crops are drawn, each where most of it lies.
    products : name -> its maps of the year, drawn in their own pixels.
    rows : crops.

    All panels of a crop share one scale, percent of a pixel that is harvested (more than 100 where
    crops follow one another), which ends at the 99th percentile. Raises InputError for tables and
    rasters that cannot be used.
    """
    table, places = Places.read(cells)
    cell_ha = table["area_ha"].to_numpy()
    own = next(iter(areas.values()))
    totals = {crop: read_areas(own, crop)["harvested_ha"].sum() for crop in crops_of_areas(own)}
    crops = sorted(totals, key=lambda crop: (-totals[crop], crop))[:rows]
    land = read_table(selected, columns=["cell_id", "cropland_ha"])
    offered = _raster(land.set_index("cell_id")["cropland_ha"], cell_ha, places)
    drawn = []
    for crop in crops:
        maps = {name: _raster(_sums(paths, crop), cell_ha, places) for name, paths in areas.items()}
        part = densest(np.nan_to_num(next(iter(maps.values()))), edge_cells(places))
        frame = _bounds(places, part)
        panels = {name: Panel(values[part], frame) for name, values in maps.items()}
        for name, listed in products.items():
            for one in (one for one in listed if one.crop == crop):
                panels[name] = _of_product(one, frame)
        drawn.append((crop, Panel(offered[part], frame), panels))
    _draw(drawn, ["land", *areas, *products], totals, title, note, output)


def edge_cells(places: Places) -> int:
    """Cells along the edge of a place: `EDGE_DEGREES`, but at most half of the case's grid."""
    wanted = max(LEAST_CELLS, round(EDGE_DEGREES / places.grid.degrees))
    return max(1, min(wanted, max(places.height, places.width) // 2))


def densest(values: np.ndarray, edge: int) -> tuple[slice, slice]:
    """Rows and columns of the square of `edge` cells (less at a narrow grid) with the largest sum
    of `values` (rows, columns); the first from the north-west of several."""
    height, width = (min(edge, size) for size in values.shape)
    summed = np.pad(values, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    sums = summed[height:, width:] - summed[:-height, width:]
    sums += summed[:-height, :-width] - summed[height:, :-width]
    # Sums of the same cells in another order differ in their last digits: no reason to move.
    row, col = np.unravel_index(np.argmax(sums >= sums.max() * (1 - 1e-9)), sums.shape)
    return slice(int(row), int(row) + height), slice(int(col), int(col) + width)


def _sums(paths: Sequence[Path], crop: str) -> pd.Series:
    """cell_id -> harvested hectares of all systems."""
    return read_areas(paths, crop).groupby("cell_id")["harvested_ha"].sum()


def _raster(values: pd.Series, cell_ha: np.ndarray, places: Places) -> np.ndarray:
    """(rows, columns) percent of each cell of the case; NaN where the case has none."""
    raster = np.full((places.height, places.width), np.nan)
    amount = values.reindex(places.cell_id).fillna(0.0).to_numpy()
    raster[places.rows, places.columns] = 100 * amount / cell_ha
    return raster


def _bounds(places: Places, part: tuple[slice, slice]) -> Extent:
    lon, lat = places.grid.lon_edges, places.grid.lat_edges
    rows, cols = part
    return lon[cols.start], lat[rows.stop], lon[cols.stop], lat[rows.start]


def _of_product(product: ProductMap, frame: Extent) -> Panel:
    """The pixels of a product that touch `frame`; none where it does not reach."""
    values, transform = read_product(product)
    west, south, east, north = frame
    rows = _touched((north - transform.f) / transform.e, (south - transform.f) / transform.e)
    cols = _touched((west - transform.c) / transform.a, (east - transform.c) / transform.a)
    rows, cols = (slice(*s.indices(n)[:2]) for s, n in zip((rows, cols), values.shape, strict=True))
    pixel_ha = row_pixel_areas_ha(transform, values.shape[0])[rows, None]
    extent = (
        transform.c + transform.a * cols.start,
        transform.f + transform.e * rows.stop,
        transform.c + transform.a * cols.stop,
        transform.f + transform.e * rows.start,
    )
    return Panel(100 * values[rows, cols] / pixel_ha, extent)


def _touched(first: float, last: float) -> slice:
    return slice(max(int(np.floor(first + 1e-6)), 0), max(int(np.ceil(last - 1e-6)), 0))


def _draw(
    drawn: Sequence[tuple[str, Panel, Mapping[str, Panel]]],
    names: Sequence[str],
    totals: Mapping[str, float],
    title: str,
    note: str,
    output: Path,
) -> None:
    width, height = panel_size(drawn[0][1].extent, 2.1)
    figure = new_figure(
        len(names) * (width + 0.35) + 1.5, len(drawn) * (height + 0.55) + 0.7,
        title=title, note=note,
    )  # fmt: skip
    grid = figure.subplots(len(drawn), len(names), squeeze=False)
    land_shades = ListedColormap(colormaps["YlOrBr"](np.linspace(0.1, 0.85, 256)))
    for axes, (crop, land, panels) in zip(grid, drawn, strict=True):
        shown = np.concatenate([panel.percent.ravel() for panel in panels.values()])
        shown = shown[shown > 0]
        most = float(np.percentile(shown, 99)) if len(shown) else 1.0
        _panel(axes[0], land, land.extent, land_shades, 100.0)
        axes[0].set_title("cropland offered, 0-100 %", fontsize=8)
        axes[0].set_ylabel(f"{crop_title(crop)}, {hectares(totals[crop])}", fontsize=8.5)
        for place, name in zip(axes[1:], names[1:], strict=True):
            if name in panels:
                picture = _panel(place, panels[name], land.extent, AREA_SHADES, most)
                place.set_title(TITLES.get(name, name), fontsize=8)
            else:
                place.set_visible(False)
        bar = figure.colorbar(picture, ax=axes, shrink=0.8, pad=0.01, aspect=22, extend="max")
        bar.set_label("harvested, % of a pixel", fontsize=7)
        bar.ax.tick_params(labelsize=6.5)
    save_figure(figure, output)


def _panel(axes, panel: Panel, frame: Extent, shades: ListedColormap, most: float):
    """Draw one panel: pixels without the crop in grey, the background where nothing is said."""
    look = {"extent": image(panel.extent), "interpolation": "nearest", "aspect": "auto"}
    ground = np.where(np.isfinite(panel.percent), 1.0, np.nan)
    axes.imshow(ground, cmap=ListedColormap([EMPTY]), zorder=1, **look)
    known = np.where(panel.percent > 0, panel.percent, np.nan)
    picture = axes.imshow(known, cmap=shades, vmin=0, vmax=most, zorder=2, **look)
    map_axes(axes, frame)  # at the end: imshow moves the limits
    return picture
