"""Slope, terrain ruggedness and roughness of elevation arrays, equal to gdaldem's.

A cell's value needs its whole 3 x 3 neighbourhood: where one of the nine cells is missing or
outside the array the value is missing, which is what gdaldem does without `-compute_edges`.
Missing is NaN throughout; an infinite elevation is missing too.
"""

from __future__ import annotations

import numpy as np

_NEIGHBOURS = [(r, c) for r in range(3) for c in range(3) if (r, c) != (1, 1)]


def slope_degrees(
    elevation: np.ndarray, cell_x_m: float | np.ndarray, cell_y_m: float | np.ndarray
) -> np.ndarray:
    """Slope by Horn's 3 x 3 weights (Horn 1981), as `gdaldem slope`.

    Parameters
    ----------
    elevation : (rows, columns) metres, NaN where missing.
    cell_x_m, cell_y_m : size of a cell on the ground in metres, one number or one a row (rows,);
        the sign (row direction) does not matter.

    Returns
    -------
    (rows, columns) float64 degrees, 0 to 90; NaN where the neighbourhood is incomplete.
    """
    w = _windows(elevation)
    size_x, size_y = _per_row(cell_x_m, elevation), _per_row(cell_y_m, elevation)
    dx = (w(0, 0) + 2 * w(1, 0) + w(2, 0)) - (w(0, 2) + 2 * w(1, 2) + w(2, 2))
    dy = (w(2, 0) + 2 * w(2, 1) + w(2, 2)) - (w(0, 0) + 2 * w(0, 1) + w(0, 2))
    slope = np.degrees(np.arctan(np.hypot(dx / (8 * size_x), dy / (8 * size_y))))
    # Horn's weights leave the centre out, but a missing cell has no slope.
    return _framed(np.where(np.isnan(w(1, 1)), np.nan, slope))


def ruggedness_m(elevation: np.ndarray, formula: str = "riley") -> np.ndarray:
    """Terrain ruggedness index (TRI) of the 3 x 3 neighbourhood, as `gdaldem TRI`.

    `riley`: root of the sum of squared differences to the eight neighbours (Riley et al. 1999).
    `wilson`: mean absolute difference to them (Wilson et al. 2007).

    Parameters: elevation (rows, columns) metres, NaN where missing. Returns (rows, columns)
    float64 metres, NaN where the neighbourhood is incomplete.
    """
    w = _windows(elevation)
    centre = w(1, 1)
    if formula == "riley":
        value = np.sqrt(sum((w(r, c) - centre) ** 2 for r, c in _NEIGHBOURS))
    elif formula == "wilson":
        value = sum(np.abs(w(r, c) - centre) for r, c in _NEIGHBOURS) / 8
    else:
        raise ValueError(f"unknown formula {formula!r}: riley or wilson")
    return _framed(value)


def roughness_m(elevation: np.ndarray) -> np.ndarray:
    """Largest less smallest elevation of the 3 x 3 neighbourhood, as `gdaldem roughness`.

    Parameters: elevation (rows, columns) metres, NaN where missing. Returns (rows, columns)
    float64 metres, NaN where the neighbourhood is incomplete.
    """
    w = _windows(elevation)
    highest, lowest = w(1, 1), w(1, 1)
    for r, c in _NEIGHBOURS:
        # np.maximum and np.minimum hand NaN on: one missing neighbour makes the value missing.
        highest, lowest = np.maximum(highest, w(r, c)), np.minimum(lowest, w(r, c))
    return _framed(highest - lowest)


def _windows(elevation: np.ndarray):
    """w(r, c): view of the inner cells' neighbour in row r, column c of their 3 x 3 window."""
    array = np.asarray(elevation, dtype=np.float64)
    if array.ndim != 2 or min(array.shape) < 3:
        raise ValueError(f"elevation must have at least 3 x 3 cells, has {array.shape}")
    array = np.where(np.isfinite(array), array, np.nan)
    rows, cols = array.shape[0] - 2, array.shape[1] - 2

    def view(r: int, c: int) -> np.ndarray:
        return array[r : r + rows, c : c + cols]

    return view


def _per_row(size_m: float | np.ndarray, elevation: np.ndarray) -> float | np.ndarray:
    """Cell sizes shaped to divide the inner cells."""
    size = np.abs(np.asarray(size_m, dtype=np.float64))
    return size if size.ndim == 0 else size[1 : elevation.shape[0] - 1, None]


def _framed(inner: np.ndarray) -> np.ndarray:
    """The inner cells' values in a frame of missing cells."""
    return np.pad(inner, 1, constant_values=np.nan)
