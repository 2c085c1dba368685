"""Cropland polygons to training targets on the global pixel grid."""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil, floor

import numpy as np
import shapely
from rasterio.features import rasterize
from shapely.geometry.base import BaseGeometry

from cropbase.errors import InputError
from croplayer.grid import BlockGrid, PixelWindow

NOT_CROPLAND, CROPLAND, IGNORED = 0, 1, 255
# A ten-thousandth of a pixel: far above the rounding of degrees in float64, far below any label.
_EDGE_TOLERANCE_PIXELS = 1e-4


def extent_window(geometry: BaseGeometry, grid: BlockGrid) -> PixelWindow:
    """The smallest window of the global pixel grid that covers the bounds of `geometry`.

    Parameters
    ----------
    geometry : any geometry in EPSG:4326 with a positive width and height.
    grid : the grid whose pixels are counted.

    Raises InputError for an empty geometry. An edge that lies on a pixel edge but for rounding
    counts as lying on it: the extent of a block gives exactly the window of the block.
    """
    if geometry is None or geometry.is_empty:
        raise InputError("a label extent is empty", remedy="draw it again or delete the feature")
    west, south, east, north = geometry.bounds
    per_degree = 100 * grid.pixels_per_block / grid.block_hundredths
    tolerance = _EDGE_TOLERANCE_PIXELS
    col = floor((west + 180) * per_degree + tolerance)
    right = ceil((east + 180) * per_degree - tolerance)
    row = floor((90 - north) * per_degree + tolerance)
    bottom = ceil((90 - south) * per_degree - tolerance)
    return PixelWindow(row, col, max(bottom - row, 1), max(right - col, 1))


def rasterise_labels(
    polygons: Iterable[BaseGeometry],
    extent_geometry: BaseGeometry,
    grid: BlockGrid,
    window: PixelWindow,
) -> np.ndarray:
    """The training target of a window: cropland where a polygon holds the centre of the pixel.

    Parameters
    ----------
    polygons : cropland (multi)polygons, EPSG:4326 (a GeoSeries, an array or a list); they may
        overlap one another and reach outside the extent and the window.
    extent_geometry : the area labelled completely, EPSG:4326; the union of several extents is
        allowed.
    grid, window : the pixels to fill.

    Returns
    -------
    (window.height, window.width) uint8: 0 not cropland, 1 cropland, 255 ignored (the centre lies
    outside the extent). A centre exactly on an edge falls to one side or the other, always the
    same one.
    """
    target = np.full((window.height, window.width), IGNORED, dtype=np.uint8)
    inside = _burn([extent_geometry], grid, window)
    target[inside] = NOT_CROPLAND
    target[inside & _burn(polygons, grid, window)] = CROPLAND
    return target


def _burn(geometries: Iterable[BaseGeometry], grid: BlockGrid, window: PixelWindow) -> np.ndarray:
    """(window.height, window.width) bool: pixels whose centre lies in one of the polygons."""
    # Parts are burnt one by one: GDAL fills a multipolygon by the even-odd rule, under which two
    # overlapping parts would cut a hole into each other.
    parts = shapely.get_parts(np.asarray(list(geometries), dtype=object))
    parts = parts[shapely.get_dimensions(parts) == 2]
    parts = parts[shapely.intersects(parts, shapely.box(*grid.window_bounds(window)))]
    if not len(parts):
        return np.zeros((window.height, window.width), dtype=bool)
    burnt = rasterize(
        ((part, 1) for part in parts),
        out_shape=(window.height, window.width),
        transform=grid.transform(window),
        fill=0,
        all_touched=False,
        dtype=np.uint8,
    )
    return burnt.astype(bool)
