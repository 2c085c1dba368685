"""Which pixels of the global grid lie in a region."""

from __future__ import annotations

import numpy as np
import shapely
from rasterio.features import rasterize
from shapely.geometry.base import BaseGeometry

from croplayer.grid.blocks import BlockGrid, PixelWindow


def pixels_inside(region: BaseGeometry, grid: BlockGrid, window: PixelWindow) -> np.ndarray:
    """(window.height, window.width) bool: pixels whose centre lies in `region` (EPSG:4326)."""
    shape = (window.height, window.width)
    box = shapely.box(*grid.window_bounds(window))
    shapely.prepare(region)
    if shapely.covers(region, box):
        return np.ones(shape, dtype=bool)
    # Clipped a pixel outside the window: far vertices cost time, the cut edge must not matter.
    west, south, east, north = grid.window_bounds(window.buffered(1))
    near = shapely.intersection(region, shapely.box(west, south, east, north))
    parts = [part for part in shapely.get_parts(near) if part.geom_type == "Polygon"]
    if not parts:
        return np.zeros(shape, dtype=bool)
    return rasterize(
        parts, out_shape=shape, transform=grid.transform(window), fill=0, dtype=np.uint8
    ).astype(bool)
