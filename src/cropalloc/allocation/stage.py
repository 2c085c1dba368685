"""One linear programme of the allocation, for given penalties: prices near it, then its optimum."""

from __future__ import annotations

import logging

import numpy as np

from cropalloc.allocation import kernels
from cropalloc.allocation.annealing import anneal
from cropalloc.allocation.boxstep import finish
from cropalloc.allocation.compiled import Compiled, Finish
from cropalloc.allocation.interior import TOO_LARGE, interior_prices, uses_of_leaves
from cropalloc.allocation.limits import Limits
from cropalloc.allocation.sampling import sampled_prices, uses_at_once

log = logging.getLogger(__name__)

SMALL = 2000  # so few cell-activities are one small programme: no prices are needed before
FEW_USES = 500_000  # of parcels: the interior point takes them all
MORE = 2  # times as many uses where boxes of some do not reach the optimum
UNEVEN = 1e3  # worths of a hectare that differ by more need temperatures of their own
NEAR_POINTS = 2e-3  # score points that prices of the interior point may be wrong by, at first


def solve_stage(
    compiled: Compiled, small: int, limits: Limits, start: np.ndarray | None = None
) -> Finish:
    """The optimum for the penalties that `compiled` has, from prices `start` (d,) if known.

    Raises ConvergenceError.
    """
    n, m = compiled.scores.shape
    lower = -compiled.penalty
    worth = max(compiled.best_worth(), 1e-300)
    if n * m <= small:
        largest = np.where(np.isfinite(compiled.penalty), compiled.penalty, 0.0)
        radius = 2 * max(worth, float(largest.max(initial=0.0)))
        return finish(compiled, np.zeros(compiled.n_demands), radius, limits)
    if overlapping(compiled) or _uneven(compiled):
        # Where statistics overlap, smoothing would lose its way: prices repeat each other.
        prices = _interior(compiled, limits)
        return finish(compiled, prices, NEAR_POINTS * compiled.weight, limits)
    if start is None:
        target = max(400, compiled.n_demands, n // 300)
        prices, temperature = anneal(compiled, lower, open_target=target, limits=limits)
    else:
        prices, temperature = np.maximum(start, lower), worth * 1e-4
    radius = _radius(compiled, prices, temperature)
    return finish(compiled, prices, radius, limits)


def _interior(compiled: Compiled, limits: Limits) -> np.ndarray:
    """Prices (d,) of the interior point: by samples and boxes where all uses are too many."""
    number, budget = float(uses_of_leaves(compiled).sum()), uses_at_once(compiled)
    prices = None
    while number > min(FEW_USES, TOO_LARGE):
        prices, near = sampled_prices(compiled, budget, limits, prices)
        if near or limits.over:
            return prices
        log.debug("boxes of %d uses did not reach the optimum", budget)
        budget *= MORE
        if MORE * budget > number:
            break
    if number > TOO_LARGE:
        return prices
    return interior_prices(compiled, limits=limits)[0]


def overlapping(compiled: Compiled) -> bool:
    """Whether an activity counts for several statistics."""
    return compiled.owner.shape[2] > 1


def _uneven(compiled: Compiled) -> bool:
    """Whether no one temperature suits all statistics."""
    weight = compiled.weight[compiled.allowed]
    wide = weight.size > 0 and float(weight.max()) > UNEVEN * float(weight.min())
    return len(compiled.first) > 0 or wide


def _radius(compiled: Compiled, prices: np.ndarray, temperature: float) -> float:
    """A first box: some temperatures wide, unless that would leave too many parcels open."""
    limit = 1500 + 2 * compiled.n_demands + len(compiled.leaf) // 150
    margin = kernels.margin_of_rank(
        compiled.scores, compiled.leaf, compiled.irrigated, compiled.dry, compiled.weight,
        compiled.activity_prices(prices), compiled.first, compiled.n_rainfed,
        compiled.land_penalty, limit,
    )  # fmt: skip
    wide = min(2 * temperature, margin / 2)
    return max(wide, 0.01 * temperature, 1e-12 * max(1.0, float(np.abs(prices).max(initial=0))))
