"""Polygons of one block: by the export stage, and by rasterio and shapely a polygon at a time."""

from __future__ import annotations

import numpy as np
import shapely
from rasterio.features import shapes
from shapely.geometry import shape

from croplayer.export.polygons import CountyPolygons, build_polygons
from croplayer.export.rings import county_rings
from croplayer.grid import Block, BlockGrid
from croplayer.grid.blocks import PixelWindow
from croplayer.settings.export import ExportSettings

SETTINGS = ExportSettings(min_area_ha=0, fill_holes_ha=0)
"""Nothing is left out or filled: both sides make the same polygons."""


class BlockPolygons:
    """The polygons of the mask of a block: (rows, columns) bool, nothing beyond the block."""

    def __init__(self, grid: BlockGrid, block: Block, mask: np.ndarray) -> None:
        self.grid, self.block = grid, block
        self.mask = np.ascontiguousarray(mask)
        # A county that holds the block, as one does that is larger than a block.
        self.county = grid.polygon(block).buffer(2 * grid.pixel_degrees, join_style="mitre")

    def ours(self) -> CountyPolygons:
        """All that the export stage does: trace, simplify, holes, hectares, county border."""
        rings = county_rings([self.block], self._read, self.grid, SETTINGS)
        return build_polygons(rings, self.county, self.grid, SETTINGS)

    def peer(self) -> np.ndarray:
        """Cropland of `shapes`, 4-connected too, simplified polygon by polygon; no hectares."""
        found = shapes(self.mask.view(np.uint8), mask=self.mask, connectivity=4)
        polygons = np.array([shape(outline) for outline, _ in found], dtype=object)
        return shapely.simplify(polygons, SETTINGS.tolerance_pixels, preserve_topology=True)

    @staticmethod
    def vertices(polygons: np.ndarray) -> int:
        """Vertices of all rings, the first not counted twice."""
        return int(shapely.get_num_coordinates(polygons).sum() - len(shapely.get_rings(polygons)))

    @staticmethod
    def faults(polygons: np.ndarray) -> dict[str, int]:
        """How many polygons are invalid, and how many pairs share area."""
        a, b = shapely.STRtree(polygons).query(polygons, predicate="intersects")
        a, b = a[a < b], b[a < b]
        shared = shapely.area(shapely.intersection(polygons[a], polygons[b]))
        return {
            "invalid": int((~shapely.is_valid(polygons)).sum()),
            "overlapping pairs": int((shared > 0).sum()),
        }

    def _read(self, window: PixelWindow) -> np.ndarray:
        crop = np.zeros((window.height, window.width), dtype=bool)
        own = self.grid.block_window(self.block)
        crop[own.relative_to(window)] = self.mask
        return crop
