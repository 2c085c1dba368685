"""What is measured of one block: agreement, area fraction, edge density, deviation."""

from __future__ import annotations

from itertools import product

import numpy as np

from croplayer.blocks.edges import edge_density
from croplayer.comparison.codes import IN, KNOWN, STRANGE, UNCLEAR

CROPLAND, NOT_CROPLAND, UNKNOWN = 1, 0, 2
"""States of the final map's pixel."""
STATES = STRANGE + 1
THIN = 4
"""Every fourth row is enough to tell in which direction a product lies off."""
READINGS = {"strict": (IN,), "lenient": (IN, UNCLEAR)}
"""Which states of a product count as cropland."""


def tabulate(
    ours: np.ndarray, states: np.ndarray, inside: np.ndarray, row_ha: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels and hectares of every pair of the final map's and the product's state.

    Parameters
    ----------
    ours : (rows, columns) uint8: 0 not cropland, 1 cropland, anything else unknown.
    states : (rows, columns) uint8, states of `croplayer.comparison.codes`.
    inside : (rows, columns) bool, pixels of the province.
    row_ha : (rows,) float64, hectares of a pixel of each row.

    Returns (3, 5) int64 pixels and (3, 5) float64 hectares, [state of the final map, state of the
    product].
    """
    size = 3 * STATES
    joint = np.minimum(ours, UNKNOWN).astype(np.uint8) * STATES + states
    joint[~inside] = size
    wide = joint.astype(np.int64)
    wide += (np.arange(len(ours)) * (size + 1))[:, None]
    counts = np.bincount(wide.ravel(), minlength=len(ours) * (size + 1))
    counts = counts.reshape(len(ours), size + 1)[:, :size]
    shape = (3, STATES)
    return counts.sum(axis=0).reshape(shape), (row_ha @ counts).reshape(shape)


def structure(cropland: np.ndarray, valid: np.ndarray) -> tuple[float, float]:
    """(area fraction, edge density) of a block (Eq. 5): cropland pixels, and boundary pixels,
    divided by the valid pixels; NaN where there are none."""
    total = np.count_nonzero(valid)
    fraction = np.count_nonzero(cropland) / total if total else float("nan")
    return fraction, edge_density(cropland, valid)


def deviation(target: np.ndarray, ours: np.ndarray) -> np.ndarray:
    """Div = (T - C) / C of Eq. 6, element by element; NaN where C is 0 or anything is missing."""
    target, ours = np.asarray(target, dtype=np.float64), np.asarray(ours, dtype=np.float64)
    out = np.full(np.broadcast_shapes(target.shape, ours.shape), np.nan)
    return np.divide(target - ours, ours, out=out, where=ours > 0)


def best_shift(
    ours: np.ndarray, theirs: np.ndarray, valid: np.ndarray, step: tuple[int, int]
) -> tuple[int, int]:
    """By how many of its pixels the product would have to move to agree best with the final map.

    Parameters
    ----------
    ours, theirs, valid : (rows, columns) bool; cropland, and where both are known.
    step : rows and columns of the map that a pixel of the product spans.

    Returns (down, right), each -1, 0 or 1: (0, 0) unless another place has a greater IoU.
    """
    best, greatest = (0, 0), _iou_moved(ours, theirs, valid, 0, 0)
    for down, right in product((-1, 0, 1), repeat=2):
        iou = _iou_moved(ours, theirs, valid, down * step[0], right * step[1])
        if iou > greatest:
            best, greatest = (down, right), iou
    return best


def _iou_moved(ours, theirs, valid, rows: int, cols: int) -> float:
    """IoU of `ours` with `theirs` moved down and right, over the ground that both still cover."""
    (top, top_moved), (left, left_moved) = _overlap(len(ours), rows), _overlap(ours.shape[1], cols)
    at = (slice(top.start, top.stop, THIN), left)
    moved = (slice(top_moved.start, top_moved.stop, THIN), left_moved)
    known = valid[at] & valid[moved]
    a, b = ours[at] & known, theirs[moved] & known
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else 0.0


def _overlap(size: int, move: int) -> tuple[slice, slice]:
    """(slice of the fixed axis, slice of the moved axis) that lie on each other."""
    if move >= 0:
        return slice(move, size), slice(0, size - move)
    return slice(0, size + move), slice(-move, size)


def readings(unclear: bool) -> tuple[str, ...]:
    """The readings of a product; without unclear classes all are the strict one."""
    return tuple(READINGS) if unclear else ("strict",)


def readings_of(states: np.ndarray) -> dict[str, np.ndarray]:
    """reading -> (rows, columns) bool, cropland of the product by that reading."""
    return {name: np.isin(states, counted) for name, counted in READINGS.items()}


def known(ours: np.ndarray, states: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """(rows, columns) bool: pixels of the province that both maps say something about."""
    return inside & (ours < UNKNOWN) & (states < KNOWN)
