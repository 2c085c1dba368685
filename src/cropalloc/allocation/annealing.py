"""Prices near the optimum: Newton's method on the smoothed dual, while the smoothing is reduced.

The dual of the allocation is convex and piecewise linear in the prices (semi-discrete optimal
transport). Replacing each parcel's greatest net by a soft maximum at a temperature makes it smooth;
Newton's method then needs a handful of passes over the cells a temperature. The result is only a
start: `boxstep` makes it exact.
"""

from __future__ import annotations

import logging

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from cropalloc.allocation import kernels
from cropalloc.allocation.compiled import Compiled

log = logging.getLogger(__name__)

SAMPLE_CELLS = 6000  # cells read while the temperature is still high, in each leaf on average
COOLING = 0.3
MAX_NEWTON = 12
DENSE_DEMANDS = 400  # with more demands, those of one leaf are eliminated leaf by leaf


class Curvature:
    """Solves with the Hessian over demands, assembled from the leaves' curvatures.

    Demands that lie in one leaf only are eliminated leaf by leaf (a Schur complement on the
    others), so that thousands of small units cost no more than linear time.
    """

    def __init__(self, compiled: Compiled) -> None:
        self.compiled = compiled
        d = compiled.n_demands
        n_leaves = len(compiled.weight)
        leaves_of = np.zeros(d, dtype=np.int64)
        self.members: list[np.ndarray] = []
        self.maps: list[np.ndarray] = []
        for leaf in range(n_leaves):
            owner = np.where(compiled.allowed[leaf][:, None], compiled.owner[leaf], -1)
            members = np.unique(owner[owner >= 0])
            matrix = np.zeros((len(members), owner.shape[0]))
            rows, columns = np.nonzero(owner >= 0)
            place = np.searchsorted(members, owner[rows, columns])
            np.add.at(matrix, (place, rows), compiled.coefficient[leaf][rows, columns])
            self.members.append(members)
            self.maps.append(matrix)
            leaves_of[members] += 1
        self.local = leaves_of <= 1
        self.dense = d <= DENSE_DEMANDS

    def solve(self, curve: np.ndarray, gradient: np.ndarray, fixed: np.ndarray) -> np.ndarray:
        """Newton's step -H^-1 g with `fixed` demands kept where they are."""
        blocks = [a @ curve[leaf] @ a.T for leaf, a in enumerate(self.maps)]
        diagonal = np.zeros(self.compiled.n_demands)
        for members, block in zip(self.members, blocks, strict=True):
            diagonal[members] += np.diag(block)
        ridge = 1e-9 * diagonal + 1e-14 * diagonal.max(initial=0.0) + 1e-300
        if self.dense:
            return self._solve_dense(blocks, gradient, fixed, ridge)
        return self._solve_nested(blocks, gradient, fixed, ridge)

    def _solve_dense(self, blocks, gradient, fixed, ridge):
        d = self.compiled.n_demands
        hessian = np.zeros((d, d))
        for members, block in zip(self.members, blocks, strict=True):
            hessian[np.ix_(members, members)] += block
        free = np.flatnonzero(~fixed)
        step = np.zeros(d)
        part = hessian[np.ix_(free, free)]
        part[np.diag_indices(len(free))] += ridge[free]
        step[free] = _solve_positive(part, -gradient[free])
        return step

    def _solve_nested(self, blocks, gradient, fixed, ridge):
        d = self.compiled.n_demands
        shared = np.flatnonzero(~self.local & ~fixed)
        place = np.full(d, -1)
        place[shared] = np.arange(len(shared))
        border = np.zeros((len(shared), len(shared)))
        border[np.diag_indices(len(shared))] = ridge[shared]
        right = -gradient[shared]
        eliminated = []
        for members, block in zip(self.members, blocks, strict=True):
            kept = ~fixed[members]
            inner = np.flatnonzero(kept & self.local[members])
            outer = np.flatnonzero(kept & ~self.local[members])
            rows = place[members[outer]]
            border[np.ix_(rows, rows)] += block[np.ix_(outer, outer)]
            if len(inner) == 0:
                continue
            core = block[np.ix_(inner, inner)]
            core[np.diag_indices(len(inner))] += ridge[members[inner]]
            link = block[np.ix_(inner, outer)]
            solved = _solve_positive(core, np.column_stack([link, -gradient[members[inner]]]))
            border[np.ix_(rows, rows)] -= link.T @ solved[:, :-1]
            right[rows] -= link.T @ solved[:, -1]
            eliminated.append((members[inner], rows, solved))
        step = np.zeros(d)
        outer_step = _solve_positive(border, right) if len(shared) else right
        step[shared] = outer_step
        for names, rows, solved in eliminated:
            step[names] = solved[:, -1] - solved[:, :-1] @ outer_step[rows]
        return step


