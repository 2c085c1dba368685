"""Compiled solve of the Hessian over statistics: those of one leaf are eliminated leaf by leaf."""

from __future__ import annotations

import numpy as np
from numba import njit


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
    # Columns innermost: they lie side by side in memory.
    columns = right.shape[1]
    for i in range(n):
        for k in range(i):
            factor = matrix[i, k]
            for column in range(columns):
                right[i, column] -= factor * right[k, column]
        for column in range(columns):
            right[i, column] /= matrix[i, i]
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            factor = matrix[k, i]
            for column in range(columns):
                right[i, column] -= factor * right[k, column]
        for column in range(columns):
            right[i, column] /= matrix[i, i]


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
        found = np.empty(n_outer + 1)
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
            found[:] = 0.0
            for x in range(n_inner):
                factor = block[ins[x], outs[a]]
                if factor != 0.0:
                    for b in range(n_outer + 1):
                        found[b] += factor * side[x, b]
            for b in range(n_outer):
                border[ra, place[members[start[c] + outs[b]]]] -= found[b]
            right[ra] -= found[n_outer]
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
