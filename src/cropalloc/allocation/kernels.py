"""Compiled loops over parcels: value, use, curvature, and the parcels that are not yet settled.

Functions take cells as (n, m) float32 `scores` (-inf: never), (n,) `leaf`, (n,) hectares
`irrigated` and `dry`, and per leaf (l, m) `weight` and `price`; the first `n_rainfed` activities
are rainfed. The dry parcel may take an irrigated activity at a loss of `land_penalty` a hectare
(inf: never). Worth less price of activity k is called its net; that of leaving land idle is zero.
`first` (l, m) are prices of a first stage, which come before all others: only activities at the
best first price of their parcel may be used, and land may be idle only where that is zero. It has
no rows where there is no first stage. Loops run in the order of the cells, so that sums, and hence
results, are the same on every run.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_NEGLIGIBLE = 30.0  # exp(-30) = 1e-13: of no account for a start that is made exact afterwards
TIE = 1e-7  # first prices (hectares of shortage a hectare of land) that differ by less are equal


@njit(cache=True)
def _nets(score, weight, price, first, c, n_rainfed, land_penalty, wet, out):
    """Nets of one parcel of leaf `c` into `out` (-inf: not admissible).

    Returns how many activities it has, the greatest net, and the net of idling.
    """
    m = score.shape[0]
    count = m if (wet or land_penalty < np.inf) else n_rainfed
    idle = 0.0
    best = 0.0
    if first.shape[0] > 0:
        for k in range(count):
            if score[k] > -np.inf and -first[c, k] > best:
                best = -first[c, k]
        if best > TIE:
            idle = -np.inf
    top = idle
    for k in range(count):
        if first.shape[0] > 0 and -first[c, k] < best - TIE:
            out[k] = -np.inf
            continue
        net = score[k] * weight[k] - price[k]
        if not wet and k >= n_rainfed:
            net -= land_penalty
        out[k] = net
        if net > top:
            top = net
    return count, top, idle


@njit(cache=True)
def smoothed(
    scores, leaf, irrigated, dry, scale, weight, price, first, n_rainfed, land_penalty,
    temperature, step,
):  # fmt: skip
    """Value, use (l, m), curvature (l, m, m) of the parcels' worth smoothed at `temperature`.

    Only every `step`-th cell is read, its areas multiplied by `scale` (l,) of its leaf. Also
    returns the number of parcels read that are split, by more than 5 %, between two uses.
    """
    n, m = scores.shape
    n_leaves = weight.shape[0]
    used = np.zeros((n_leaves, m))
    curve = np.zeros((n_leaves, m, m))
    out = np.empty(m)
    share = np.empty(m)
    active = np.empty(m, dtype=np.int64)
    value = 0.0
    open_parcels = 0
    for i in range(0, n, step):
        c = leaf[i]
        for wet in (True, False):
            area = (irrigated[i] if wet else dry[i]) * scale[c]
            if area <= 0:
                continue
            count, top, idle = _nets(
                scores[i], weight[c], price[c], first, c, n_rainfed, land_penalty, wet, out
            )
            total = np.exp((idle - top) / temperature)
            found = 0
            best = total
            for k in range(count):
                depth = (top - out[k]) / temperature
                if depth < _NEGLIGIBLE:
                    e = np.exp(-depth)
                    share[found] = e
                    active[found] = k
                    found += 1
                    total += e
                    if e > best:
                        best = e
            value += area * (top + temperature * np.log(total))
            if best < 0.95 * total:
                open_parcels += 1
            for a in range(found):
                share[a] /= total
                used[c, active[a]] += area * share[a]
            unit = area / temperature
            for a in range(found):
                pa = share[a]
                if pa < 1e-9:
                    continue
                ka = active[a]
                curve[c, ka, ka] += unit * pa
                for b in range(found):
                    curve[c, ka, active[b]] -= unit * pa * share[b]
    return value, used, curve, open_parcels


@njit(cache=True)
def exact_value(scores, leaf, irrigated, dry, weight, price, first, n_rainfed, land_penalty):
    """Sum over parcels of area times the greatest net, with compensated summation."""
    n, m = scores.shape
    out = np.empty(m)
    total = 0.0
    carry = 0.0
    for i in range(n):
        c = leaf[i]
        for wet in (True, False):
            area = irrigated[i] if wet else dry[i]
            if area <= 0:
                continue
            _, top, _ = _nets(
                scores[i], weight[c], price[c], first, c, n_rainfed, land_penalty, wet, out
            )
            y = area * top - carry
            t = total + y
            carry = (t - total) - y
            total = t
    return total


@njit(cache=True)
def margins(scores, leaf, irrigated, dry, weight, price, first, n_rainfed, land_penalty):
    """(n, 2) float64: best net less second-best net of each parcel (inf where without land)."""
    n, m = scores.shape
    out = np.empty(m)
    result = np.full((n, 2), np.inf)
    for i in range(n):
        c = leaf[i]
        for column in range(2):
            wet = column == 0
            area = irrigated[i] if wet else dry[i]
            if area <= 0:
                continue
            count, _, rest = _nets(
                scores[i], weight[c], price[c], first, c, n_rainfed, land_penalty, wet, out
            )
            best = rest
            second = -np.inf
            for k in range(count):
                if out[k] > best:
                    second = best
                    best = out[k]
                elif out[k] > second:
                    second = out[k]
            result[i, column] = best - second
    return result


@njit(cache=True)
def settle(scores, leaf, irrigated, dry, weight, price, first, reach, n_rainfed, land_penalty):
    """Decide what can be decided while the price of activity k moves by no more than `reach`.

    Returns (l, m) hectares used by settled parcels; their choice (n, 2) int16 (-1 idle, -2 no land,
    -3 not settled); and the candidates of the others as flat arrays: `start` (p + 1,), parcel
    `2 * cell + column` (p,), whether idle is a candidate (p,), activity (c,), worth (c,).
    """
    n, m = scores.shape
    out = np.empty(m)
    used = np.zeros(weight.shape)
    choice = np.full((n, 2), -2, dtype=np.int16)
    n_parcels = 0
    n_candidates = 0
    for i in range(n):
        c = leaf[i]
        for column in range(2):
            wet = column == 0
            area = irrigated[i] if wet else dry[i]
            if area <= 0:
                continue
            count, _, rest = _nets(
                scores[i], weight[c], price[c], first, c, n_rainfed, land_penalty, wet, out
            )
            floor = rest
            for k in range(count):
                low = out[k] - reach[c, k]
                if low > floor:
                    floor = low
            found = 0
            last = -1
            for k in range(count):
                if out[k] > -np.inf and out[k] + reach[c, k] >= floor:
                    found += 1
                    last = k
            if found == 0:
                choice[i, column] = -1
            elif found == 1 and floor > rest:
                choice[i, column] = last
                used[c, last] += area
            else:
                choice[i, column] = -3
                n_parcels += 1
                n_candidates += found
    start = np.zeros(n_parcels + 1, dtype=np.int64)
    parcel = np.empty(n_parcels, dtype=np.int64)
    idle = np.empty(n_parcels, dtype=np.bool_)
    activity = np.empty(n_candidates, dtype=np.int64)
    worth = np.empty(n_candidates)
    p = 0
    q = 0
    for i in range(n):
        c = leaf[i]
        for column in range(2):
            if choice[i, column] != -3:
                continue
            wet = column == 0
            count, _, rest = _nets(
                scores[i], weight[c], price[c], first, c, n_rainfed, land_penalty, wet, out
            )
            floor = rest
            for k in range(count):
                low = out[k] - reach[c, k]
                if low > floor:
                    floor = low
            for k in range(count):
                if out[k] > -np.inf and out[k] + reach[c, k] >= floor:
                    activity[q] = k
                    value = scores[i, k] * weight[c, k]
                    if not wet and k >= n_rainfed:
                        value -= land_penalty
                    worth[q] = value
                    q += 1
            idle[p] = rest == 0.0 and floor <= 0.0
            parcel[p] = 2 * i + column
            p += 1
            start[p] = q
    return used, choice, start, parcel, idle, activity, worth


@njit(cache=True)
def merge_alike(start, parcel, idle, activity, worth, leaf):
    """(p,) int64: for each parcel the first parcel with the same leaf, candidates and worths.

    Worths count up to a constant of the parcel where idling is no candidate. Alike parcels share
    one row of the finishing model, which keeps ties (equal scores) from making it large.
    """
    n = len(parcel)
    size = 1
    while size < 2 * n + 2:
        size *= 2
    table = np.full(size, -1, dtype=np.int64)
    same = np.empty(n, dtype=np.int64)
    for p in range(n):
        base = 0.0 if idle[p] else worth[start[p]]
        h = np.uint64(leaf[parcel[p] // 2] * 2 + (1 if idle[p] else 0) + 7)
        for q in range(start[p], start[p + 1]):
            h = (h ^ np.uint64(activity[q] + 1)) * np.uint64(1099511628211)
            d = worth[q] - base
            h = (h ^ np.uint64(np.int64(d * 1048576.0))) * np.uint64(1099511628211)
            h ^= h >> np.uint64(29)
        slot = np.int64(h & np.uint64(size - 1))
        while True:
            other = table[slot]
            if other < 0:
                table[slot] = p
                same[p] = p
                break
            alike = (
                start[p + 1] - start[p] == start[other + 1] - start[other]
                and idle[p] == idle[other]
                and leaf[parcel[p] // 2] == leaf[parcel[other] // 2]
            )
            if alike:
                other_base = 0.0 if idle[other] else worth[start[other]]
                for q in range(start[p + 1] - start[p]):
                    a = start[p] + q
                    b = start[other] + q
                    if activity[a] != activity[b] or worth[a] - base != worth[b] - other_base:
                        alike = False
                        break
            if alike:
                same[p] = other
                break
            slot = (slot + 1) & (size - 1)
    return same
