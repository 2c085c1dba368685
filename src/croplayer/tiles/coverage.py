"""Which tiles a shard needs: those under its blocks and their halo."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np

from cropbase.errors import InputError
from cropbase.webmercator import TileMatrix
from croplayer.grid import Block, BlockGrid
from croplayer.settings.sources import MbtilesSource, RasterSource, XyzSource
from croplayer.tiles.datum import wgs84_to_gcj02

_SAMPLES = 9
"""Positions along an edge of a block at which the offset of GCJ-02 is evaluated; between them it
departs from a straight line by less than a pixel, which `_GCJ_PAD` covers."""
_GCJ_PAD = 3.0


def covering_tiles(
    matrix: TileMatrix, datum: str, grid: BlockGrid, blocks: Sequence[Block], halo_pixels: int
) -> tuple[np.ndarray, np.ndarray]:
    """Tiles under the blocks, their halo and the reach of the widest resampling kernel.

    Parameters
    ----------
    matrix : zoom and tile size.
    datum : wgs84 or gcj02 (the tiles are then those at the shifted position).
    halo_pixels : pixels of the global grid around each block.

    Returns
    -------
    (x, y) int64 arrays of one length, sorted by row and then by column, each tile once.
    Tiles beyond the poles are left out; columns wrap round the antimeridian.

    Raises
    ------
    InputError : no block is given.
    """
    if not blocks:
        raise InputError("no blocks are given to cover with tiles")
    left, top, right, bottom = _pixel_extents(matrix, datum, grid, blocks, halo_pixels)
    t = matrix.tile_pixels
    first_x = np.floor(left / t).astype(np.int64)
    last_x = np.floor(right / t).astype(np.int64)
    first_y = np.clip(np.floor(top / t), 0, matrix.tiles - 1).astype(np.int64)
    last_y = np.clip(np.floor(bottom / t), 0, matrix.tiles - 1).astype(np.int64)
    x0, y0 = int(first_x.min()), int(first_y.min())
    needed = np.zeros((int(last_y.max()) - y0 + 1, int(last_x.max()) - x0 + 1), dtype=bool)
    for a, b, c, d in zip(first_y - y0, last_y - y0, first_x - x0, last_x - x0, strict=True):
        needed[a : b + 1, c : d + 1] = True
    rows, cols = np.nonzero(needed)
    ys, xs = rows + y0, (cols + x0) % matrix.tiles
    if x0 < 0 or int(last_x.max()) >= matrix.tiles:
        ys, xs = np.unique(np.stack([ys, xs], axis=1), axis=0).T
    return xs.astype(np.int64), ys.astype(np.int64)


def count_tiles(
    source: XyzSource | RasterSource | MbtilesSource,
    grid: BlockGrid,
    blocks: Sequence[Block],
    halo_pixels: int,
) -> int:
    """Tiles that `fetch_tiles` would ask for; 0 for a source that is already on disk."""
    if not isinstance(source, XyzSource):
        return 0
    matrix = TileMatrix(source.zoom, source.tile_pixels)
    return len(covering_tiles(matrix, source.datum, grid, blocks, halo_pixels)[0])


def pixel_edges(
    grid: BlockGrid, rows: np.ndarray | None = None, cols: np.ndarray | None = None
) -> np.ndarray:
    """Latitudes of the north edges of pixel `rows`, or longitudes of the west edges of `cols`.

    Reckoned from whole numbers, so a pixel has the same edge whatever window it is asked in. Half
    numbers give centres. float64, degrees.
    """
    per = 100 * grid.pixels_per_block
    if rows is not None:
        return (90 * per - rows * grid.block_hundredths) / per
    return (cols * grid.block_hundredths - 180 * per) / per


def _pixel_extents(
    matrix: TileMatrix, datum: str, grid: BlockGrid, blocks: Sequence[Block], halo_pixels: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(left, top, right, bottom) a block in world pixels, kernel reach included."""
    size = grid.pixels_per_block
    top_rows = np.array([block.row * size - halo_pixels for block in blocks], dtype=np.int64)
    left_cols = np.array([block.col * size - halo_pixels for block in blocks], dtype=np.int64)
    span = size + 2 * halo_pixels
    if datum == "wgs84":
        left = matrix.x(pixel_edges(grid, cols=left_cols))
        right = matrix.x(pixel_edges(grid, cols=left_cols + span))
        top = matrix.y(pixel_edges(grid, rows=top_rows))
        bottom = matrix.y(pixel_edges(grid, rows=top_rows + span))
        pad = 0.0
    else:
        steps = np.linspace(0.0, span, _SAMPLES)
        lons = pixel_edges(grid, cols=left_cols[:, None] + steps)[:, None, :]
        lats = pixel_edges(grid, rows=top_rows[:, None] + steps)[:, :, None]
        shifted_lon, shifted_lat = wgs84_to_gcj02(lons, lats)
        xs, ys = matrix.x(shifted_lon), matrix.y(shifted_lat)
        left, right = xs.min(axis=(1, 2)), xs.max(axis=(1, 2))
        top, bottom = ys.min(axis=(1, 2)), ys.max(axis=(1, 2))
        pad = _GCJ_PAD
    # The widest kernel (cubic) reaches two pixels of the coarser of the two grids.
    reach_x = 2 * max(1, ceil(float(np.max(right - left)) / span)) + 1 + pad
    reach_y = 2 * max(1, ceil(float(np.max(bottom - top)) / span)) + 1 + pad
    return left - reach_x, top - reach_y, right + reach_x, bottom + reach_y
