"""The validation extents close up: what was drawn, and where the mask agrees with it."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
from matplotlib.axes import Axes
from rasterio.features import rasterize
from rasterio.transform import from_bounds

from cropbase.figures import save_figure
from cropbase.tables import read_geotable
from croplayer.report.shards import read_codes, read_imagery
from croplayer.report.style import (
    GREEN,
    ORANGE,
    PAPER,
    RED,
    YELLOW,
    Extent,
    legend,
    map_axes,
    new_figure,
)

COLUMNS = 5
COLOURS = {
    "drawn and mapped": GREEN,
    "only mapped": RED,
    "only drawn": ORANGE,
    "neither": "#EEEAE0",
}


def plot_extents(
    *,
    mosaics: dict[str, list[Path]],
    masks: dict[str, list[Path]],
    polygons: Path,
    extents: Path,
    output: Path,
    title: str = "",
    note: str = "",
    most: int = 10,
    pixels: int = 400,
) -> None:
    """Imagery with the drawn cropland, and the mask against it, of each validation extent (PNG).

    Parameters
    ----------
    mosaics, masks : source -> rasters of its shards.
    polygons, extents : checked labels (GeoParquet, EPSG:4326).
    most : pictures at most, an extent and source each; of more, evenly spread ones are shown.
    pixels : longer edge of a picture.

    Without a validation extent the figure says so. Raises InputError for files that cannot be used.
    """
    cropland, areas = read_geotable(polygons), read_geotable(extents)
    areas = areas[areas["split"] == "validation"].sort_values("extent_id")
    shown = [
        (row.extent_id, row.geometry, source)
        for row, source in product(areas.itertuples(), masks)
        if (row.source or source) == source
    ]
    if not shown:
        figure = new_figure(6, 1.5, title=title, note=note)
        figure.text(0.5, 0.4, "no labelled extent is held out for validation", ha="center")
        save_figure(figure, output)
        return
    if len(shown) > most:
        shown = [shown[k] for k in np.linspace(0, len(shown) - 1, most).round().astype(int)]
    columns = min(len(shown), COLUMNS)
    rows = -(-len(shown) // columns)
    figure = new_figure(0.3 + 3.0 * columns, 0.8 + 6.6 * rows, title=title, note=note)
    axes = figure.subplots(2 * rows, columns, squeeze=False)
    for axis in axes.ravel():
        axis.set_visible(False)
    for number, (name, geometry, source) in enumerate(shown):
        row, column = divmod(number, columns)
        drawn = _drawn(cropland, geometry, source)
        picture, agreement = axes[2 * row, column], axes[2 * row + 1, column]
        bounds = geometry.bounds
        image = (bounds[0], bounds[2], bounds[1], bounds[3])
        picture.imshow(read_imagery(mosaics[source], bounds, pixels), extent=image)
        _outline(picture, drawn)
        map_axes(picture, bounds, f"{name}\n{source}")
        codes = read_codes(masks[source], bounds, pixels)
        agreement.imshow(_agreement(codes, drawn, geometry, bounds), extent=image)
        map_axes(agreement, bounds)
        for axis in (picture, agreement):
            axis.set_visible(True)
    legend(axes[2 * rows - 1, 0], COLOURS, columns=2)
    save_figure(figure, output)


def _drawn(cropland: gpd.GeoDataFrame, geometry: shapely.Geometry, source: str) -> shapely.Geometry:
    """The union of the cropland drawn in an extent, for a source or for all of them."""
    own = cropland["source"].fillna("").isin(["", source])
    near = cropland.geometry[own & cropland.intersects(geometry)]
    return shapely.intersection(shapely.union_all(near.to_numpy()), geometry)


def _agreement(
    codes: np.ndarray, drawn: shapely.Geometry, geometry: shapely.Geometry, bounds: Extent
) -> np.ndarray:
    """(rows, columns, 3) float: the colour of each case; paper where nothing is known."""
    transform = from_bounds(*bounds, codes.shape[1], codes.shape[0])

    def burnt(shape: shapely.Geometry) -> np.ndarray:
        if shape.is_empty:
            return np.zeros(codes.shape, dtype=bool)
        return rasterize([shape], out_shape=codes.shape, transform=transform).astype(bool)

    return agreement_colours(codes == 1, burnt(drawn), burnt(geometry) & (codes <= 1))


def agreement_colours(mapped: np.ndarray, truth: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(rows, columns, 3) float, 0-1: the colour of each case of two bool maps where `known`."""
    cases = (truth & mapped, ~truth & mapped, truth & ~mapped, ~truth & ~mapped)
    picture = np.empty((*known.shape, 3))
    picture[:] = _rgb(PAPER)
    for case, colour in zip(cases, COLOURS.values(), strict=True):
        picture[case & known] = _rgb(colour)
    return picture


def _rgb(colour: str) -> tuple[float, float, float]:
    return tuple(int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5))


def _outline(axes: Axes, shape: shapely.Geometry) -> None:
    for part in shapely.get_parts(shape):
        if part.geom_type != "Polygon":
            continue
        for ring in (part.exterior, *part.interiors):
            axes.plot(*ring.xy, color=YELLOW, linewidth=1.0)
