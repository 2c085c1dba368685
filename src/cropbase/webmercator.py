"""Web Mercator (EPSG:3857) tiles and pixels: the arithmetic of XYZ tile services.

`x` and `y` are pixels of the whole world at one zoom, from 180 W and about 85.05 N, eastward and
southward; a tile is `tile_pixels` of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

MAX_LATITUDE = 85.0511287798066
"""Latitude, degrees, at which the square world of the tiles ends."""


@dataclass(frozen=True)
class TileMatrix:
    """All tiles of one zoom level.

    Parameters
    ----------
    zoom : level; 2 ** zoom tiles along an edge of the world.
    tile_pixels : edge of a tile, pixels.
    """

    zoom: int
    tile_pixels: int = 256

    @property
    def tiles(self) -> int:
        """Tiles along an edge of the world."""
        return 1 << self.zoom

    @property
    def world_pixels(self) -> int:
        """Pixels along an edge of the world."""
        return self.tile_pixels << self.zoom

    def x(self, lon: ArrayLike) -> np.ndarray:
        """World pixel columns (float64) of longitudes in degrees."""
        return (np.asarray(lon, np.float64) + 180.0) * (self.world_pixels / 360.0)

    def y(self, lat: ArrayLike) -> np.ndarray:
        """World pixel rows (float64) of latitudes in degrees; beyond the tiles' end, outside them.

        A latitude beyond 89.9 degrees counts as 89.9, where no tile is either.
        """
        phi = np.radians(np.clip(np.asarray(lat, np.float64), -89.9, 89.9))
        return (0.5 - np.arctanh(np.sin(phi)) / (2 * np.pi)) * self.world_pixels

    def lon(self, x: ArrayLike) -> np.ndarray:
        """Longitudes in degrees of world pixel columns."""
        return np.asarray(x, np.float64) * (360.0 / self.world_pixels) - 180.0

    def lat(self, y: ArrayLike) -> np.ndarray:
        """Latitudes in degrees of world pixel rows."""
        stretched = (0.5 - np.asarray(y, np.float64) / self.world_pixels) * 2 * np.pi
        return np.degrees(np.arctan(np.sinh(stretched)))

    def tile_bounds(self, x: int, y: int) -> tuple[float, float, float, float]:
        """(west, south, east, north) of a tile, degrees, in the tiles' own datum."""
        t = self.tile_pixels
        return (
            float(self.lon(x * t)),
            float(self.lat((y + 1) * t)),
            float(self.lon((x + 1) * t)),
            float(self.lat(y * t)),
        )


def quadkey(z: int, x: int, y: int) -> str:
    """The quadkey of a tile: one digit a level, 1 for east plus 2 for south."""
    return "".join(str((x >> level & 1) + 2 * (y >> level & 1)) for level in range(z - 1, -1, -1))
