"""Compiled loops over the uses of a finished box: they are written once, sorted, without copies."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def _uses_of_cell(
    i, p, choice, irrigated, dry, parcel, row, start, activity, flow, whole, amount, kinds
):  # fmt: skip
    """Hectares a use of one cell into `amount` (all zero before), what is used into `kinds`.

    `p` is the first open parcel not yet looked at. Returns the number of uses and the next `p`.
    """
    found = 0
    for column in range(2):
        area = irrigated[i] if column == 0 else dry[i]
        k = choice[i, column]
        if k >= 0:
            if amount[k] == 0.0:
                kinds[found] = k
                found += 1
            amount[k] += area
        elif p < len(parcel) and parcel[p] == 2 * i + column:
            r = row[p]
            for q in range(start[r], start[r + 1]):
                hectares = flow[q] * (area / whole[r])
                if hectares > 0.0:
                    k = activity[q]
                    if amount[k] == 0.0:
                        kinds[found] = k
                        found += 1
                    amount[k] += hectares
            p += 1
    return found, p


@njit(cache=True)
def collect(choice, irrigated, dry, parcel, row, start, activity, flow, whole, rank):
    """Uses of settled and open parcels: cell int32, activity int16, hectares, above zero.

    `flow` (c,) hectares of the candidates of each row go to its parcels in proportion to their
    area, of which the row has `whole` (r,). Sorted by cell, then by `rank` (m,) of the activity.
    """
    n, m = len(choice), len(rank)
    amount = np.zeros(m)
    kinds = np.empty(m, dtype=np.int64)
    total = 0
    p = 0
    for i in range(n):
        found, p = _uses_of_cell(
            i, p, choice, irrigated, dry, parcel, row, start, activity, flow, whole, amount, kinds
        )
        total += found
        for a in range(found):
            amount[kinds[a]] = 0.0
    cell = np.empty(total, dtype=np.int32)
    kind = np.empty(total, dtype=np.int16)
    hectares = np.empty(total)
    at = 0
    p = 0
    for i in range(n):
        found, p = _uses_of_cell(
            i, p, choice, irrigated, dry, parcel, row, start, activity, flow, whole, amount, kinds
        )
        for a in range(1, found):  # a handful: sorted by insertion
            k = kinds[a]
            b = a - 1
            while b >= 0 and rank[kinds[b]] > rank[k]:
                kinds[b + 1] = kinds[b]
                b -= 1
            kinds[b + 1] = k
        for a in range(found):
            cell[at] = i
            kind[at] = kinds[a]
            hectares[at] = amount[kinds[a]]
            amount[kinds[a]] = 0.0
            at += 1
    return cell, kind, hectares


@njit(cache=True)
def used_by(leaf, cell, activity, hectares, shape):
    """(leaves, m): hectares of uses."""
    used = np.zeros(shape)
    for r in range(len(cell)):
        used[leaf[cell[r]], activity[r]] += hectares[r]
    return used


@njit(cache=True)
def take_back(leaf, cell, activity, hectares, part):
    """Hectares times `part` (leaves, m) of their leaf and activity."""
    left = np.empty(len(hectares))
    for r in range(len(cell)):
        left[r] = hectares[r] * part[leaf[cell[r]], activity[r]]
    return left


@njit(cache=True)
def score_of(scores, leaf, weight, cell, activity, hectares):
    """Sum of score x weight x hectares, with compensated summation."""
    total = 0.0
    carry = 0.0
    for r in range(len(cell)):
        points = scores.values[scores.rows[activity[r]], cell[r]]
        y = points * weight[leaf[cell[r]], activity[r]] * hectares[r] - carry
        s = total + y
        carry = (s - total) - y
        total = s
    return total


@njit(cache=True)
def beyond(cell, activity, hectares, counts, land):
    """(n,): hectares of the activities that count (m,) beyond the land of each cell (n,)."""
    over = np.zeros(len(land))
    for r in range(len(cell)):
        if counts[activity[r]]:
            over[cell[r]] += hectares[r]
    for i in range(len(land)):
        over[i] -= land[i]
        if over[i] <= 1e-12 * max(land[i], 1e-3):  # rounding
            over[i] = 0.0
    return over
