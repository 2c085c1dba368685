"""The rectangle of the global pixel grid on which the province is generated."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image
from rasterio.transform import Affine

from cropbase.errors import ConfigError
from croplayer.grid import Block, BlockGrid, PixelWindow
from croplayer.settings.demo import DemoSettings

GENERATED = "Generated data of the built-in demo province; not an observation of the earth."
"""The sentence that every generated file carries."""


@dataclass(frozen=True)
class Canvas:
    """Blocks of the generated landscape (`core`) and the same with its margin (`window`)."""

    grid: BlockGrid
    core: PixelWindow
    margin: int

    @classmethod
    def from_settings(cls, settings: DemoSettings, grid: BlockGrid) -> Canvas:
        """The canvas of `settings`. Raises ConfigError if its corner is no corner of a block."""
        h = grid.block_hundredths
        west, south = settings.west_degrees * 100, settings.south_degrees * 100
        col, row_end = (west + 18000) / h, (9000 - south) / h
        if abs(col - round(col)) > 1e-6 or abs(row_end - round(row_end)) > 1e-6:
            raise ConfigError(
                "demo.west_degrees and demo.south_degrees are not the corner of a block",
                given=f"{settings.west_degrees}, {settings.south_degrees}",
                allowed=f"multiples of grid.block_degrees = {grid.block_degrees}",
            )
        p = grid.pixels_per_block
        top = round(row_end) - settings.blocks_high
        core = PixelWindow(
            top * p, round(col) * p, settings.blocks_high * p, settings.blocks_wide * p
        )
        return cls(grid, core, settings.margin_pixels)

    @cached_property
    def window(self) -> PixelWindow:
        """The pixels of the core and its margin."""
        return self.core.buffered(self.margin)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of arrays that cover `window`."""
        return self.window.height, self.window.width

    @property
    def transform(self) -> Affine:
        """GDAL transform of `window`, EPSG:4326."""
        return self.grid.transform(self.window)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(west, south, east, north) of `window`, degrees."""
        return self.grid.window_bounds(self.window)

    @property
    def core_bounds(self) -> tuple[float, float, float, float]:
        """(west, south, east, north) of `core`, degrees."""
        return self.grid.window_bounds(self.core)

    @property
    def core_slices(self) -> tuple[slice, slice]:
        """(rows, columns) of `core` in an array over `window`."""
        return self.core.relative_to(self.window)

    @property
    def pixel_metres(self) -> tuple[float, float]:
        """(east-west, north-south) size of a pixel at the middle of the canvas, metres."""
        _, south, _, north = self.bounds
        return degree_metres((south + north) / 2, self.grid.pixel_degrees)

    def blocks(self) -> list[Block]:
        """All blocks of the core, sorted by row and column."""
        p = self.grid.pixels_per_block
        rows = range(self.core.row // p, (self.core.row + self.core.height) // p)
        cols = range(self.core.col // p, (self.core.col + self.core.width) // p)
        return [Block(r, c) for r in rows for c in cols]

    def block_slices(self, block: Block) -> tuple[slice, slice]:
        """(rows, columns) of a block in an array over `window`."""
        return self.grid.block_window(block).relative_to(self.window)

    def to_pixels(self, lonlat: np.ndarray) -> np.ndarray:
        """(n, 2) longitude and latitude -> (n, 2) x and y in pixels from the corner of `window`."""
        t = self.transform
        return np.column_stack([(lonlat[:, 0] - t.c) / t.a, (lonlat[:, 1] - t.f) / t.e])

    def to_lonlat(self, xy: np.ndarray) -> np.ndarray:
        """(n, 2) x and y in pixels of `window` -> (n, 2) longitude and latitude."""
        t = self.transform
        return np.column_stack([t.c + xy[:, 0] * t.a, t.f + xy[:, 1] * t.e])

    def resample(
        self,
        array: np.ndarray,
        transform: Affine,
        method: Image.Resampling = Image.Resampling.BICUBIC,
    ) -> np.ndarray:
        """A north-up EPSG:4326 array (rows, columns) resampled to `window`, float32."""
        west, south, east, north = self.bounds
        box = (
            (west - transform.c) / transform.a,
            (north - transform.f) / transform.e,
            (east - transform.c) / transform.a,
            (south - transform.f) / transform.e,
        )
        image = Image.fromarray(np.ascontiguousarray(array, dtype=np.float32))
        height, width = self.shape
        return np.asarray(image.resize((width, height), method, box=box))


def degree_metres(lat: float, degrees: float) -> tuple[float, float]:
    """(east-west, north-south) length of `degrees` at a latitude, metres, to about 0.1 %."""
    phi = np.radians(lat)
    north_south = 111_132.95 - 559.85 * np.cos(2 * phi)
    east_west = 111_412.88 * np.cos(phi) - 93.5 * np.cos(3 * phi)
    return float(east_west * degrees), float(north_south * degrees)
