"""Compiled loops over parcels: value, use, curvature, and how clear the best uses are.

Functions take `scores` (`scores.Scores`), per cell (n,) `leaf` and hectares `irrigated` and `dry`
(zero of both: no land), and per leaf (l, m) `weight` and `price`; the first `n_rainfed` activities
are rainfed. The dry parcel may take an irrigated activity at a loss of `land_penalty` a hectare
(inf: never). Worth less price of activity k is called its net; that of leaving land idle is zero.
`first` (l, m) are prices of a first stage, which come before all others: only activities at the
best first price of their parcel may be used, and land may be idle only where that is zero. It has
no rows where there is no first stage. Loops run in the order of the cells, so that sums, and hence
results, are the same on every run. None keeps anything a cell.
"""

from __future__ import annotations

from heapq import heappush, heapreplace

import numpy as np
from numba import njit

from cropalloc.allocation.scores import BLOCK, load

_NEGLIGIBLE = 30.0  # exp(-30) = 1e-13: of no account for a start that is made exact afterwards
TIE = 1e-7  # first prices (hectares of shortage a hectare of land) that differ by less are equal


@njit(cache=True)
def nets(score, weight, price, first, c, n_rainfed, land_penalty, wet, out):
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
    n, m = len(leaf), len(scores.rows)
    n_leaves = weight.shape[0]
    used = np.zeros((n_leaves, m))
    curve = np.zeros((n_leaves, m, m))
    block = np.empty((BLOCK, m), dtype=np.float32)
    out = np.empty(m)
    share = np.empty(m)
    active = np.empty(m, dtype=np.int64)
    value = 0.0
    open_parcels = 0
    for begin in range(0, n, BLOCK * step):
        size = min(BLOCK, (n - begin + step - 1) // step)
        load(scores, begin, size, step, block)
        for t in range(size):
            i = begin + t * step
            c = leaf[i]
            for wet in (True, False):
                area = (irrigated[i] if wet else dry[i]) * scale[c]
                if area <= 0:
                    continue
                count, top, idle = nets(
                    block[t], weight[c], price[c], first, c, n_rainfed, land_penalty, wet, out
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
    n, m = len(leaf), len(scores.rows)
    block = np.empty((BLOCK, m), dtype=np.float32)
    out = np.empty(m)
    total = 0.0
    carry = 0.0
    for begin in range(0, n, BLOCK):
        size = min(BLOCK, n - begin)
        load(scores, begin, size, 1, block)
        for t in range(size):
            i = begin + t
            c = leaf[i]
            for wet in (True, False):
                area = irrigated[i] if wet else dry[i]
                if area <= 0:
                    continue
                _, top, _ = nets(
                    block[t], weight[c], price[c], first, c, n_rainfed, land_penalty, wet, out
                )
                y = area * top - carry
                s = total + y
                carry = (s - total) - y
                total = s
    return total


@njit(cache=True)
def margin_of_rank(
    scores, leaf, irrigated, dry, weight, price, first, n_rainfed, land_penalty, rank
):  # fmt: skip
    """The `rank`-th smallest margin (from 0), best net less second-best net of a parcel.

    Infinite where no more than `rank` parcels have a second use.
    """
    n, m = len(leaf), len(scores.rows)
    block = np.empty((BLOCK, m), dtype=np.float32)
    out = np.empty(m)
    smallest = [-np.inf]  # negative, so that the largest of them comes first
    for begin in range(0, n, BLOCK):
        size = min(BLOCK, n - begin)
        load(scores, begin, size, 1, block)
        for t in range(size):
            i = begin + t
            c = leaf[i]
            for wet in (True, False):
                area = irrigated[i] if wet else dry[i]
                if area <= 0:
                    continue
                count, _, rest = nets(
                    block[t], weight[c], price[c], first, c, n_rainfed, land_penalty, wet, out
                )
                best = rest
                second = -np.inf
                for k in range(count):
                    if out[k] > best:
                        second = best
                        best = out[k]
                    elif out[k] > second:
                        second = out[k]
                margin = best - second
                if not margin < np.inf:
                    continue
                if len(smallest) <= rank:
                    heappush(smallest, -margin)
                elif margin < -smallest[0]:
                    heapreplace(smallest, -margin)
    return -smallest[0]
