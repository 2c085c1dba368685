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
from cropalloc.allocation.boxstep import finish, has_few_rows
from cropalloc.allocation.compiled import Compiled, Finish
from cropalloc.allocation.interior import TOO_LARGE, interior_prices, uses
from cropalloc.allocation.limits import ConvergenceError, Limits
from cropalloc.allocation.stage import overlapping, solve_stage

log = logging.getLogger(__name__)

RAISE = 8.0  # factor on the worth of a hectare that did not force the least shortage
DROWNED = 1e5  # worth of all statistics' shortage, by the score, beyond which it takes its digits
NARROW = 0.05  # half the width of the narrowest first box
FEW_ROWS = 3000  # of a finishing programme that is small
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
    if compiled.owner.shape[2] > 1:
        first = _vertex(compiled, first, limits)
    else:
        first = _cut_of_the_small(compiled, first)
    compiled.first = compiled.activity_prices(first)
    # A statistic that may be short at all has the first price of -1.
    may_lack = (first <= kernels.TIE - 1.0) | _is_short(compiled, end)
    compiled.penalty = np.where(may_lack, 0.0, np.inf)
    return solve_stage(compiled, small, limits), np.inf, first


def _at_once(compiled: Compiled, small: int, limits: Limits) -> tuple[Finish, float, np.ndarray]:
    """Raise the worth of a hectare until the shortage is proven the least there is."""
    compiled.land_penalty = np.inf
    worth = max(compiled.best_worth(), 1e-12)
    lightest = compiled.coefficient[compiled.coefficient > 0].min(initial=1.0)
    multiplier = 4.0 * worth / lightest
    start = proof = None
    for _ in range(16):
        compiled.penalty = np.full(compiled.n_demands, multiplier)
        end = solve_stage(compiled, small, limits, start)
        if not _is_short(compiled, end).any():
            return end, multiplier, np.zeros(compiled.n_demands)
        # Where statistics do not overlap, the first stage is a cut: prices are -1 or 0.
        first = np.where(end.prices < -0.5 * multiplier, -1.0, 0.0)
        if not _is_proof(compiled, end, first, limits):
            if proof is None:
                proof = _first_stage(compiled, end.prices / multiplier, limits)
            first = max(first, proof, key=lambda each: least_shortage(compiled, each))
        if _is_proof(compiled, end, first, limits) or end.ended == "time limit":
            return end, multiplier, first
        # Above the threshold prices are affine in the worth of a hectare.
        start = end.prices + (RAISE - 1.0) * multiplier * first
        multiplier *= RAISE
        log.debug("multiplier raised to %g", multiplier)
    raise ConvergenceError("the least shortage could not be proven")


def _is_short(compiled: Compiled, end: Finish) -> np.ndarray:
    """(d,) bool: statistics that lack hectares, by more than rounding."""
    return end.shortage > 1e-12 * compiled.area


def _is_proof(compiled: Compiled, end: Finish, first: np.ndarray, limits: Limits) -> bool:
    """Whether first prices prove the shortage of a solution to be the least there is."""
    lack = float(end.shortage.sum()) - least_shortage(compiled, first)
    return lack <= max(PROVEN, 0.5 * limits.gap) * float(compiled.area.sum())


def _first_stage(compiled: Compiled, start: np.ndarray, limits: Limits) -> np.ndarray:
    """Optimal prices of the first stage: the least shortage, whatever the score."""
    flat = _without_score(compiled)
    prices = np.clip(start, -1.0, None)
    if overlapping(flat) and uses(flat) <= TOO_LARGE:
        # Scattered missing scores make every parcel different, and without scores all of them tie:
        # no box would be small. The bound needs good prices only, not a vertex.
        found, gap = interior_prices(flat, tolerance=0.1 * PROVEN, limits=limits)
        found = np.clip(found, -1.0, None)
        # A price too low by its last digit would seem to draw all land to a statistic of a few
        # square metres; raised within what counts as proven, it costs nothing.
        rounded = (np.round(found, digits) for digits in (0, 1, 2, 3, 4, 6, 8))
        raised = (found + lift for lift in (1e-15, 1e-14, 1e-13, 1e-12, 0.1 * PROVEN))
        found = max((found, *rounded, *raised), key=lambda each: least_shortage(compiled, each))
        return found if gap <= PROVEN else _vertex(compiled, found, limits)
    radius = _few_rows(flat, prices) or NARROW
    return finish(flat, prices, radius, limits).prices


def _vertex(compiled: Compiled, prices: np.ndarray, limits: Limits) -> np.ndarray:
    """First prices near those given, exact for the smallest statistics too; else those given."""
    flat = _without_score(compiled)
    radius = _few_rows(flat, prices)
    if radius is None:
        return prices
    try:
        found = np.clip(finish(flat, prices, radius, limits).prices, -1.0, None)
    except ConvergenceError:
        return prices
    return max(prices, found, key=lambda each: least_shortage(compiled, each))


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


def _without_score(compiled: Compiled) -> Compiled:
    """The first stage: a hectare of shortage costs one, and no use is better than another."""
    return replace(
        compiled,
        scores=compiled.scores._replace(level=True),
        weight=np.ones_like(compiled.weight),
        penalty=np.ones(compiled.n_demands),
    )


def _few_rows(flat: Compiled, prices: np.ndarray) -> float | None:
    """The widest first box whose finishing programme is small.

    Parcels alike in what is allowed share a row: if they are few, one wide box holds the answer.
    """
    return next((r for r in (2.0, 0.3, NARROW) if has_few_rows(flat, prices, r, FEW_ROWS)), None)


def least_shortage(compiled: Compiled, prices: np.ndarray) -> float:
    """A lower bound on the hectares of shortage, from prices between -1 and any."""
    value = kernels.exact_value(
        compiled.scores, compiled.leaf, compiled.irrigated, compiled.dry,
        np.full_like(compiled.weight, 1e-30), compiled.activity_prices(prices), compiled.first,
        compiled.n_rainfed, np.inf,
    )  # fmt: skip
    return -(value + float(compiled.area @ prices))
