"""Compiled passes of the interior-point method over the uses of parcels.

Uses lie flat: those of parcel i are `start[i] .. start[i + 1]`, each with an `activity`, hectares
`x` and reduced cost `z`; `x0` and `z0` are those of leaving the parcel idle (zero and one where
it must not be). The path followed is weighted: x z tends to `centre` times
`share[i] * weight[leaf, activity]` (idle: `idle[i]`). Sums run in the order of the parcels, so that
results are the same on every run.
"""

from __future__ import annotations

import numpy as np
from numba import njit

MENDED = 5.0  # second-order terms up to so many times the target can be mended by centring
_FURTHEST = 1.0 / 0.9995


@njit(cache=True)
def dot(a, b):
    """Inner product in a fixed order, compensated."""
    total = 0.0
    carry = 0.0
    for i in range(len(a)):
        y = a[i] * b[i] - carry
        t = total + y
        carry = (t - total) - y
        total = t
    return total


@njit(cache=True)
def gather(start, leaf, activity, x, shape):
    """(leaves, m): sum of x a leaf and activity."""
    used = np.zeros(shape)
    for i in range(len(leaf)):
        for q in range(start[i], start[i + 1]):
            used[leaf[i], activity[q]] += x[q]
    return used


@njit(cache=True)
def assemble(start, leaf, activity, x, z, x0, z0, capacity, n_leaves, m):
    """Curvature (l, m, m), right side (l, m) of the predictor, and sum of x / z a parcel (p,)."""
    curve = np.zeros((n_leaves, m, m))
    right = np.zeros((n_leaves, m))
    total = np.empty(len(leaf))
    theta = np.empty(m)
    kind = np.empty(m, dtype=np.uint64)  # unsigned: never counted from the end
    for i in range(len(leaf)):
        c = leaf[i]
        begin = start[i]
        found = start[i + 1] - begin
        whole = x0[i] / z0[i]
        for a in range(found):
            theta[a] = x[begin + a] / z[begin + a]
            kind[a] = activity[begin + a]
            whole += theta[a]
        total[i] = whole
        for a in range(found):
            ka = kind[a]
            right[c, ka] += theta[a] * capacity[i] / whole - x[begin + a]
            part = theta[a] / whole
            row = curve[c, ka]
            if part < 1e-17:
                row[ka] += theta[a]
                continue
            rest = whole - theta[a]
            if part > 0.5:
                # Without cancellation: the sum of the others.
                rest = x0[i] / z0[i]
                for b in range(found):
                    if b != a:
                        rest += theta[b]
            row[ka] += part * rest
            for b in range(a):
                value = part * theta[b]
                row[kind[b]] -= value
                curve[c, kind[b], ka] -= value
    return curve, right, total


@njit(cache=True)
def predict(start, leaf, activity, x, z, x0, z0, total, table, dy, capacity):
    """Predictor: fills `dy`; returns how far (primal, dual) and the three sums of products."""
    primal = _FURTHEST
    dual = _FURTHEST
    with_z = 0.0
    with_x = 0.0
    both = 0.0
    for i in range(len(leaf)):
        c = leaf[i]
        value = -capacity[i]
        for q in range(start[i], start[i + 1]):
            value -= x[q] / z[q] * table[c, activity[q]]
        change = value / total[i]
        dy[i] = change
        dx = -x0[i] - x0[i] / z0[i] * change
        if dx < 0:
            primal = min(primal, -x0[i] / dx)
        if change < 0 and x0[i] > 0:
            dual = min(dual, -z0[i] / change)
        with_z += dx * z0[i]
        with_x += x0[i] * change
        both += dx * change
        for q in range(start[i], start[i + 1]):
            dz = change + table[c, activity[q]]
            dx = -x[q] - x[q] / z[q] * dz
            if dx < 0:
                primal = min(primal, -x[q] / dx)
            if dz < 0:
                dual = min(dual, -z[q] / dz)
            with_z += dx * z[q]
            with_x += x[q] * dz
            both += dx * dz
    return (primal, dual), (with_z, with_x, both)


@njit(cache=True)
def _tame(second, limit):
    """The second-order term within what centring can mend."""
    return max(-MENDED * limit, min(MENDED * limit, second))


@njit(cache=True)
def _change(x, z, before, dz, unit, centre, mu):
    """Change of the hectares of a use whose reduced cost changes by `dz`.

    `before` is the change that the predictor gave to the reduced cost, `unit` the use's weight.
    """
    inverse = 1.0 / z
    theta = x * inverse
    first = -x - theta * before
    return (centre * unit - _tame(first * before, mu * unit)) * inverse - x - theta * dz


