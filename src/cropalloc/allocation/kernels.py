"""Compiled loops over parcels: value, use, curvature, and the parcels that are not yet settled.

Functions take cells as (n, m) float32 `scores` (-inf: never), (n,) `leaf`, (n,) hectares
`irrigated` and `dry`, and per leaf (l, m) `weight` and `price`; the first `n_rainfed` activities
are rainfed. The dry parcel may take an irrigated activity at a loss of `land_penalty` a hectare
(inf: never). Worth less price of activity k is called its net; that of leaving land idle is zero.
Loops run in the order of the cells, so that sums, and hence results, are the same on every run.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_NEGLIGIBLE = 30.0  # exp(-30) = 1e-13: of no account for a start that is made exact afterwards


@njit(cache=True)
def _nets(score, weight, price, n_rainfed, land_penalty, wet, out):
    """Nets of one parcel into `out`; returns how many activities it has and the greatest net."""
    m = score.shape[0]
    count = m if (wet or land_penalty < np.inf) else n_rainfed
    top = 0.0
    for k in range(count):
        net = score[k] * weight[k] - price[k]
        if not wet and k >= n_rainfed:
            net -= land_penalty
        out[k] = net
        if net > top:
            top = net
    return count, top


@njit(cache=True)
def smoothed(
    scores, leaf, irrigated, dry, scale, weight, price, n_rainfed, land_penalty, temperature, step
):
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
            count, top = _nets(scores[i], weight[c], price[c], n_rainfed, land_penalty, wet, out)
            total = np.exp(-top / temperature)
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
def exact_value(scores, leaf, irrigated, dry, weight, price, n_rainfed, land_penalty):
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
            _, top = _nets(scores[i], weight[c], price[c], n_rainfed, land_penalty, wet, out)
            y = area * top - carry
            t = total + y
            carry = (t - total) - y
            total = t
    return total


@njit(cache=True)
def margins(scores, leaf, irrigated, dry, weight, price, n_rainfed, land_penalty):
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
            count, _ = _nets(scores[i], weight[c], price[c], n_rainfed, land_penalty, wet, out)
            first = 0.0
            second = -np.inf
            for k in range(count):
                if out[k] > first:
                    second = first
                    first = out[k]
                elif out[k] > second:
                    second = out[k]
            result[i, column] = first - second
    return result


@njit(cache=True)
def settle(scores, leaf, irrigated, dry, weight, price, reach, n_rainfed, land_penalty):
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
            count, _ = _nets(scores[i], weight[c], price[c], n_rainfed, land_penalty, wet, out)
            floor = 0.0
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
            elif found == 1 and floor > 0:
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
            count, _ = _nets(scores[i], weight[c], price[c], n_rainfed, land_penalty, wet, out)
            floor = 0.0
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
            idle[p] = floor <= 0.0
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


@njit(cache=True)
def _block(curve, c, start, entry_start, entry_place, entry_activity, entry_value):
    """Curvature of one leaf over the demands it has (their coefficients on both sides)."""
    size = start[c + 1] - start[c]
    block = np.zeros((size, size))
    for x in range(entry_start[c], entry_start[c + 1]):
        i = entry_place[x]
        for y in range(entry_start[c], entry_start[c + 1]):
            value = curve[c, entry_activity[x], entry_activity[y]]
            if value != 0.0:
                block[i, entry_place[y]] += entry_value[x] * entry_value[y] * value
    return block


@njit(cache=True)
def _solve_in_place(matrix, right):
    """Solve a positive definite system by Cholesky; what rounding made negative stays still."""
    n = matrix.shape[0]
    for j in range(n):
        floor = 1e-14 * matrix[j, j]
        pivot = matrix[j, j]
        for k in range(j):
            pivot -= matrix[j, k] * matrix[j, k]
        dead = pivot <= floor
        root = np.inf if dead else np.sqrt(pivot)
        matrix[j, j] = root
        for i in range(j + 1, n):
            value = matrix[i, j]
            for k in range(j):
                value -= matrix[i, k] * matrix[j, k]
            matrix[i, j] = 0.0 if dead else value / root
    for column in range(right.shape[1]):
        for i in range(n):
            value = right[i, column]
            for k in range(i):
                value -= matrix[i, k] * right[k, column]
            right[i, column] = value / matrix[i, i]
        for i in range(n - 1, -1, -1):
            value = right[i, column]
            for k in range(i + 1, n):
                value -= matrix[k, i] * right[k, column]
            right[i, column] = value / matrix[i, i]


@njit(cache=True)
def eliminate(
    curve, start, members, entry_start, entry_place, entry_activity, entry_value, gradient, place,
    inner, n_shared, damping,
):  # fmt: skip
    """Schur complement on the shared demands.

    `start` and `members` list the demands of each leaf, `entry_*` how its activities count for them
    (place in the leaf's list, activity, coefficient); `place` (d,) is the row of a shared demand,
    -1 otherwise; `inner` (d,) marks the demands to eliminate, `damping` (d,) is added to their
    diagonal. Returns the complement (s, s), its right side (s,), where the part of each leaf begins
    in the last result, and the leaves' inverse times [link, -gradient], flat.
    """
    n_leaves = len(start) - 1
    border = np.zeros((n_shared, n_shared))
    right = np.zeros(n_shared)
    for d in range(len(place)):
        if place[d] >= 0:
            right[place[d]] = -gradient[d]
    links = np.zeros(n_leaves + 1, dtype=np.int64)
    for c in range(n_leaves):
        n_inner = 0
        n_outer = 0
        for x in range(start[c], start[c + 1]):
            if inner[members[x]]:
                n_inner += 1
            elif place[members[x]] >= 0:
                n_outer += 1
        links[c + 1] = links[c] + n_inner * (n_outer + 1)
    solved = np.zeros(links[n_leaves])
    for c in range(n_leaves):
        block = _block(curve, c, start, entry_start, entry_place, entry_activity, entry_value)
        size = start[c + 1] - start[c]
        ins = np.empty(size, dtype=np.int64)
        outs = np.empty(size, dtype=np.int64)
        n_inner = 0
        n_outer = 0
        for x in range(size):
            d = members[start[c] + x]
            if inner[d]:
                ins[n_inner] = x
                n_inner += 1
            elif place[d] >= 0:
                outs[n_outer] = x
                n_outer += 1
        for a in range(n_outer):
            ra = place[members[start[c] + outs[a]]]
            for b in range(n_outer):
                rb = place[members[start[c] + outs[b]]]
                border[ra, rb] += block[outs[a], outs[b]]
        if n_inner == 0:
            continue
        core = np.empty((n_inner, n_inner))
        side = np.empty((n_inner, n_outer + 1))
        for a in range(n_inner):
            for b in range(n_inner):
                core[a, b] = block[ins[a], ins[b]]
            core[a, a] += damping[members[start[c] + ins[a]]]
            for b in range(n_outer):
                side[a, b] = block[ins[a], outs[b]]
            side[a, n_outer] = -gradient[members[start[c] + ins[a]]]
        _solve_in_place(core, side)
        for a in range(n_outer):
            ra = place[members[start[c] + outs[a]]]
            for b in range(n_outer + 1):
                value = 0.0
                for x in range(n_inner):
                    value += block[ins[x], outs[a]] * side[x, b]
                if b < n_outer:
                    border[ra, place[members[start[c] + outs[b]]]] -= value
                else:
                    right[ra] -= value
        at = links[c]
        for a in range(n_inner):
            for b in range(n_outer + 1):
                solved[at] = side[a, b]
                at += 1
    return border, right, links, solved


@njit(cache=True)
def substitute(start, members, place, inner, links, solved, step):
    """Fill `step` of the eliminated demands from that of the shared ones."""
    for c in range(len(start) - 1):
        n_outer = 0
        outer = np.empty(start[c + 1] - start[c], dtype=np.int64)
        for x in range(start[c], start[c + 1]):
            if not inner[members[x]] and place[members[x]] >= 0:
                outer[n_outer] = members[x]
                n_outer += 1
        at = links[c]
        for x in range(start[c], start[c + 1]):
            if inner[members[x]]:
                value = solved[at + n_outer]
                for b in range(n_outer):
                    value -= solved[at + b] * step[outer[b]]
                step[members[x]] = value
                at += n_outer + 1
