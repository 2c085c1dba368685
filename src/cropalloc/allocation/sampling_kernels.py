"""Compiled passes over the cells for samples of them, and for the number of uses in a box.

Arguments as in `kernels`.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from cropalloc.allocation.open_parcels import candidates
from cropalloc.allocation.scores import BLOCK, load


@njit(cache=True)
def count_candidates(scores, leaf, irrigated, dry, box, most):
    """Candidates of all open parcels; the count ends where it is above `most`."""
    n, m = len(leaf), len(scores.rows)
    block = np.empty((BLOCK, m), dtype=np.float32)
    out, worth = np.empty(m), np.empty(m)
    kind = np.empty(m, dtype=np.int64)
    total = 0
    for begin in range(0, n, BLOCK):
        size = min(BLOCK, n - begin)
        load(scores, begin, size, 1, block)
        for t in range(size):
            i = begin + t
            for column in range(2):
                if (irrigated[i] if column == 0 else dry[i]) <= 0:
                    continue
                found, better, _ = candidates(block[t], leaf[i], column == 0, box, out, kind, worth)
                if found > 1 or (found == 1 and not better):
                    total += found
        if total > most:
            break
    return total


@njit(cache=True)
def rarity(scores, leaf, irrigated, dry, allowed, n_rainfed):
    """(n,) float32: one over the cells that may have the rarest activity that the cell may have.

    Cells and activities of a leaf; zero where there is no land.
    """
    n, m = len(leaf), len(scores.rows)
    count = np.zeros(allowed.shape, dtype=np.int64)
    rate = np.zeros(n, dtype=np.float32)
    block = np.empty((BLOCK, m), dtype=np.float32)
    for turn in range(2):
        for begin in range(0, n, BLOCK):
            size = min(BLOCK, n - begin)
            load(scores, begin, size, 1, block)
            for t in range(size):
                i = begin + t
                c = leaf[i]
                if irrigated[i] <= 0 and dry[i] <= 0:
                    continue
                for k in range(m if irrigated[i] > 0 else n_rainfed):
                    if allowed[c, k] and block[t, k] > -np.inf:
                        if turn == 0:
                            count[c, k] += 1
                        else:
                            rate[i] = max(rate[i], np.float32(1.0 / count[c, k]))
    return rate


@njit(cache=True)
def at_equal_steps(leaf, rate, factor, n_leaves):
    """(k,) int64: cells at which the sum, in their leaf, of their chance passes a whole number.

    The chance is `factor` times `rate`, one at most.
    """
    summed = np.full(n_leaves, 0.5)
    taken = np.zeros(len(leaf), dtype=np.bool_)
    for i in range(len(leaf)):
        if rate[i] > 0:
            summed[leaf[i]] += min(factor * rate[i], 1.0)
            taken[i] = summed[leaf[i]] >= 1.0
            summed[leaf[i]] -= taken[i]
    return np.flatnonzero(taken)
