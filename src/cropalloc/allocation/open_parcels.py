"""Compiled search for parcels whose use is open while prices move in a box, and what they may be.

Arguments as in `kernels`, prices in a `BoxPrices`. A parcel is 2 x cell (irrigated) or 2 x cell + 1
(dry). Alike parcels (same leaf, same candidates of the same
worths) share one row, which keeps ties from making the finishing model large, and memory with it:
candidates are kept a row.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from cropalloc.allocation.kernels import nets
from cropalloc.allocation.scores import BLOCK, load

IDLE, NO_LAND, OPEN = -1, -2, -3


class BoxPrices(NamedTuple):
    """What decides on the use of a parcel: the prices, and what they are compared with.

    As in `kernels`; `reach` (l, m) is how far the price of each activity may move.
    """

    weight: np.ndarray
    price: np.ndarray
    first: np.ndarray
    reach: np.ndarray
    n_rainfed: int
    land_penalty: float


@njit(cache=True)
def candidates(score, c, wet, box, out, kind, worth):
    """Uses that may be best, into `kind` and `worth`.

    Returns their number, whether one of them is always better than idling, and whether idling is a
    candidate.
    """
    count, _, rest = nets(
        score, box.weight[c], box.price[c], box.first, c, box.n_rainfed, box.land_penalty, wet, out
    )
    floor = rest
    for k in range(count):
        low = out[k] - box.reach[c, k]
        if low > floor:
            floor = low
    found = 0
    for k in range(count):
        if out[k] > -np.inf and out[k] + box.reach[c, k] >= floor:
            kind[found] = k
            value = score[k] * box.weight[c, k]
            if not wet and k >= box.n_rainfed:
                value -= box.land_penalty
            worth[found] = value
            found += 1
    return found, floor > rest, rest == 0.0 and floor <= 0.0


@njit(cache=True)
def settle(scores, leaf, irrigated, dry, box):
    """Decide what can be decided.

    Returns (l, m) hectares used by settled parcels; their choice (n, 2) int16 (or IDLE, NO_LAND,
    OPEN); and the number of open parcels.
    """
    n, m = len(leaf), len(scores.rows)
    block = np.empty((BLOCK, m), dtype=np.float32)
    out, worth = np.empty(m), np.empty(m)
    kind = np.empty(m, dtype=np.int64)
    used = np.zeros(box.weight.shape)
    choice = np.full((n, 2), NO_LAND, dtype=np.int16)
    n_open = 0
    for begin in range(0, n, BLOCK):
        size = min(BLOCK, n - begin)
        load(scores, begin, size, 1, block)
        for t in range(size):
            i = begin + t
            for column in range(2):
                area = irrigated[i] if column == 0 else dry[i]
                if area <= 0:
                    continue
                found, better, _ = candidates(block[t], leaf[i], column == 0, box, out, kind, worth)
                if found == 0:
                    choice[i, column] = IDLE
                elif found == 1 and better:
                    choice[i, column] = kind[0]
                    used[leaf[i], kind[0]] += area
                else:
                    choice[i, column] = OPEN
                    n_open += 1
    return used, choice, n_open


@njit(cache=True)
def _load_open(scores, choice, begin, size, block):
    """Load the cells of a block that have an open parcel: one by one where they are few."""
    found = 0
    for t in range(size):
        if choice[begin + t, 0] == OPEN or choice[begin + t, 1] == OPEN:
            found += 1
    if 4 * found >= size:
        load(scores, begin, size, 1, block)
        return
    for t in range(size):
        if choice[begin + t, 0] == OPEN or choice[begin + t, 1] == OPEN:
            load(scores, begin + t, 1, 1, block[t : t + 1])


@njit(cache=True)
def _hash(c, idle, found, kind, difference):
    """64 bits of a parcel's leaf and candidates; `difference`: worths as they are compared."""
    h = np.uint64(c * 2 + (1 if idle else 0) + 7)
    bits = difference.view(np.uint64)
    for a in range(found):
        h = (h ^ np.uint64(kind[a] + 1)) * np.uint64(1099511628211)
        h = (h ^ bits[a]) * np.uint64(1099511628211)
        h ^= h >> np.uint64(29)
    return h


