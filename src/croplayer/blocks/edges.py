"""Boundary pixels of a mask, and the edge density of a block (paper, Eq. 5)."""

from __future__ import annotations

import numba
import numpy as np


def edge_density(cropland: np.ndarray, valid: np.ndarray) -> float:
    """Boundary pixels divided by valid pixels (paper, Eq. 5); NaN where nothing is valid.

    Parameters
    ----------
    cropland, valid : (rows, columns) bool; cropland lies inside valid.
    """
    total = int(np.count_nonzero(valid))
    return edge_pixels(cropland, valid) / total if total else float("nan")


def edge_pixels(cropland: np.ndarray, valid: np.ndarray) -> int:
    """Boundary pixels: cropland with a 4-neighbour that is valid and not cropland.

    Parameters
    ----------
    cropland, valid : (rows, columns) bool; cropland lies inside valid. What lies outside the
        array is not valid.

    Raises ValueError if the arrays are not two-dimensional and of one shape.
    """
    cropland = np.ascontiguousarray(cropland, dtype=bool)
    valid = np.ascontiguousarray(valid, dtype=bool)
    if cropland.ndim != 2 or cropland.shape != valid.shape:
        raise ValueError(
            f"masks have rows and columns, and one shape: not {cropland.shape} and {valid.shape}"
        )
    return int(_edge_pixels(cropland.view(np.uint8), valid.view(np.uint8)))


@numba.njit(cache=True, nogil=True)
def _edge_pixels(crop, valid):  # pragma: no cover - compiled
    rows, cols = crop.shape
    total = 0
    for r in range(rows):
        # Beyond the array stands the pixel itself: being cropland, it makes no boundary.
        up, down = max(r - 1, 0), min(r + 1, rows - 1)
        for c in range(cols):
            west, east = max(c - 1, 0), min(c + 1, cols - 1)
            total += crop[r, c] & (
                (valid[up, c] & (crop[up, c] ^ 1))
                | (valid[down, c] & (crop[down, c] ^ 1))
                | (valid[r, west] & (crop[r, west] ^ 1))
                | (valid[r, east] & (crop[r, east] ^ 1))
            )
    return total