@njit(cache=True)
def correct(
    start, leaf, activity, x, z, x0, z0, total, table, dy, capacity, centre, mu, share, weight,
    idle,
):  # fmt: skip
    """Corrector: right side (l, m), and what each parcel's row has to reach (p,)."""
    right = np.zeros(weight.shape)
    reaching = np.empty(len(leaf))
    for i in range(len(leaf)):
        c = leaf[i]
        change = dy[i]
        filled = x0[i]
        value = _change(x0[i], z0[i], change, 0.0, idle[i], centre, mu)
        for q in range(start[i], start[i + 1]):
            dz = change + table[c, activity[q]]
            unit = share[i] * weight[c, activity[q]]
            part = _change(x[q], z[q], dz, 0.0, unit, centre, mu)
            value += part
            filled += x[q]
            right[c, activity[q]] += part
        value -= capacity[i] - filled
        reaching[i] = value
        for q in range(start[i], start[i + 1]):
            right[c, activity[q]] -= x[q] / z[q] * value / total[i]
    return right, reaching


@njit(cache=True)
def direct(
    start, leaf, activity, x, z, x0, z0, total, old, old_dy, reaching, table, centre, mu, share,
    weight, idle, dx0, dy,
):  # fmt: skip
    """The direction: fills `dx0`, `dy`; returns how far it may be followed."""
    primal = _FURTHEST
    dual = _FURTHEST
    for i in range(len(leaf)):
        c = leaf[i]
        value = reaching[i]
        for q in range(start[i], start[i + 1]):
            value -= x[q] / z[q] * table[c, activity[q]]
        change = value / total[i]
        step = _change(x0[i], z0[i], old_dy[i], change, idle[i], centre, mu)
        dx0[i] = step
        dy[i] = change
        if step < 0:
            primal = min(primal, -x0[i] / step)
        if change < 0 and x0[i] > 0:
            dual = min(dual, -z0[i] / change)
        for q in range(start[i], start[i + 1]):
            k = activity[q]
            dz = change + table[c, k]
            unit = share[i] * weight[c, k]
            step = _change(x[q], z[q], old_dy[i] + old[c, k], dz, unit, centre, mu)
            if step < 0:
                primal = min(primal, -x[q] / step)
            if dz < 0:
                dual = min(dual, -z[q] / dz)
    return primal, dual


@njit(cache=True)
def advance(
    start, leaf, activity, x, z, old, old_dy, table, dy, centre, mu, share, weight, primal, dual
):  # fmt: skip
    """Take the step: x += primal dx, z += dual dz; what was not kept by `direct` is made again."""
    for i in range(len(leaf)):
        c = leaf[i]
        for q in range(start[i], start[i + 1]):
            k = activity[q]
            dz = dy[i] + table[c, k]
            unit = share[i] * weight[c, k]
            x[q] += primal * _change(x[q], z[q], old_dy[i] + old[c, k], dz, unit, centre, mu)
            z[q] += dual * dz


@njit(cache=True)
def scale_uses(start, leaf, activity, x, table):
    """Multiply each use by the entry of an (l, m) table."""
    for i in range(len(leaf)):
        for q in range(start[i], start[i + 1]):
            x[q] *= table[leaf[i], activity[q]]


@njit(cache=True)
def scale_rows(start, x, factor):
    """Multiply the uses of each parcel by its factor (p,)."""
    for i in range(len(factor)):
        for q in range(start[i], start[i + 1]):
            x[q] *= factor[i]


@njit(cache=True)
def row_sums(start, x):
    """(p,): sum over the uses of each parcel."""
    out = np.zeros(len(start) - 1)
    for i in range(len(out)):
        for q in range(start[i], start[i + 1]):
            out[i] += x[q]
    return out


@njit(cache=True)
def sum_of_aims(start, leaf, activity, share, weight):
    """Sum over uses of their parcel's `share` times their `weight`, compensated."""
    total = 0.0
    carry = 0.0
    for i in range(len(leaf)):
        for q in range(start[i], start[i + 1]):
            y = share[i] * weight[leaf[i], activity[q]] - carry
            t = total + y
            carry = (t - total) - y
            total = t
    return total


@njit(cache=True)
def reduced_costs(start, leaf, activity, worth, factor, table, rise, y):
    """Turn worths, times `factor`, into reduced costs in place, at prices `table` (l, m).

    Fills the worth `y` of a hectare of each parcel: `rise` above its best net, or above zero.
    """
    for i in range(len(leaf)):
        best = 0.0
        for q in range(start[i], start[i + 1]):
            worth[q] = worth[q] * factor - table[leaf[i], activity[q]]
            best = max(best, worth[q])
        y[i] = best + max(rise, 1e-3 * best)  # so that no reduced cost is lost to rounding
        for q in range(start[i], start[i + 1]):
            worth[q] = y[i] - worth[q]
