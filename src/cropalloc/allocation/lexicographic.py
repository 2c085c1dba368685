"""The lexicographic rule: first the fewest hectares of shortage, then the best score.

Where a score point is worth the same on every hectare, one linear programme does both: a hectare of
shortage gets one worth, raised until prices prove that no allocation leaves less (above that
threshold, which is finite, the two have the same solutions). With share weighting the worth of a
hectare differs by the areas of the statistics, a hundred million times and more, and no number
outweighs all of them and leaves digits for the score; nor where hardly anything can be placed.
There the rule is taken literally, in two stages: the optimal prices of the first, by complementary
slackness, tell which uses of land keep the shortage least, which land must be used in full and
which statistics must be met; the second finds the best score among those (`kernels`, `first`).
"""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np

from cropalloc.allocation import early, kernels
from cropalloc.allocation.compiled import Compiled, Finish
from cropalloc.allocation.first_prices import first_prices
from cropalloc.allocation.limits import ConvergenceError, Limits
from cropalloc.allocation.stage import overlapping, solve_stage

log = logging.getLogger(__name__)

RAISE = 8.0  # factor on the worth of a hectare that did not force the least shortage
DROWNED = 1e5  # worth of all statistics' shortage, by the score, beyond which it takes its digits
PROVEN = 1e-10  # relative gap at which the least shortage counts as proven


def solve_lexicographic(
    compiled: Compiled, small: int, limits: Limits
) -> tuple[Finish, float, np.ndarray]:
    """The optimum, the worth of a hectare of shortage, and prices (d,) of the first stage.

    The worth is infinite where the stages were solved one after the other; the prices are then
    those of the second stage alone.
    """
    compiled.land_penalty = np.inf
    if not compiled.unequal:
        end, multiplier, first = _at_once(compiled, small, limits)
        score, lost = early.score(compiled, end), multiplier * float(compiled.area.sum())
        if lost < DROWNED * score or end.ended == "time limit" or not end.shortage.any():
            return end, multiplier, first
    else:
        equal = replace(compiled, weight=np.ones_like(compiled.weight))
        end, _, first = _at_once(equal, small, replace(limits, gap=0.0))
    if overlapping(compiled):
        # What proves the shortage may be wrong for a few square metres: these are not.
        first = _best(compiled, [first, *_raised(first_prices(compiled, end, first, limits))])
    else:
        first = _cut_of_the_small(compiled, first)
    compiled.first = compiled.activity_prices(first)
    # A statistic that may be short at all has the first price of -1.
    may_lack = (first <= kernels.TIE - 1.0) | compiled.is_short(end.shortage)
    compiled.penalty = np.where(may_lack, 0.0, np.inf)
    return solve_stage(compiled, small, limits), np.inf, first


def _at_once(compiled: Compiled, small: int, limits: Limits) -> tuple[Finish, float, np.ndarray]:
    """Raise the worth of a hectare until the shortage is proven the least there is."""
    compiled.land_penalty = np.inf
    worth = max(compiled.best_worth(), 1e-12)
    lightest = compiled.coefficient[compiled.coefficient > 0].min(initial=1.0)
    multiplier = 4.0 * worth / lightest
    start = None
    for _ in range(16):
        compiled.penalty = np.full(compiled.n_demands, multiplier)
        end = solve_stage(compiled, small, limits, start)
        if not compiled.is_short(end.shortage).any():
            return end, multiplier, np.zeros(compiled.n_demands)
        first = _cut(end, multiplier)
        if end.ended == "gap" and not _is_proof(compiled, end, first, limits):
            # Only the optimum tells what proves its shortage.
            end = solve_stage(compiled, small, replace(limits, gap=0.0), end.prices)
        if not _is_proof(compiled, end, first, limits):
            first = _first_prices(compiled, end, multiplier, limits)
        if _is_proof(compiled, end, first, limits) or end.ended == "time limit":
            return end, multiplier, first
        if limits.over:
            return replace(end, ended="time limit"), multiplier, first
        # Above the threshold prices are affine in the worth of a hectare.
        start = end.prices + (RAISE - 1.0) * multiplier * first
        multiplier *= RAISE
        log.debug("multiplier raised to %g", multiplier)
    raise ConvergenceError("the least shortage could not be proven")


def _cut(end: Finish, multiplier: float) -> np.ndarray:
    """(d,): first prices where statistics do not overlap: the first stage is a cut, of -1 or 0."""
    return np.where(end.prices < -0.5 * multiplier, -1.0, 0.0)


def _first_prices(compiled: Compiled, end: Finish, multiplier: float, limits: Limits) -> np.ndarray:
    """(d,): the best first prices that an allocation, or its prices, tell."""
    candidates = [_cut(end, multiplier), np.clip(end.prices / multiplier, -1.0, None)]
    if end.ended == "optimum":
        candidates += _raised(first_prices(compiled, end, candidates[0], limits))
    return _best(compiled, candidates)


def _raised(first: np.ndarray) -> list[np.ndarray]:
    """First prices (d,), and the same raised by their last digits, which costs nothing.

    One too low by its last digit would seem to draw all land to a statistic of a few square metres.
    """
    return [first + lift for lift in (0.0, 1e-15, 1e-14, 1e-13, 1e-12)]


def _best(compiled: Compiled, candidates: list[np.ndarray]) -> np.ndarray:
    """The first prices (d,) that prove the most shortage."""
    return max(candidates, key=lambda each: least_shortage(compiled, each))


def _is_proof(compiled: Compiled, end: Finish, first: np.ndarray, limits: Limits) -> bool:
    """Whether first prices prove the shortage of a solution to be the least there is."""
    lack = float(end.shortage.sum()) - least_shortage(compiled, first)
    return lack <= max(PROVEN, 0.5 * limits.gap) * float(compiled.area.sum())


def _cut_of_the_small(compiled: Compiled, first: np.ndarray) -> np.ndarray:
    """First prices (d,), -1 or 0, that are right for statistics too small to matter to the proof.

    One of a few square metres with the wrong price would have to be placed where no land is left.
    """
    area = compiled.area
    best, first = least_shortage(compiled, first), first.copy()
    for d in np.flatnonzero((area > 0) & (area <= 10 * PROVEN * area.sum())):
        other = first.copy()
        other[d] = 0.0 if first[d] < -0.5 else -1.0
        found = least_shortage(compiled, other)
        if found > best:
            best, first = found, other
    return first


def least_shortage(compiled: Compiled, prices: np.ndarray) -> float:
    """A lower bound on the hectares of shortage, from prices between -1 and any."""
    value = kernels.exact_value(
        compiled.scores, compiled.leaf, compiled.irrigated, compiled.dry,
        np.full_like(compiled.weight, 1e-30), compiled.activity_prices(prices), compiled.first,
        compiled.n_rainfed, np.inf,
    )  # fmt: skip
    return -(value + float(compiled.area @ prices))
