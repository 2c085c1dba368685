"""Imagery of an MBTiles file, sampled on the global pixel grid."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np

from cropbase.webmercator import TileMatrix
from croplayer.grid import BlockGrid, PixelWindow
from croplayer.tiles.coverage import pixel_edges
from croplayer.tiles.datum import wgs84_to_gcj02
from croplayer.tiles.errors import RejectedImageError, TileStoreError
from croplayer.tiles.image import decode_tile
from croplayer.tiles.kernels import Canvas, Method, sample_scattered, sample_separable, taps
from croplayer.tiles.lattice import parts, positions
from croplayer.tiles.ledger import TileReader

_CACHE_BYTES = 64 * 1024 * 1024


class TileImagery:
    """Samples tiles; holds a bounded number of decoded tiles.

    Parameters
    ----------
    reader : the MBTiles file.
    matrix : zoom and tile size.
    datum : wgs84, or gcj02, whose offset is undone.
    """

    def __init__(
        self, reader: TileReader, matrix: TileMatrix, datum: str, grid: BlockGrid, method: Method
    ) -> None:
        self._reader = reader
        self._matrix = matrix
        self._datum = datum
        self._grid = grid
        self._method: Method = method
        self._cache: OrderedDict[tuple[int, int], tuple[np.ndarray, np.ndarray | None] | None]
        self._cache = OrderedDict()
        self._cached = max(16, _CACHE_BYTES // (3 * matrix.tile_pixels**2))

    def sample(self, window: PixelWindow) -> tuple[np.ndarray, np.ndarray]:
        """Imagery of a window of the global grid.

        A pixel is valid if the source pixel under its centre is.

        Returns
        -------
        (rgb, valid) : uint8 (height, width, 3) and bool (height, width); invalid pixels are 0.

        Raises
        ------
        TileStoreError : a tile of the file is no whole image of the expected size.
        """
        rgb = np.zeros((window.height, window.width, 3), np.uint8)
        valid = np.zeros((window.height, window.width), bool)
        _, south, _, north = self._grid.window_bounds(window)
        # Web Mercator pixels shrink towards the poles: take the row with most of them.
        widest = np.cos(np.radians(min(max(abs(south), abs(north)), 85.0)))
        scale = self._matrix.world_pixels / 360.0 * self._grid.pixel_degrees / widest
        for part in parts(window, float(scale)):
            place = part.relative_to(window)
            rgb[place], valid[place] = self._sample(part)
        return rgb, valid

    def _sample(self, window: PixelWindow) -> tuple[np.ndarray, np.ndarray]:
        if self._datum == "gcj02":
            col, row, scale_col, scale_row = positions(self._grid, window, self._locate)
            rows = taps(row, scale_row, self._method)
            cols = taps(col, scale_col, self._method)
            return sample_scattered(self._canvas(*rows.span, *cols.span), rows, cols)
        row = np.arange(window.row, window.row + window.height + 1, dtype=np.int64)
        col = np.arange(window.col, window.col + window.width + 1, dtype=np.int64)
        y_edges = self._matrix.y(pixel_edges(self._grid, rows=row))
        x_edges = self._matrix.x(pixel_edges(self._grid, cols=col))
        y = self._matrix.y(pixel_edges(self._grid, rows=row[:-1] + 0.5))
        x = self._matrix.x(pixel_edges(self._grid, cols=col[:-1] + 0.5))
        rows = taps(y, np.diff(y_edges), self._method)
        cols = taps(x, np.diff(x_edges), self._method)
        return sample_separable(self._canvas(*rows.span, *cols.span), rows, cols)

    def _locate(self, lon: np.ndarray, lat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        shifted_lon, shifted_lat = wgs84_to_gcj02(lon, lat)
        return self._matrix.x(shifted_lon), self._matrix.y(shifted_lat)

    def _canvas(self, top: int, bottom: int, left: int, right: int) -> Canvas:
        """The tiles that hold source rows top ... bottom - 1 and columns left ... right - 1."""
        t = self._matrix.tile_pixels
        first_y, last_y = top // t, (bottom - 1) // t
        first_x, last_x = left // t, (right - 1) // t
        shape = ((last_y - first_y + 1) * t, (last_x - first_x + 1) * t)
        rgb = np.zeros((*shape, 3), np.uint8)
        valid = np.ones(shape, bool)
        whole = True
        for y in range(first_y, last_y + 1):
            for x in range(first_x, last_x + 1):
                place = np.s_[(y - first_y) * t : (y - first_y + 1) * t]
                across = np.s_[(x - first_x) * t : (x - first_x + 1) * t]
                tile = self._tile(x % self._matrix.tiles, y)
                if tile is None:
                    valid[place, across] = False
                    whole = False
                    continue
                rgb[place, across] = tile[0]
                if tile[1] is not None:
                    valid[place, across] = tile[1]
                    whole = False
        return Canvas(first_y * t, first_x * t, rgb, None if whole else valid)

    def _tile(self, x: int, y: int) -> tuple[np.ndarray, np.ndarray | None] | None:
        if not 0 <= y < self._matrix.tiles:
            return None
        place = (x, y)
        if place in self._cache:
            self._cache.move_to_end(place)
            return self._cache[place]
        data = self._reader.read(x, y)
        tile = None
        if data is not None:
            try:
                tile = decode_tile(data, tile_pixels=self._matrix.tile_pixels)
            except RejectedImageError as error:
                raise TileStoreError(
                    f"tile {self._matrix.zoom}/{x}/{y} of {self._reader.path} cannot be used",
                    given=error,
                    remedy="check zoom and tile_pixels of the source; delete the file to fetch "
                    "its tiles anew",
                ) from None
        self._cache[place] = tile
        while len(self._cache) > self._cached:
            self._cache.popitem(last=False)
        return tile
