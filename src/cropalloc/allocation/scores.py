"""The scores where they lie: the solver reads the problem's own array, a block of cells at a time.

Scores are by far the largest thing that a problem has. A copy in the solver's order would double
its memory; so blocks are turned (cells outside, activities inside) while they pass through the
processor's cache.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

BLOCK = 64  # cells turned at a time: with 48 activities, 12 KiB of the first cache


class Scores(NamedTuple):
    """Scores of a problem, activities in the solver's order.

    Fields
    ------
    values : (activities, n) float32, those of the problem; NaN where never allowed.
    rows : (m,) int64, row of `values` of each activity of the solver.
    """

    values: np.ndarray
    rows: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        """(cells, activities)."""
        return self.values.shape[1], len(self.rows)

    def at(self, cell: np.ndarray, activity: np.ndarray) -> np.ndarray:
        """Scores of uses that are allowed, float64."""
        return self.values[self.rows[activity], cell].astype(np.float64)


@njit(cache=True)
def load(scores, begin, count, step, block):
    """Fill rows of `block` (BLOCK, m) with cells `begin`, `begin + step`, ...; -inf: never."""
    for k in range(len(scores.rows)):
        row = scores.rows[k]
        for t in range(count):
            value = scores.values[row, begin + t * step]
            if np.isnan(value):
                block[t, k] = -np.inf
            else:
                block[t, k] = value


@njit(cache=True)
def best_scores(scores, leaf, irrigated, dry, n_leaves):
    """(leaves, m): greatest score among cells with land (-inf: none), and its cell (-1: none)."""
    n = scores.values.shape[1]
    m = len(scores.rows)
    best = np.full((n_leaves, m), -np.inf)
    cell = np.full((n_leaves, m), -1, dtype=np.int64)
    for k in range(m):
        for i in range(n):
            value = scores.values[scores.rows[k], i]
            # Not a number is never greater.
            if value > best[leaf[i], k] and (irrigated[i] > 0 or dry[i] > 0):
                best[leaf[i], k] = value
                cell[leaf[i], k] = i
    return best, cell
