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

from cropalloc.allocation import elimination, kernels
from cropalloc.allocation.compiled import Compiled
from cropalloc.allocation.limits import Limits

log = logging.getLogger(__name__)

SAMPLE_CELLS = 6000  # cells read while the temperature is still high, in each leaf on average
COOLING = 0.3
MAX_NEWTON = 12
ENOUGH = 0.03  # relative miss of the worst statistic at which a temperature is done with
DENSE_DEMANDS = 300  # with more demands, those of one leaf are eliminated leaf by leaf


class Curvature:
    """Solves with the Hessian over demands, assembled from the leaves' curvatures.

    Demands that lie in one leaf only are eliminated leaf by leaf (a Schur complement on the
    others), so that thousands of small units cost no more than linear time.
    """

    def __init__(self, compiled: Compiled) -> None:
        d = compiled.n_demands
        owner = np.where(compiled.allowed[:, :, None], compiled.owner, -1)
        leaf, k, q = np.nonzero(owner >= 0)
        key, self.entry_place = np.unique(leaf * d + owner[leaf, k, q], return_inverse=True)
        self.members = (key % d).astype(np.int64)
        self.start = np.searchsorted(key // d, np.arange(len(owner) + 1)).astype(np.int64)
        leaves_of = np.bincount(self.members, minlength=d)
        self.local = (leaves_of <= 1) if d > DENSE_DEMANDS else np.zeros(d, dtype=bool)
        self.entry_place = self.entry_place.astype(np.int64) - self.start[leaf]
        self.entry_activity = k.astype(np.int64)
        self.entry_leaf = leaf
        self.entry_owner = owner[leaf, k, q]
        self.entry_value = compiled.coefficient[leaf, k, q]
        self.entry_start = np.searchsorted(leaf, np.arange(len(owner) + 1)).astype(np.int64)
        self.n_demands = d

    def solve(
        self, curve: np.ndarray, gradient: np.ndarray, fixed: np.ndarray, damping: np.ndarray
    ) -> np.ndarray:
        """The step -(H + damping)^-1 g, with `fixed` demands kept where they are.

        `damping` (d,) is added to the diagonal: Levenberg's remedy where the curvature is nearly
        none (statistics that repeat each other, crops that are priced out).
        """
        shared = np.flatnonzero(~self.local & ~fixed)
        place = np.full(self.n_demands, -1, dtype=np.int64)
        place[shared] = np.arange(len(shared))
        inner = self.local & ~fixed
        border, right, links, solved = elimination.eliminate(
            curve, self.start, self.members, self.entry_start, self.entry_place,
            self.entry_activity, self.entry_value, gradient, place, inner, len(shared), damping,
        )  # fmt: skip
        step = np.zeros(self.n_demands)
        if len(shared):
            border[np.diag_indices(len(shared))] += damping[shared]
            step[shared] = _solve_positive(border, right)
        elimination.substitute(self.start, self.members, place, inner, links, solved, step)
        return step

    def diagonal(self, curve: np.ndarray) -> np.ndarray:
        """(d,): an upper estimate of the Hessian's diagonal, from the activities' own curvature."""
        own = curve[self.entry_leaf, self.entry_activity, self.entry_activity]
        amount = own * self.entry_value**2
        return np.bincount(self.entry_owner, amount, minlength=self.n_demands)


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


def anneal(
    compiled: Compiled, lower: np.ndarray, *, open_target: int, limits: Limits
) -> tuple[np.ndarray, float]:
    """Prices near the optimum, and the temperature at which they were found.

    Parameters
    ----------
    compiled : the problem.
    lower : (d,) lowest price of each demand (less the worth lost by its shortage).
    open_target : cooling ends when no more parcels than this are split between uses.
    limits : at the deadline the prices reached are returned.
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
    before = np.inf
    while True:
        prices, open_parcels, steps, miss = _newton(
            compiled, curvature, prices, lower, temperature, sample, limits
        )
        log.debug(
            "temperature %.3g, every %d cells: %d open parcels after %d steps, miss %.2g",
            temperature, sample, open_parcels, steps, miss,
        )  # fmt: skip
        # Every price is told by some parcel, which stays open however low the temperature.
        if limits.over:
            return prices, temperature
        few = open_parcels * sample <= open_target
        steady = open_parcels > 0.8 * before and temperature < 1e-3 * worth
        before = open_parcels
        if few or (steady and sample == 1) or temperature < floor:
            if sample == 1:
                return prices, temperature
            sample, before = max(1, sample // 8), np.inf
            continue
        temperature *= COOLING
        if sample > 1 and open_parcels < 40 * compiled.n_demands:
            # Too few parcels of the sample tell the price of a crop apart any more.
            sample = max(1, sample // 4)


def _newton(compiled, curvature, prices, lower, temperature, sample, limits):
    """Minimise the smoothed dual at one temperature; returns prices, open parcels and steps."""
    scale = np.ones(len(compiled.weight))
    if sample > 1:
        every, part = (
            sum(
                np.bincount(compiled.leaf[::step], land[::step], minlength=len(scale))
                for land in (compiled.irrigated, compiled.dry)
            )
            for step in (1, sample)
        )
        scale = np.divide(every, part, out=scale, where=part > 0)

    def evaluate(at):
        value, used, curve, open_parcels = kernels.smoothed(
            compiled.scores, compiled.leaf, compiled.irrigated, compiled.dry, scale,
            compiled.weight, compiled.activity_prices(at), compiled.first, compiled.n_rainfed,
            compiled.land_penalty, temperature, sample,
        )  # fmt: skip
        gradient = compiled.area - compiled.placed(used)
        return value + compiled.area @ at, gradient, curve, open_parcels

    value, gradient, curve, open_parcels = evaluate(prices)
    steps, damping = 0, 1e-4
    empty = compiled.area <= 0
    worth = max(temperature, float(np.max(-lower, initial=0.0)))
    area = np.maximum(compiled.area, 1e-300)
    while True:
        fixed = ((prices <= lower) & (gradient >= 0)) | empty
        placed = np.maximum(compiled.area - gradient, 1e-12 * area)
        # What is placed answers to a price like an exponential as long as land is not short, so
        # Newton's method is applied to its logarithm.
        ratio = np.log(placed / area)
        miss = float(np.abs(np.where(fixed, 0.0, ratio)).max(initial=0.0))
        if miss < ENOUGH or steps >= MAX_NEWTON or limits.over:
            return prices, open_parcels, steps, miss
        ridge = curvature.diagonal(curve) + 1e-6 * placed / temperature
        for _ in range(8):
            direction = curvature.solve(curve, -placed * ratio, fixed, damping * ridge)
            if not np.isfinite(direction).all() or np.abs(direction).max() > 1e6 * worth:
                damping *= 20
                continue
            # Beyond some temperatures the curvature says nothing any more.
            # Prices of statistics that overlap may move far against each other; what counts is
            # how far the prices of activities move.
            moved = compiled.activity_prices(direction)
            furthest = float(np.abs(moved[compiled.allowed]).max(initial=0.0))
            direction *= min(1.0, 12 * temperature / max(furthest, 1e-300))
            trial = np.maximum(prices + direction, lower)
            found = evaluate(trial)
            if found[0] <= value + 1e-4 * min(0.0, gradient @ (trial - prices)):
                damping = max(damping / 10, 1e-6)
                break
            damping *= 20
        else:
            return prices, open_parcels, steps, miss
        prices = trial
        value, gradient, curve, open_parcels = found
        steps += 1
