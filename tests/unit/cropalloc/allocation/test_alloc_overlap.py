"""The general form under shortage: overlapping statistics, few states, many zero scores."""

from __future__ import annotations

import time

import numpy as np
import pytest

from cropalloc.allocation.certificate import certify, is_proven
from cropalloc.allocation.compiled import compile_problem
from cropalloc.allocation.exact import solve_exact
from cropalloc.allocation.generated import generate
from cropalloc.allocation.interior import interior_prices
from cropalloc.allocation.limits import Limits
from cropalloc.allocation.problem import AllocationProblem, Demand
from cropalloc.allocation.reference import solve_reference
from cropalloc.allocation.slack import slack_table
from cropalloc.allocation.solution import Rule


def states(n_cells: int, n_crops: int, *, districts: int, seed: int) -> AllocationProblem:
    """Generated: 4 states of districts, irrigated land short, systems of the whole area, zeros.

    Statistics of a state sum over systems; some are a few square metres; 60 % of scores are zero.
    """
    rng = np.random.default_rng(seed)
    base = generate(n_cells, n_crops, seed=seed, n_leaves=4, general=True, fill=0.6, missing=0.01)
    district = (np.arange(n_cells) * districts // n_cells).astype(np.int32)
    state = np.array([base.leaf[district == d][0] for d in range(districts)])
    scores = np.where(rng.random(base.scores.shape) < 0.6, base.scores * 0, base.scores)
    demands = []
    for d in base.demands:
        area = d.area_ha
        if d.systems == ("I",):
            area *= 4.0
        elif d.systems == ("L",) and d.crop < "crop03":
            area = 1e-5
        leaves = np.flatnonzero(np.isin(state, d.leaves))
        demands.append(Demand(d.crop, d.systems, d.unit_id, leaves, area, d.coefficients))
    return AllocationProblem(
        base.cell_id, district, tuple(f"d{d}" for d in range(districts)), base.cropland_ha,
        base.irrigated_ha, base.activities, scores.astype(np.float32), tuple(demands),
    )  # fmt: skip


@pytest.mark.parametrize("weighting", ["area", "share"])
@pytest.mark.parametrize("lexicographic", [True, False])
def test_short_irrigated_land_is_solved_as_the_reference_does(weighting, lexicographic):
    problem = states(300, 4, districts=20, seed=2)
    rule = Rule(weighting, lexicographic)
    solution = solve_exact(problem, rule, small=0)
    certificate = certify(problem, solution, rule)
    assert is_proven(certificate, 1e-9), certificate
    reference = solve_reference(problem, rule)
    assert solution.shortage.sum() > 0
    if lexicographic:
        assert solution.shortage.sum() == pytest.approx(reference.shortage.sum(), rel=1e-9)
    ours, theirs = solution.objective(problem, rule), reference.objective(problem, rule)
    assert ours == pytest.approx(theirs, rel=1e-6)
    # The reference holds shortage to its own tolerance; it cannot be better by more than that.
    assert ours >= theirs - 1e-6 * abs(theirs)


def test_states_with_many_districts_and_short_irrigated_land_take_seconds():
    problem = states(6000, 8, districts=200, seed=1)
    begin = time.perf_counter()
    solution = solve_exact(problem, Rule())
    certificate = certify(problem, solution, Rule())
    assert is_proven(certificate, 1e-9), certificate
    assert solution.details["finishing_programmes"] <= 10
    assert time.perf_counter() - begin < 30  # 1 s, and compiling; without the method, minutes


def test_scattered_missing_scores_under_shortage_take_seconds():
    problem = generate(3000, 8, seed=3, n_leaves=6, general=True, fill=1.4, missing=0.05)
    solution = solve_exact(problem, Rule(), limits=Limits(time.perf_counter() + 60))
    assert is_proven(certify(problem, solution, Rule()), 1e-9)
    assert solution.shortage.sum() > 0


def test_leaves_with_the_same_statistics_are_one():
    problem = states(400, 3, districts=40, seed=4)
    compiled = compile_problem(problem, "area")
    assert len(compiled.weight) == 4
    state = [demand.leaves for demand in problem.demands if len(demand.leaves) < 40]
    for zone in range(4):
        inside = np.unique(problem.leaf[compiled.leaf == zone])
        assert any(set(inside) <= set(leaves) for leaves in state)


def test_interior_prices_bound_the_optimum_closely():
    """Any prices bound the optimum of the penalised problem; these are as good as the exact ones."""
    problem = states(300, 4, districts=8, seed=5)
    exact = solve_exact(problem, Rule())
    compiled = compile_problem(problem, "area")
    compiled.penalty = np.full(compiled.n_demands, exact.multiplier)
    prices, gap = interior_prices(compiled)
    scores = problem.scores[compiled.scores.rows].T.astype(float)
    scores[np.isnan(scores)] = -np.inf

    def dual(at: np.ndarray) -> float:
        net = scores - compiled.activity_prices(at)[compiled.leaf]
        rainfed = np.maximum(net[:, : compiled.n_rainfed].max(axis=1), 0)
        best = np.maximum(net.max(axis=1), 0)
        return compiled.dry @ rainfed + compiled.irrigated @ best + compiled.area @ at

    assert gap <= 1e-8
    assert dual(prices) == pytest.approx(dual(exact.prices), rel=1e-8)


def test_reasons_of_thousands_of_statistics_are_told_at_once():
    n = 4000
    problem = AllocationProblem(
        np.arange(n), np.arange(n, dtype=np.int32), tuple(f"u{i}" for i in range(n)), np.ones(n),
        np.zeros(n), (("wheat", "L"),), np.full((1, n), 5, np.float32),
        tuple(Demand("wheat", ("L",), f"u{i}", [i], 2.0) for i in range(n)),
    )  # fmt: skip
    solution = solve_exact(problem, Rule())
    begin = time.perf_counter()
    table = slack_table(problem, solution)
    assert len(table) == n
    assert table["sentence"].str.endswith("because cropland ends").all()
    assert time.perf_counter() - begin < 2


def test_worths_a_hectare_that_differ_by_1e10_leave_digits_for_the_score():
    """Share weighting, lexicographic: 0.1 m2 beside 1e5 ha, where no multiplier would do."""
    problem = states(3000, 6, districts=40, seed=7)
    areas = np.array([demand.area_ha for demand in problem.demands])
    assert areas.max() / areas[areas > 0].min() > 1e9
    rule = Rule("share", lexicographic=True)
    solution = solve_exact(problem, rule)
    certificate = certify(problem, solution, rule)
    assert certificate["multiplier"] is None
    assert certificate["shortage_ha"] > 0
    assert is_proven(certificate, 1e-11), certificate
    # The same hectares are short, whatever a score point is worth.
    same = solve_exact(problem, Rule("area", lexicographic=True))
    assert solution.shortage.sum() == pytest.approx(same.shortage.sum(), rel=1e-12)
