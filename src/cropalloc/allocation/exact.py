"""The exact solver: good prices first, then a small linear programme for the exact end.

Both forms of the problem are solved alike: statistics enter only through the prices of activities
in a leaf. Good prices come from a smoothed dual (`annealing`), or, where an activity counts for
several statistics, from an interior-point method (`interior`).

The lexicographic rule is the printed one with land never exceeded and one worth a hectare of
shortage, raised until prices prove that no allocation leaves less (above that threshold, which is
finite for a linear programme, the two rules have the same solutions).
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace

import numpy as np

from cropalloc.allocation import kernels
from cropalloc.allocation.annealing import anneal
from cropalloc.allocation.boxstep import ConvergenceError, Finish, finish, open_rows
from cropalloc.allocation.compiled import Compiled, compile_problem
from cropalloc.allocation.interior import TOO_LARGE, interior_prices, uses
from cropalloc.allocation.problem import AllocationProblem
from cropalloc.allocation.solution import Rule, Solution

log = logging.getLogger(__name__)

SMALL = 2000  # so few cell-activities are one small programme: no prices are needed before
NEAR_POINTS = 2e-3  # score points that prices of the interior point may be wrong by, at first
RAISE = 8.0  # factor on the worth of a hectare that did not force the least shortage
PROVEN = 1e-10  # relative gap at which the least shortage counts as proven


def solve_exact(
    problem: AllocationProblem, rule: Rule, *, small: int = SMALL, limit_s: float = np.inf
) -> Solution:
    """Solve one problem exactly.

    Parameters
    ----------
    small : problems of no more cell-activities than this go straight to the finishing programme.

    limit_s : seconds after which to give up.

    Raises ConvergenceError if the method fails (the caller then takes the reference model),
    OutOfTimeError after `limit_s`.
    """
    begin = time.perf_counter()
    deadline = begin + limit_s
    compiled = compile_problem(problem, rule.weighting)
    if rule.lexicographic:
        end, multiplier, first = _lexicographic(compiled, small, deadline)
    else:
        compiled.penalty = rule.penalties(problem)
        compiled.land_penalty = rule.land_penalty_per_ha
        if not _land_can_be_exceeded(compiled):
            compiled.land_penalty = np.inf
        end = _solve(compiled, small, deadline)
        multiplier, first = 0.0, np.zeros(compiled.n_demands)
    return _as_solution(problem, compiled, end, multiplier, first, time.perf_counter() - begin)


def _land_can_be_exceeded(compiled: Compiled) -> bool:
    """Whether exceeding land could ever be cheaper than a shortage."""
    padded = np.append(compiled.penalty, 0.0)
    relief = np.einsum("lmq,lmq->lm", compiled.coefficient, padded[compiled.owner])
    relief = relief + 100.0 * compiled.weight
    return bool((relief[compiled.allowed] > compiled.land_penalty).any())


def _solve(
    compiled: Compiled, small: int, deadline: float, start: np.ndarray | None = None
) -> Finish:
    """The optimum for given penalties."""
    n, m = compiled.scores.shape
    lower = -compiled.penalty
    worth = max(compiled.best_worth(), 1e-300)
    if n * m <= small:
        radius = 2 * max(worth, float(compiled.penalty.max(initial=0.0)))
        return finish(compiled, np.zeros(compiled.n_demands), radius, deadline=deadline)
    if _overlapping(compiled):
        # Statistics overlap: smoothing would lose its way among prices that repeat each other.
        prices, _ = interior_prices(compiled)
        return finish(compiled, prices, NEAR_POINTS * compiled.weight, deadline=deadline)
    if start is None:
        target = max(400, compiled.n_demands, n // 300)
        prices, temperature = anneal(compiled, lower, open_target=target)
    else:
        prices, temperature = np.maximum(start, lower), worth * 1e-4
    radius = _radius(compiled, prices, temperature)
    return finish(compiled, prices, radius, deadline=deadline)


def _overlapping(compiled: Compiled) -> bool:
    """Whether an activity counts for several statistics, in a problem that memory allows."""
    return compiled.owner.shape[2] > 1 and uses(compiled) <= TOO_LARGE


def _radius(compiled: Compiled, prices: np.ndarray, temperature: float) -> float:
    """A first box: some temperatures wide, unless that would leave too many parcels open."""
    margin = kernels.margins(
        compiled.scores, compiled.leaf, compiled.irrigated, compiled.dry, compiled.weight,
        compiled.activity_prices(prices), compiled.n_rainfed, compiled.land_penalty,
    ).ravel()  # fmt: skip
    margin = margin[np.isfinite(margin)]
    limit = 1500 + 2 * compiled.n_demands + len(compiled.leaf) // 150
    wide = 2 * temperature
    if len(margin) > limit:
        wide = min(wide, float(np.partition(margin, limit)[limit]) / 2)
    return max(wide, 0.01 * temperature, 1e-12 * max(1.0, float(np.abs(prices).max(initial=0))))


def _lexicographic(
    compiled: Compiled, small: int, deadline: float
) -> tuple[Finish, float, np.ndarray]:
    """Raise the worth of a hectare until the shortage is proven the least there is."""
    compiled.land_penalty = np.inf
    worth = max(compiled.best_worth(), 1e-12)
    lightest = compiled.coefficient[compiled.coefficient > 0].min(initial=1.0)
    total = float(compiled.area.sum())
    # A statistic of a few square metres has an enormous worth a hectare with share weighting; a
    # multiplier beyond even that would leave no digits for the score. Any that proves is right.
    worth = min(worth, 100.0 * _typical_weight(compiled))
    multiplier = 4.0 * worth / lightest
    start = proof = None
    for _ in range(16):
        compiled.penalty = np.full(compiled.n_demands, multiplier)
        end = _solve(compiled, small, deadline, start)
        lack = float(end.shortage.sum())
        if lack <= 1e-12 * total:
            return end, multiplier, np.zeros(compiled.n_demands)
        # Where statistics do not overlap, the first stage is a cut: prices are -1 or 0.
        first = np.where(end.prices < -0.5 * multiplier, -1.0, 0.0)
        if lack - least_shortage(compiled, first) > PROVEN * total:
            if proof is None:
                proof = _first_stage(compiled, end.prices / multiplier, deadline)
            first = proof
        if lack - least_shortage(compiled, first) <= PROVEN * total:
            return end, multiplier, first
        # Above the threshold prices are affine in the worth of a hectare.
        start = end.prices + (RAISE - 1.0) * multiplier * first
        multiplier *= RAISE
        log.debug("multiplier raised to %g", multiplier)
    raise ConvergenceError("the least shortage could not be proven")


def _typical_weight(compiled: Compiled) -> float:
    """Worth of a score point on a hectare, in the mean over the hectares of the statistics."""
    q = compiled.owner.shape[2]
    owner = np.where(compiled.owner < 0, compiled.n_demands, compiled.owner).ravel()
    weight = np.repeat(compiled.weight.ravel(), q)
    found = np.bincount(owner, minlength=compiled.n_demands + 1)[:-1]
    mean = np.bincount(owner, weight, minlength=compiled.n_demands + 1)[:-1] / np.maximum(found, 1)
    return float(compiled.area @ mean) / max(float(compiled.area.sum()), 1e-300) or 1e-12


def _first_stage(compiled: Compiled, start: np.ndarray, deadline: float) -> np.ndarray:
    """Optimal prices of the first stage: the least shortage, whatever the score."""
    flat = replace(
        compiled,
        scores=np.where(np.isfinite(compiled.scores), np.float32(0), np.float32(-np.inf)),
        penalty=np.ones(compiled.n_demands),
    )
    prices = np.clip(start, -1.0, None)
    found, gap = prices, np.inf
    if _overlapping(flat):
        # Scattered missing scores make every parcel different, and without scores all of them tie:
        # no box would be small. The bound needs good prices only, not a vertex.
        found, gap = interior_prices(flat, tolerance=0.1 * PROVEN)
        found = np.clip(found, -1.0, None)
        rounded = (np.round(found, digits) for digits in (0, 1, 2, 3, 4, 6, 8))
        found = max((found, *rounded), key=lambda each: least_shortage(compiled, each))
        if gap <= PROVEN:
            return found
    # Parcels alike in what is allowed share a row: if they are few, one wide box holds the answer.
    for radius in (2.0, 0.3, 0.05):
        if open_rows(flat, prices, radius) <= 3000:
            return finish(flat, prices, radius, deadline=deadline).prices
    if np.isfinite(gap):
        return found
    return finish(flat, prices, radius, deadline=deadline).prices


def least_shortage(compiled: Compiled, prices: np.ndarray) -> float:
    """A lower bound on the hectares of shortage, from prices between -1 and any."""
    value = kernels.exact_value(
        compiled.scores, compiled.leaf, compiled.irrigated, compiled.dry,
        np.full_like(compiled.weight, 1e-30), compiled.activity_prices(prices),
        compiled.n_rainfed, np.inf,
    )  # fmt: skip
    return -(value + float(compiled.area @ prices))


def _as_solution(problem, compiled, end, multiplier, first, seconds) -> Solution:
    """From the solver's order of cells and activities to the problem's."""
    cell, activity = compiled.cells[end.cell], compiled.activity[end.activity]
    hectares = end.hectares
    over_cell, over_activity = compiled.cells[end.over_cell], compiled.activity[end.over_activity]
    if len(over_cell):
        cell = np.concatenate([cell, over_cell])
        activity = np.concatenate([activity, over_activity])
        hectares = np.concatenate([hectares, end.over_hectares])
    key = cell * len(problem.activities) + activity
    unique, inverse = np.unique(key, return_inverse=True)
    hectares = np.bincount(inverse, hectares, minlength=len(unique))
    cell, activity = np.divmod(unique, max(len(problem.activities), 1))
    over_cropland = np.zeros(problem.n_cells)
    over_irrigated = np.zeros(problem.n_cells)
    if np.isfinite(compiled.land_penalty):
        wet = np.array([system == "I" for _, system in problem.activities], dtype=bool)[activity]
        used = np.bincount(cell, hectares, minlength=problem.n_cells)
        used_wet = np.bincount(cell, hectares * wet, minlength=problem.n_cells)
        over_cropland = _beyond(used, problem.cropland_ha)
        over_irrigated = _beyond(used_wet, problem.irrigated_ha)
    return Solution(
        cell, activity, hectares, end.shortage, end.prices, multiplier, first, over_cropland,
        over_irrigated, "exact", seconds, {"finishing_programmes": float(end.steps)},
    )  # fmt: skip


def _beyond(used: np.ndarray, land: np.ndarray) -> np.ndarray:
    over = used - land
    return np.where(over > 1e-12 * np.maximum(land, 1e-3), over, 0.0)
