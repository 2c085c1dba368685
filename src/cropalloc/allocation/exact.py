"""The exact solver: good prices first, then a small linear programme for the exact end.

Both forms of the problem are solved alike: statistics enter only through the prices of activities
in a leaf. Good prices come from a smoothed dual (`annealing`), or, where an activity counts for
several statistics, from an interior-point method (`interior`).

The lexicographic rule is in `lexicographic`; the limits of time and gap are in `limits`.
"""

from __future__ import annotations

import time

import numpy as np

from cropalloc.allocation import placing
from cropalloc.allocation.compiled import Compiled, Finish, compile_problem
from cropalloc.allocation.lexicographic import solve_lexicographic
from cropalloc.allocation.limits import Limits
from cropalloc.allocation.problem import AllocationProblem
from cropalloc.allocation.solution import Rule, Solution
from cropalloc.allocation.stage import SMALL, solve_stage

NONE = Limits()
OUTSIZE = 1e4  # mean penalty of a hectare, by the best worth of one, from which lesser come first
LESSER = 1e3  # these, by the best worth of a hectare


def solve_exact(
    problem: AllocationProblem, rule: Rule, *, small: int = SMALL, limits: Limits = NONE
) -> Solution:
    """Solve one problem exactly.

    Parameters
    ----------
    small : problems of no more cell-activities than this go straight to the finishing programme.
    limits : when to end with what was reached; `Solution.ended` tells, and the certificate states
        how far it is from the optimum.

    Raises ConvergenceError if the method fails (the caller then takes the reference model).
    """
    begin = time.perf_counter()
    compiled = compile_problem(problem, rule.weighting)
    if rule.lexicographic:
        end, multiplier, first = solve_lexicographic(compiled, small, limits)
    else:
        end = _solve_weights(compiled, rule.penalties(problem), rule, small, limits)
        multiplier, first = 0.0, np.zeros(compiled.n_demands)
    return _as_solution(problem, compiled, end, multiplier, first, time.perf_counter() - begin)


def _solve_weights(
    compiled: Compiled, penalty: np.ndarray, rule: Rule, small: int, limits: Limits
) -> Finish:
    """The optimum with the printed penalties (d,).

    Those of a problem of a few square metres are enormous a hectare. What is placed in full under
    lesser ones is placed in full under these, and prices then keep their digits.
    """
    lesser = np.minimum(penalty, LESSER * compiled.best_worth())
    typical = float(penalty @ compiled.area) / max(float(compiled.area.sum()), 1e-300)
    outsize = typical > OUTSIZE * compiled.best_worth()
    for each in (lesser, penalty) if outsize else (penalty,):
        compiled.penalty = each
        compiled.land_penalty = rule.land_penalty_per_ha
        if not _land_can_be_exceeded(compiled):
            compiled.land_penalty = np.inf
        end = solve_stage(compiled, small, limits)
        if not end.shortage.any() and not end.over_hectares.any():
            break
    return end


def _land_can_be_exceeded(compiled: Compiled) -> bool:
    """Whether exceeding land could ever be cheaper than a shortage."""
    padded = np.append(compiled.penalty, 0.0)
    relief = np.einsum("lmq,lmq->lm", compiled.coefficient, padded[compiled.owner])
    relief = relief + 100.0 * compiled.weight
    return bool((relief[compiled.allowed] > compiled.land_penalty).any())


def _as_solution(problem, compiled, end, multiplier, first, seconds) -> Solution:
    """From the solver's order of activities to the problem's."""
    cell, activity = end.cell, compiled.scores.rows.astype(np.int16)[end.activity]
    hectares = end.hectares
    if len(end.over_cell):
        over = (end.over_cell, compiled.scores.rows[end.over_activity], end.over_hectares)
        cell, activity, hectares = _joined((cell, activity, hectares), over)
    if np.isfinite(compiled.land_penalty):
        wet = np.array([system == "I" for _, system in problem.activities], dtype=bool)
        over_cropland, over_irrigated = (
            placing.beyond(cell, activity, hectares, counts, land)
            for counts, land in (
                (np.ones_like(wet), problem.cropland_ha), (wet, problem.irrigated_ha)
            )
        )  # fmt: skip
    else:
        over_cropland, over_irrigated = np.zeros(problem.n_cells), np.zeros(problem.n_cells)
    return Solution(
        cell, activity, hectares, end.shortage, end.prices, multiplier, first, over_cropland,
        over_irrigated, "exact", seconds, {"finishing_programmes": float(end.steps)},
        end.ended,
    )  # fmt: skip


def _joined(uses: tuple, over: tuple) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Uses (cell, activity, hectares), sorted, and a few more, which may be of the same ones."""
    cell, activity, hectares = uses
    places, more = [], []
    for i, k, extra in sorted(zip(*over, strict=True)):
        begin, end = np.searchsorted(cell, [i, i + 1])
        at = begin + int(np.searchsorted(activity[begin:end], k))
        if at < end and activity[at] == k:
            hectares[at] += extra
        else:
            places.append(at)
            more.append((i, k, extra))
    if not more:
        return uses
    columns = zip(*more, strict=True)
    return tuple(
        np.insert(array, places, column) for array, column in zip(uses, columns, strict=True)
    )
