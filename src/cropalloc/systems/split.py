"""Splitting an area into systems without losing a part of it."""

from __future__ import annotations

import numpy as np


def split_exactly(total: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Split areas by shares so that the parts sum to the area exactly, in whatever order.

    Parameters
    ----------
    total : (n,) float64, hectares, >= 0.
    shares : (n, k) float64, >= 0; each row sums to 1 but for rounding.

    Returns
    -------
    (n, k) float64, hectares. All but the largest part of a row are rounded to a multiple of the
    spacing of floating-point numbers at `total` (2e-9 ha at 10 million ha) and the largest takes
    what is left; every partial sum is then a number that float64 holds, so no sum rounds.
    """
    total = np.asarray(total, dtype=np.float64)
    shares = np.asarray(shares, dtype=np.float64)
    quantum = np.spacing(np.where(total > 0, total, 1.0))[:, None]
    parts = np.rint(shares * total[:, None] / quantum) * quantum
    largest = np.argmax(shares, axis=1)
    index = np.arange(len(total))
    parts[index, largest] = 0.0
    parts[index, largest] = total - parts.sum(axis=1)
    return parts