def _solve_positive(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve a symmetric positive system, with a growing ridge where rounding made it singular."""
    scale = np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    scaled = matrix / scale[:, None] / scale[None, :]
    shape = (-1,) + (1,) * (right.ndim - 1)
    for ridge in (0.0, 1e-12, 1e-9, 1e-6, 1e-3):
        try:
            factor = cho_factor(scaled + ridge * np.eye(len(scaled)), check_finite=False)
        except LinAlgError:
            continue
        solved = cho_solve(factor, right / scale.reshape(shape), check_finite=False)
        if np.isfinite(solved).all():
            return solved / scale.reshape(shape)
    return right / (scale**2).reshape(shape)


def anneal(compiled: Compiled, lower: np.ndarray, *, open_target: int) -> tuple[np.ndarray, float]:
    """Prices near the optimum, and the temperature at which they were found.

    Parameters
    ----------
    compiled : the problem.
    lower : (d,) lowest price of each demand (less the worth lost by its shortage).
    open_target : cooling ends when no more parcels than this are split between uses.
    """
    worth = max(compiled.best_worth(), 1e-300)
    deepest = float(np.max(-lower, initial=0.0))
    temperature = max(worth, min(deepest, 50 * worth)) / 4
    n = len(compiled.leaf)
    n_leaves = len(compiled.weight)
    sample = max(1, n // (SAMPLE_CELLS * n_leaves)) if n else 1
    prices = np.maximum(np.zeros(compiled.n_demands), lower)
    curvature = Curvature(compiled)
    lowest_positive = compiled.weight[compiled.allowed]
    floor = 1e-6 * 100 * float(lowest_positive.min()) if lowest_positive.size else 1e-6
    while True:
        prices, open_parcels, steps = _newton(compiled, curvature, prices, lower, temperature, sample)
        log.debug(
            "temperature %.3g, every %d cells: %d open parcels after %d steps",
            temperature, sample, open_parcels, steps,
        )  # fmt: skip
        if open_parcels * sample <= open_target or temperature < floor:
            if sample == 1:
                return prices, temperature
            sample = max(1, sample // 8)
            continue
        temperature *= COOLING
        if sample > 1 and open_parcels < 40 * compiled.n_demands:
            # Too few parcels of the sample tell the price of a crop apart any more.
            sample = max(1, sample // 4)


def _newton(compiled, curvature, prices, lower, temperature, sample):
    """Minimise the smoothed dual at one temperature; returns prices, open parcels and steps."""
    scale = np.ones(len(compiled.weight))
    if sample > 1:
        land = compiled.irrigated + compiled.dry
        every = np.bincount(compiled.leaf, land, minlength=len(scale))
        part = np.bincount(compiled.leaf[::sample], land[::sample], minlength=len(scale))
        scale = np.divide(every, part, out=scale, where=part > 0)

    def evaluate(at):
        value, used, curve, open_parcels = kernels.smoothed(
            compiled.scores, compiled.leaf, compiled.irrigated, compiled.dry, scale,
            compiled.weight, compiled.activity_prices(at), compiled.n_rainfed,
            compiled.land_penalty, temperature, sample,
        )  # fmt: skip
        gradient = compiled.area - compiled.placed(used)
        return value + compiled.area @ at, gradient, curve, open_parcels

    value, gradient, curve, open_parcels = evaluate(prices)
    steps = 0
    while steps < MAX_NEWTON:
        fixed = (prices <= lower) & (gradient >= 0)
        miss = np.where(fixed, 0.0, np.abs(gradient)) / np.maximum(compiled.area, 1e-300)
        if miss.max(initial=0.0) < 0.02:
            break
        direction = curvature.solve(curve, gradient, fixed)
        # A step of many temperatures leaves the region where the curvature says anything.
        reach = 8 * temperature
        direction = np.clip(direction, -reach, reach)
        length = 1.0
        for _ in range(8):
            trial = np.maximum(prices + length * direction, lower)
            found = evaluate(trial)
            if found[0] <= value + 1e-4 * min(0.0, gradient @ (trial - prices)):
                break
            length *= 0.4
        else:
            break
        prices = trial
        value, gradient, curve, open_parcels = found
        steps += 1
    return prices, open_parcels, steps
