"""Source positions of grid pixels where rows and columns do not separate (GCJ-02, map projections).

Positions are exact on a lattice of the global pixel grid and bilinear between: the lattice is that
of the globe and not of the window, so a pixel has one position whatever window it is asked in. A
lattice step is some 70 m, over which the offset of GCJ-02 and map projections depart from a
straight line by less than a thousandth of a pixel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from croplayer.grid import BlockGrid, PixelWindow
from croplayer.tiles.coverage import pixel_edges

STEP = 32
"""Pixels of the global grid between two nodes."""

Locate = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""(lon, lat) in degrees to (column, row) in source pixels; not finite where there is none."""


def positions(
    grid: BlockGrid, window: PixelWindow, locate: Locate
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Source positions of the pixel centres of a window, and how many source pixels each spans.

    Returns
    -------
    (col, row, scale_col, scale_row) : float64 (height, width). Where `locate` knows no position
        col and row are -1e9, outside of every source.
    """
    row_node, row_part = _nodes(window.row, window.height)
    col_node, col_part = _nodes(window.col, window.width)
    first_row, first_col = int(row_node[0]), int(col_node[0])
    rows = np.arange(first_row, int(row_node[-1]) + 2, dtype=np.int64) * STEP
    cols = np.arange(first_col, int(col_node[-1]) + 2, dtype=np.int64) * STEP
    lons, lats = np.meshgrid(pixel_edges(grid, cols=cols), pixel_edges(grid, rows=rows))
    node_col, node_row = locate(lons, lats)
    i, j = row_node - first_row, col_node - first_col
    col, scale_col = _between(node_col, i, j, row_part, col_part)
    row, scale_row = _between(node_row, i, j, row_part, col_part)
    lost = ~(np.isfinite(col) & np.isfinite(row))
    if lost.any():
        for array, value in ((col, -1e9), (row, -1e9), (scale_col, 1.0), (scale_row, 1.0)):
            array[lost] = value
    return col, row, scale_col, scale_row


def parts(window: PixelWindow, scale: float) -> Iterator[PixelWindow]:
    """Pieces of a window, small enough that their sources take no more memory than at scale 2.

    Parameters
    ----------
    scale : source pixels a grid pixel, about.
    """
    edge = 1024
    while edge * scale > 2048 and edge > 32:
        edge //= 2
    for row in range(0, window.height, edge):
        for col in range(0, window.width, edge):
            yield PixelWindow(
                window.row + row,
                window.col + col,
                min(edge, window.height - row),
                min(edge, window.width - col),
            )


def _nodes(start: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Node before each pixel centre, and the centre's way from it to the next one (0 to 1)."""
    pixels = start + np.arange(count, dtype=np.int64)
    node = pixels // STEP
    return node, (pixels - node * STEP + 0.5) / STEP


def _between(
    nodes: np.ndarray, i: np.ndarray, j: np.ndarray, u: np.ndarray, v: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Bilinear values between nodes, and the extent along this source axis of one grid pixel."""
    a, b = nodes[np.ix_(i, j)], nodes[np.ix_(i, j + 1)]
    c, d = nodes[np.ix_(i + 1, j)], nodes[np.ix_(i + 1, j + 1)]
    u, v = u[:, None], v[None, :]
    upper, lower = a + (b - a) * v, c + (d - c) * v
    down = (c - a) / STEP
    right = (b - a) / STEP
    return upper + (lower - upper) * u, np.hypot(down, right)
