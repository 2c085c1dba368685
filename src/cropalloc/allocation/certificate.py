"""An independent proof that an allocation is feasible and optimal.

Shares no code with the solvers: it knows the problem, the allocation and the prices, and recomputes
everything else in plain numpy. Linear programming duality: any prices give an upper bound on the
objective; an allocation that reaches the bound is optimal.

Lexicographic allocations come with prices of two stages. Either they are joined (`multiplier` is
the worth of a hectare of shortage), or they are pairs that are compared in order, as if a hectare
of shortage were worth more than any number: land is worth most in the uses with the best price of
the first stage, and among those in the one with the best net of the second.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cropalloc.allocation.problem import AllocationProblem
from cropalloc.allocation.solution import Rule, Solution
from cropbase.atomic import write_json
from cropbase.errors import CropError

CHUNK = 4096  # cells looked at together: their scores in doubles stay in the processor's cache
EQUAL = 1e-7  # first prices, in hectares of shortage, that count as equal: admits more, never less

MEASURES = (
    "relative_gap", "cropland_excess", "irrigated_excess", "statistic_residual", "forbidden_ha",
    "negative_ha", "price_excess", "shortage_gap",
)  # fmt: skip


class CertificateError(CropError):
    """A solution fails its certificate."""


def certify(problem: AllocationProblem, solution: Solution, rule: Rule) -> dict[str, Any]:
    """Measure a solution against the problem.

    Returns a dict: `objective`, `bound`, `relative_gap` (where hardly anything can be placed, to
    1e-9 of what all statistics at 100 points would be worth); `cropland_excess`,
    `irrigated_excess`, `statistic_residual` (worst, relative to their own right side, or to 1e-9 of
    the whole area of the kind where that is larger), `forbidden_ha` (hectares where no score or
    statistic allows them), `negative_ha`; `price_excess` (worst dual infeasibility, relative),
    `shortage_ha`, `shortage_bound_ha`, `shortage_gap` (lexicographic rule: relative to all
    statistics), and `multiplier` (None where the prices of the two stages are pairs); `ended`: why
    the solver ended.
    """
    solution = _sorted(solution)
    weight, covered = _weights_and_cover(problem, rule)
    primal = _feasibility(problem, solution, covered)
    proof = _lexicographic_proof if rule.lexicographic else _weights_proof
    return {
        **proof(problem, solution, rule, weight, covered),
        **primal,
        "shortage_ha": math.fsum(solution.shortage),
        "multiplier": None if math.isinf(solution.multiplier) else float(solution.multiplier),
        "rule": "lexicographic" if rule.lexicographic else "weights",
        "weighting": rule.weighting,
        "method": solution.method,
        "ended": solution.ended,
        "seconds": round(solution.seconds, 3),
        "cells": problem.n_cells,
        "activities": len(problem.activities),
        "statistics": len(problem.demands),
    }


def _feasibility(
    problem: AllocationProblem, solution: Solution, covered: np.ndarray
) -> dict[str, float]:
    """By how much the allocation breaks land, statistics and what is allowed."""
    wet = np.array([s == "I" for _, s in problem.activities], dtype=bool)
    least, least_wet = _floor(problem.cropland_ha), _floor(problem.irrigated_ha)
    table = np.zeros(covered.shape)
    excess = excess_wet = forbidden = negative = 0.0
    for cells, rows in _chunks(problem, solution):
        cell, kind, hectares = (
            array[rows] for array in (solution.cell, solution.activity, solution.hectares)
        )
        leaf, land, irrigated = (
            array[cells] for array in (problem.leaf, problem.cropland_ha, problem.irrigated_ha)
        )
        place, n = cell - cells.start, len(land)
        allowed = covered[leaf[place], kind] & ~np.isnan(problem.scores[kind, cell])
        used = np.bincount(place, hectares, minlength=n)
        used_wet = np.bincount(place, hectares * wet[kind], minlength=n)
        over = _relative(used - land - solution.over_cropland[cells], land, least)
        over_wet = _relative(
            used_wet - irrigated - solution.over_irrigated[cells], irrigated, least_wet
        )
        excess = np.maximum(
            excess, over.max(initial=0.0)
        )  # unlike max, says if one is not a number
        excess_wet = np.maximum(excess_wet, over_wet.max(initial=0.0))
        np.add.at(table, (leaf[place], kind), hectares)
        forbidden += np.abs(hectares[~allowed]).sum()
        negative -= np.minimum(hectares, 0).sum()
    area = _areas(problem)
    placed = np.array(
        [
            sum(c * table[demand.leaves, row].sum() for row, c in problem.activity_rows(demand))
            for demand in problem.demands
        ]
    )
    residual = _relative(np.abs(placed + solution.shortage - area), area, _floor(area))
    return {
        "cropland_excess": float(excess),
        "irrigated_excess": float(excess_wet),
        "statistic_residual": float(residual.max(initial=0.0)),
        "forbidden_ha": float(forbidden),
        "negative_ha": float(negative - np.minimum(solution.shortage, 0).sum()),
    }


def _chunks(problem: AllocationProblem, solution: Solution) -> Iterator[tuple[slice, slice]]:
    """Slices of cells, and of the uses of these cells, so that no copy is as long as all cells."""
    starts = range(0, problem.n_cells, CHUNK)
    edges = np.searchsorted(solution.cell, [*starts, problem.n_cells])
    for number, start in enumerate(starts):
        yield slice(start, start + CHUNK), slice(edges[number], edges[number + 1])


def _sorted(solution: Solution) -> Solution:
    """The solution with its uses sorted by cell."""
    if (solution.cell[1:] >= solution.cell[:-1]).all():
        return solution
    order = np.argsort(solution.cell, kind="stable")
    names = ("cell", "activity", "hectares")
    return replace(solution, **{name: getattr(solution, name)[order] for name in names})


def _lexicographic_proof(
    problem: AllocationProblem, solution: Solution, rule: Rule, weight: np.ndarray,
    covered: np.ndarray,
) -> dict[str, float]:  # fmt: skip
    """Gaps of both stages, and by how much the prices are not those of a bound."""
    area = _areas(problem)
    score, shortage = _score(problem, solution, weight), math.fsum(solution.shortage)
    scale = max(score, _hardly_anything(problem, weight))
    prices = np.where(area > 0, solution.prices, 0.0)
    first = np.where(area > 0, solution.shortage_prices, 0.0)
    least = -_dual_bound(problem, np.zeros_like(weight), covered, first)[0]
    if math.isinf(solution.multiplier):
        bound, _ = _dual_bound(problem, weight, covered, prices, before=first)
        # A statistic that may lack hectares must not have a price below zero.
        below = np.where(first <= EQUAL - 1, np.maximum(-prices, 0), 0.0) * area / scale
    else:
        bound, _ = _dual_bound(problem, weight, covered, prices)
        bound += solution.multiplier * shortage
        below = _below(prices, np.full(len(area), solution.multiplier))
    below = np.maximum(below, np.maximum(-1 - first, 0))
    return {
        "objective": score,
        "bound": float(bound),
        "relative_gap": float(abs(bound - score) / scale),
        "price_excess": float(below[area > 0].max(initial=0.0)),
        "shortage_bound_ha": float(least),
        "shortage_gap": max(0.0, shortage - least) / max(math.fsum(area), 1e-300),
    }


def _weights_proof(
    problem: AllocationProblem, solution: Solution, rule: Rule, weight: np.ndarray,
    covered: np.ndarray,
) -> dict[str, float]:  # fmt: skip
    """The gap with the printed penalties, and by how much the prices are not those of a bound."""
    area, penalty = _areas(problem), rule.penalties(problem)
    score = _score(problem, solution, weight)
    beyond = math.fsum(solution.over_cropland) + math.fsum(solution.over_irrigated)
    lost = math.fsum(penalty * solution.shortage)
    objective = score - lost - rule.land_penalty_per_ha * beyond
    prices = np.where(area > 0, solution.prices, 0.0)
    bound, over = _dual_bound(problem, weight, covered, prices, rule.land_penalty_per_ha)
    scale = max(abs(objective), score, lost, _hardly_anything(problem, weight))
    below = _below(prices, penalty)[area > 0]
    return {
        "objective": objective,
        "bound": float(bound),
        "relative_gap": float(abs(bound - objective) / scale),
        "price_excess": max(over, float(below.max(initial=0.0))),
        "shortage_bound_ha": 0.0,
        "shortage_gap": 0.0,
    }


def _areas(problem: AllocationProblem) -> np.ndarray:
    return np.array([demand.area_ha for demand in problem.demands], dtype=np.float64)


def _score(problem: AllocationProblem, solution: Solution, weight: np.ndarray) -> float:
    def worths() -> Iterator[float]:
        for _, rows in _chunks(problem, solution):
            cell, kind = solution.cell[rows], solution.activity[rows]
            points = problem.scores[kind, cell].astype(np.float64)
            yield from (
                points * weight[problem.leaf[cell], kind] * solution.hectares[rows]
            ).tolist()

    return math.fsum(worths())


def _hardly_anything(problem: AllocationProblem, weight: np.ndarray) -> float:
    """A billionth of the worth of all statistics placed at 100 points."""
    worths = [
        demand.area_ha * float(weight[demand.leaves, row].max(initial=0.0)) / coefficient
        for demand in problem.demands
        for row, coefficient in problem.activity_rows(demand)
    ]
    return max(1e-9 * 100.0 * math.fsum(worths), 1e-300)


def is_proven(certificate: dict[str, Any], tolerance: float) -> bool:
    """Whether every measure of a certificate is within `tolerance`."""
    return all(certificate[name] <= tolerance for name in MEASURES)


def check_proven(certificate: dict[str, Any], tolerance: float) -> None:
    """Raise CertificateError, naming gap, limit and remedy, if a measure is beyond `tolerance`."""
    if is_proven(certificate, tolerance):
        return
    worst = {name: certificate[name] for name in MEASURES if certificate[name] > tolerance}
    early = certificate["ended"] != "optimum"
    raise CertificateError(
        "an allocation is not proven optimal"
        + (f": it ended by its {certificate['ended']}" if early else ""),
        given=", ".join(f"{name} {value:.2g}" for name, value in worst.items()),
        allowed=f"gaps and residuals up to allocation.max_relative_gap: {tolerance:g}",
        remedy="raise allocation.time_limit_s, or accept this gap as allocation.max_relative_gap"
        if early
        else "try allocation.solver: reference, and report this problem",
    )


def write_certificate(
    path: str | Path,
    certificates: list[dict[str, Any]],
    *,
    tolerance: float,
    cleaned: Sequence[str] = (),
) -> None:
    """Write the certificates of groups; raises CertificateError if one is not proven."""
    for part in certificates:
        check_proven(part, tolerance)
    whole = {
        "objective": math.fsum(part["objective"] for part in certificates),
        "shortage_ha": math.fsum(part["shortage_ha"] for part in certificates),
        **{name: max((part[name] for part in certificates), default=0.0) for name in MEASURES},
        "tolerance": tolerance,
        "ended": sorted({part["ended"] for part in certificates}),
        "seconds": round(sum(part["seconds"] for part in certificates), 3),
        "method": ", ".join(sorted({part["method"] for part in certificates})),
        "cleaned": list(cleaned),
        "parts": certificates,
    }
    write_json(path, whole)


def _floor(right: np.ndarray) -> float:
    """A billionth of the whole of right sides."""
    return 1e-9 * float(right.sum())


def _relative(excess: np.ndarray, right: np.ndarray, floor: float) -> np.ndarray:
    """Excess over the right side; where that is below `floor`, over that instead."""
    return np.maximum(excess, 0.0) / np.maximum(right, max(floor, 1e-300))


def _weights_and_cover(problem: AllocationProblem, rule: Rule) -> tuple[np.ndarray, np.ndarray]:
    """(leaves, m): worth of a score point on a hectare; whether statistics above zero allow it."""
    shape = (len(problem.leaf_ids), len(problem.activities))
    weight, systems = np.ones(shape), np.full(shape, 99)
    covered, barred = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    for demand in problem.demands:
        for row, coefficient in problem.activity_rows(demand):
            covered[demand.leaves, row] = True
            if demand.area_ha == 0:
                barred[demand.leaves, row] = True
            elif rule.weighting == "share":
                # The statistic of the fewest systems tells the physical area; the last of equals.
                closer = demand.leaves[len(demand.systems) <= systems[demand.leaves, row]]
                weight[closer, row] = coefficient / demand.area_ha
                systems[closer, row] = len(demand.systems)
    return weight, covered & ~barred


def _dual_bound(
    problem: AllocationProblem,
    weight: np.ndarray,
    covered: np.ndarray,
    prices: np.ndarray,
    land_penalty: float = math.inf,
    before: np.ndarray | None = None,
) -> tuple[float, float]:
    """Dual objective at given prices, and the worst excess of a net over the land penalty.

    `before` (d,) are prices of a first stage, which are compared before `prices`.

    The land of a cell is worth (cropland - irrigated) x c + irrigated x (c + d), where c is the
    greatest net of rainfed activities (and of irrigated ones less what a hectare beyond irrigated
    land costs) and c + d the greatest of all.
    """
    wet = np.array([system == "I" for _, system in problem.activities], dtype=bool)
    per_leaf = _prices_per_leaf(problem, weight.shape, prices)
    first_per_leaf = None if before is None else _prices_per_leaf(problem, weight.shape, before)
    excess = 0.0

    def parts() -> Iterator[float]:
        nonlocal excess
        for start in range(0, problem.n_cells, CHUNK):
            cells = slice(start, start + CHUNK)
            leaf = problem.leaf[cells]
            net = problem.scores[:, cells].T.astype(np.float64) * weight[leaf] - per_leaf[leaf]
            net = np.where(covered[leaf] & ~np.isnan(net), net, -np.inf)
            if first_per_leaf is None:
                dry, either = _best(net, wet, land_penalty)
            else:
                earlier = np.where(np.isfinite(net), -first_per_leaf[leaf], -np.inf)
                dry = _best_in_order(earlier[:, ~wet], net[:, ~wet])
                either = _best_in_order(earlier, net)
            land, irrigated = problem.cropland_ha[cells], problem.irrigated_ha[cells]
            yield from ((land - irrigated) * dry + irrigated * either).tolist()
            if math.isfinite(land_penalty):
                over = dry[land > 0].max(initial=0.0) - land_penalty
                over_both = either[land > 0].max(initial=0.0) - 2 * land_penalty
                excess = max(excess, over / land_penalty, over_both / land_penalty)
        yield from (prices * _areas(problem)).tolist()

    return math.fsum(parts()), float(excess)


def _best(net: np.ndarray, wet: np.ndarray, land_penalty: float) -> tuple[np.ndarray, np.ndarray]:
    """(cells,) twice: greatest net on dry land, and on irrigated land; idling has 0."""
    best_wet = net[:, wet].max(axis=1, initial=-np.inf)
    dry = np.maximum(net[:, ~wet].max(axis=1, initial=0.0), best_wet - land_penalty)
    return dry, np.maximum(dry, best_wet)


def _prices_per_leaf(
    problem: AllocationProblem, shape: tuple[int, ...], prices: np.ndarray
) -> np.ndarray:
    """(leaves, m): price of a hectare of each activity."""
    found = np.zeros(shape)
    for demand, price in zip(problem.demands, prices, strict=True):
        for row, coefficient in problem.activity_rows(demand):
            found[demand.leaves, row] += coefficient * price
    return found


def _best_in_order(earlier: np.ndarray, net: np.ndarray) -> np.ndarray:
    """(cells,): greatest net among uses of the greatest earlier net; idling has 0 of both."""
    top = earlier.max(axis=1, initial=0.0)
    among = np.where(earlier >= top[:, None] - EQUAL, net, -np.inf)
    return np.maximum(among.max(axis=1, initial=-np.inf), np.where(top <= EQUAL, 0.0, -np.inf))


def _below(prices: np.ndarray, penalty: np.ndarray) -> np.ndarray:
    """(d,): by how much prices are below the least that the penalty of shortage allows."""
    return np.maximum(-penalty - prices, 0) / np.maximum(np.abs(penalty), 1.0)
