"""Prices that prove an allocation to leave the least shortage, from that allocation itself.

By complementary slackness, prices of the first stage are optimal if land is worth as much in the
uses it has as in any other that it could have, and a statistic that lacks hectares has the price
-1. That is a word on pairs of activities in a leaf, whatever the number of cells: if some cell of a
leaf has activity k and could have j, the first price of j is no lower than that of k. Where this
goes both ways the prices are equal, so that few rows are left. A linear programme of these rows has
a solution if, and only if, no allocation leaves less shortage.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from scipy.sparse import csc_array

from cropalloc.allocation.compiled import Compiled, Finish
from cropalloc.allocation.limits import ConvergenceError, Limits
from cropalloc.allocation.programme import equations, solve_equations
from cropalloc.allocation.scores import BLOCK, load

ROUNDING = 1e-9  # of a statistic, a use below which is none
LEFT = 1e-10  # of land, idle beyond which it is


def first_prices(
    compiled: Compiled, end: Finish, otherwise: np.ndarray, limits: Limits
) -> np.ndarray:
    """Prices (d,), -1 or more, of a first stage of which the allocation `end` is the optimum.

    If there are none, less shortage is possible, and `otherwise` (d,) is returned. What is known of
    hectares in the order of rounding may be wrong: only `least_shortage` makes a proof of prices.
    """
    c = compiled
    smallest = np.where(c.owner >= 0, c.area[c.owner], np.inf).min(axis=2)
    could = exchanges(
        c.scores, c.leaf, c.irrigated, c.dry, c.allowed, c.n_rainfed, end.cell, end.activity,
        end.hectares, ROUNDING * smallest,
    )  # fmt: skip
    matrix, right = _matrix(c, *rows_of(could))
    most = np.full(matrix.shape[1], np.inf)
    most[: c.n_demands][c.is_short(end.shortage)] = 0.0
    programme = equations(matrix, np.zeros(len(most)), most, right)
    try:
        found, _, _ = solve_equations(programme, matrix, limits, sharpen=False)
    except ConvergenceError:
        return otherwise
    return np.maximum(found[: c.n_demands], 0.0) - 1.0


def _matrix(
    compiled: Compiled, leaf: np.ndarray, lower: np.ndarray, upper: np.ndarray, equal: np.ndarray
) -> tuple[csc_array, np.ndarray]:
    """The rows as equations: their matrix, and their right side (r,).

    Columns are how far the price of each statistic is above -1, and then by how much the price of
    the upper activity is above that of the lower one, where they need not be equal.
    """
    d, m = compiled.n_demands, compiled.weight.shape[1]
    free = np.flatnonzero(~equal)
    rows, columns, values = [free], [d + np.arange(len(free))], [np.ones(len(free))]
    right = np.zeros(len(leaf))
    for sign, activity in ((1.0, lower), (-1.0, upper)):
        at = np.flatnonzero(activity < m)  # the price of idle land is zero
        for q in range(compiled.owner.shape[2]):
            owner = compiled.owner[leaf[at], activity[at], q]
            coefficient = sign * compiled.coefficient[leaf[at], activity[at], q]
            here = owner >= 0
            rows.append(at[here])
            columns.append(owner[here])
            values.append(coefficient[here])
            right[at] += coefficient
    entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    return csc_array(entries, shape=(len(leaf), d + len(free))), right


@njit(cache=True)
def exchanges(
    scores, leaf, irrigated, dry, allowed, n_rainfed, cell, activity, hectares, least
):  # fmt: skip
    """(leaves, m + 1, m + 1) bool: whether land used for k, in some cell, could be used for j.

    Place m is land left idle. Uses `cell`, `activity`, `hectares` are sorted by cell; those below
    `least` (leaves, m) hectares do not count.
    """
    n, m = len(leaf), len(scores.rows)
    could = np.zeros((len(allowed), m + 1, m + 1), dtype=np.bool_)
    block = np.empty((BLOCK, m), dtype=np.float32)
    r = 0
    for begin in range(0, n, BLOCK):
        size = min(BLOCK, n - begin)
        load(scores, begin, size, 1, block)
        for t in range(size):
            i = begin + t
            c = leaf[i]
            first_use = r
            used = 0.0
            used_wet = 0.0
            while r < len(cell) and cell[r] == i:
                used += hectares[r]
                if activity[r] >= n_rainfed:
                    used_wet += hectares[r]
                r += 1
            land = irrigated[i] + dry[i]
            if land <= 0:
                continue
            wet_is_free = irrigated[i] - used_wet > LEFT * irrigated[i]
            for u in range(first_use, r + 1):
                if u == r:
                    if not land - used > LEFT * land:
                        continue
                    k = m
                else:
                    k = np.int64(activity[u])
                    if hectares[u] <= least[c, k]:
                        continue
                is_wet = n_rainfed <= k < m
                for j in range(m if is_wet or wet_is_free else n_rainfed):
                    if allowed[c, j] and block[t, j] > -np.inf:
                        could[c, k, j] = True
                could[c, k, m] = True
    return could


@njit(cache=True)
def rows_of(could):
    """Fewest rows that say the same: leaf, lower and upper activity (r,), and if they are equal.

    The price of the lower one is no higher than that of the upper one. `could` is overwritten.
    """
    leaves, size = could.shape[0], could.shape[1]
    rows = [(np.int64(0), np.int64(0), np.int64(0), False) for _ in range(0)]  # none, of this type
    chief = np.empty(size, dtype=np.int64)
    for c in range(leaves):
        reach = could[c]
        for via in range(size):
            for a in range(size):
                if reach[a, via]:
                    for b in range(size):
                        if reach[via, b]:
                            reach[a, b] = True
        for a in range(size):
            chief[a] = a
            for b in range(a):
                if reach[a, b] and reach[b, a]:
                    chief[a] = b
                    rows.append((c, a, b, True))
                    break
        for a in range(size):
            for b in range(size):
                if a == b or chief[a] != a or chief[b] != b or not reach[a, b]:
                    continue
                between = False
                for via in range(size):
                    if via != a and via != b and chief[via] == via:
                        between = between or (reach[a, via] and reach[via, b])
                if not between:
                    rows.append((c, a, b, False))
    leaf = np.empty(len(rows), dtype=np.int64)
    lower, upper = np.empty_like(leaf), np.empty_like(leaf)
    equal = np.empty(len(rows), dtype=np.bool_)
    for x in range(len(rows)):
        leaf[x], lower[x], upper[x], equal[x] = rows[x]
    return leaf, lower, upper, equal