@njit(cache=True)
def _differences(found, idle, worth, difference):
    """Worths up to a constant of the parcel where idling is no candidate.

    It is the one nearest to zero, as a greater one would take the digits of the others.
    """
    base = 0.0
    if not idle:
        base = worth[0]
        for a in range(1, found):
            if abs(worth[a]) < abs(base):
                base = worth[a]
    for a in range(found):
        difference[a] = (worth[a] - base) + 0.0  # never minus zero, whose bits differ


@njit(cache=True)
def _is_alike(scores, leaf, parcel, c, idle, found, kind, difference, box, single, out):
    """Whether another parcel has the same leaf and candidates of the same worths."""
    i = parcel // 2
    if leaf[i] != c:
        return False
    other_kind, worth = np.empty(found, dtype=np.int64), np.empty(found)
    load(scores, i, 1, 1, single)
    candidates(single[0], c, parcel % 2 == 0, box, out, other_kind, worth)
    _differences(found, idle, worth, worth)
    return np.array_equal(kind[:found], other_kind) and np.array_equal(difference[:found], worth)


@njit(cache=True)
def join_alike(scores, leaf, choice, n_open, box):
    """Open parcels (p,) int64 in order, and the row (p,) int32 that each shares with those alike.

    Also the first parcel (r,) int64 of each row, the number of its candidates (r,) int64, and
    whether idling is one of them (r,).
    """
    n, m = len(leaf), len(scores.rows)
    block = np.empty((BLOCK, m), dtype=np.float32)
    single = np.empty((1, m), dtype=np.float32)
    out, worth, difference = np.empty(m), np.empty(m), np.empty(m)
    kind = np.empty(m, dtype=np.int64)
    size_of_table = 16
    while size_of_table < 2 * n_open + 2:
        size_of_table *= 2
    table = np.full(size_of_table, -1, dtype=np.int32)
    parcel, row = np.empty(n_open, dtype=np.int64), np.empty(n_open, dtype=np.int32)
    opener, counts = np.empty(n_open, dtype=np.int64), np.empty(n_open, dtype=np.int64)
    hashes, may_idle = np.empty(n_open, dtype=np.uint64), np.empty(n_open, dtype=np.bool_)
    p = 0
    r = 0
    for i2 in range(2 * n):
        i = i2 // 2
        if i2 % (2 * BLOCK) == 0:
            _load_open(scores, choice, i, min(BLOCK, n - i), block)
        if choice[i, i2 % 2] != OPEN:
            continue
        c = leaf[i]
        found, _, idle = candidates(block[i % BLOCK], c, i2 % 2 == 0, box, out, kind, worth)
        _differences(found, idle, worth, difference)
        h = _hash(c, idle, found, kind, difference)
        slot = np.int64(h & np.uint64(size_of_table - 1))
        j = table[slot]
        while j >= 0 and not (
            hashes[j] == h
            and counts[j] == found
            and may_idle[j] == idle
            and _is_alike(
                scores, leaf, opener[j], c, idle, found, kind, difference, box, single, out
            )
        ):
            slot = (slot + 1) & (size_of_table - 1)
            j = table[slot]
        if j < 0:
            table[slot] = j = r
            opener[r], hashes[r], counts[r], may_idle[r] = i2, h, found, idle
            r += 1
        parcel[p], row[p] = i2, j
        p += 1
    return parcel, row, opener[:r].copy(), counts[:r].copy(), may_idle[:r].copy()


@njit(cache=True)
def list_candidates(scores, leaf, opener, start, box):
    """Activity (c,) int16 and worth (c,) of the candidates of each row; `start` (r + 1,)."""
    m = len(scores.rows)
    single = np.empty((1, m), dtype=np.float32)
    out, values = np.empty(m), np.empty(m)
    kind = np.empty(m, dtype=np.int64)
    activity = np.empty(start[-1], dtype=np.int16)
    worth = np.empty(start[-1])
    for r in range(len(opener)):
        i = opener[r] // 2
        load(scores, i, 1, 1, single)
        found, _, _ = candidates(single[0], leaf[i], opener[r] % 2 == 0, box, out, kind, values)
        for a in range(found):
            activity[start[r] + a] = kind[a]
            worth[start[r] + a] = values[a]
    return activity, worth
