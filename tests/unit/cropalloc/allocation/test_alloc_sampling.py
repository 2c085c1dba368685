"""Prices of large problems from samples and boxes, beside those of all uses at once."""

from __future__ import annotations

import numpy as np
import pytest

from cropalloc.allocation import sampling, sampling_kernels, stage
from cropalloc.allocation.box import box_prices
from cropalloc.allocation.certificate import certify, is_proven
from cropalloc.allocation.compiled import Compiled, compile_problem
from cropalloc.allocation.exact import solve_exact
from cropalloc.allocation.generated import generate
from cropalloc.allocation.interior import interior_prices, uses_of_leaves
from cropalloc.allocation.limits import Limits
from cropalloc.allocation.solution import Rule


@pytest.fixture
def compiled() -> Compiled:
    """Generated: 6000 cells in 4 units, systems of the whole area."""
    found = compile_problem(generate(6000, 5, seed=8, n_leaves=4, general=True), "area")
    found.penalty = np.full(found.n_demands, 400.0)
    return found


def nets(compiled: Compiled, prices: np.ndarray, *, wet: bool) -> np.ndarray:
    """(n, m): worth less price of each use of irrigated or dry land, -inf where it has none."""
    scores = compiled.scores.values[compiled.scores.rows].T.astype(float)
    table = compiled.activity_prices(prices)[compiled.leaf]
    found = np.where(np.isnan(scores), -np.inf, scores * compiled.weight[compiled.leaf] - table)
    if not wet:
        found[:, compiled.n_rainfed :] = -np.inf
    return found


def dual(compiled: Compiled, prices: np.ndarray) -> float:
    best = [np.maximum(nets(compiled, prices, wet=wet).max(axis=1), 0) for wet in (True, False)]
    return float(compiled.irrigated @ best[0] + compiled.dry @ best[1] + compiled.area @ prices)


def test_prices_of_samples_are_those_of_all_uses(compiled):
    budget = 20_000
    assert uses_of_leaves(compiled).sum() > 4 * budget
    prices, near = sampling.sampled_prices(compiled, budget, Limits())
    assert near
    everything, _ = interior_prices(compiled)
    assert dual(compiled, prices) == pytest.approx(dual(compiled, everything), rel=1e-8)
    again, _ = sampling.sampled_prices(compiled, budget, Limits())
    assert np.array_equal(prices, again)


def test_boxes_without_room_or_time_are_told(compiled):
    for budget, limits in ((10, Limits()), (20_000, Limits(deadline=0.0))):
        prices, near = sampling.sampled_prices(compiled, budget, limits)
        assert not near
        assert np.isfinite(prices).all()


@pytest.mark.parametrize("reach", [0.1, 3.0, 200.0])
def test_candidates_are_counted_as_by_brute_force(compiled, reach):
    prices = np.random.default_rng(1).uniform(0, 40, compiled.n_demands)
    expected = 0
    for wet, land in ((True, compiled.irrigated), (False, compiled.dry)):
        net = nets(compiled, prices, wet=wet)
        floor = np.maximum((net - reach).max(axis=1), 0.0)
        may = (net + reach >= floor[:, None]) & (land > 0)[:, None]
        settled = (may.sum(axis=1) == 1) & (floor > 0)
        expected += int(may[~settled].sum())
    around = box_prices(compiled, prices, np.full(compiled.weight.shape, reach))
    arrays = compiled.scores, compiled.leaf, compiled.irrigated, compiled.dry, around
    assert sampling_kernels.count_candidates(*arrays, 10**9) == expected
    assert sampling_kernels.count_candidates(*arrays, expected // 2) > expected // 2


def test_a_sample_keeps_land_and_rare_activities():
    problem = generate(8000, 3, seed=3, n_leaves=3)
    scores = problem.scores.copy()
    scores[4, np.random.default_rng(0).random(8000) > 0.01] = np.nan  # rainfed, in 1 % of cells
    problem.scores[:] = scores
    compiled = compile_problem(problem, "area")
    samples = list(sampling._samples(compiled, 80, grow=True))
    assert len(samples) == 2
    for sample, cells in zip(samples, (80, 320), strict=True):
        assert len(sample.leaf) == pytest.approx(cells, abs=3)
        for name in ("irrigated", "dry"):
            there = np.bincount(compiled.leaf, getattr(compiled, name))
            assert np.bincount(sample.leaf, getattr(sample, name)) == pytest.approx(there)
        rare = ~np.isnan(sample.scores.values[4])
        assert np.bincount(sample.leaf[rare], minlength=3).min() >= 4


@pytest.mark.parametrize("weighting", ["area", "share"])
@pytest.mark.parametrize("fill", [0.8, 1.4])
@pytest.mark.parametrize("budget", [4000, 300])
def test_large_problems_are_solved_exactly(monkeypatch, weighting, fill, budget):
    """The way of large problems on a small one; with room for 300 uses boxes do not do."""
    problem = generate(1500, 4, seed=5, n_leaves=3, general=True, fill=fill)
    rule = Rule(weighting)
    expected = solve_exact(problem, rule)
    seen = []

    def sampled(*arguments):
        prices, near = sampling.sampled_prices(*arguments)
        seen.append(near)
        return prices, near

    monkeypatch.setattr(stage, "FEW_USES", 0)
    monkeypatch.setattr(stage, "uses_at_once", lambda _: budget)
    monkeypatch.setattr(stage, "sampled_prices", sampled)
    solution = solve_exact(problem, rule)
    assert seen
    assert all(seen) == (budget == 4000)
    certificate = certify(problem, solution, rule)
    assert is_proven(certificate, 1e-9), certificate
    assert solution.objective(problem, rule) == pytest.approx(
        expected.objective(problem, rule), rel=1e-9
    )
    assert solution.shortage.sum() == pytest.approx(expected.shortage.sum(), rel=1e-9, abs=1e-9)


def test_uses_too_many_for_memory_are_never_taken_at_once(monkeypatch):
    problem = generate(1500, 4, seed=5, n_leaves=3, general=True)
    expected = solve_exact(problem, Rule())
    monkeypatch.setattr(stage, "TOO_LARGE", 0)
    monkeypatch.setattr(stage, "uses_at_once", lambda _: 1500)
    monkeypatch.setattr(stage, "interior_prices", None)
    solution = solve_exact(problem, Rule())
    assert is_proven(certify(problem, solution, Rule()), 1e-9)
    assert solution.objective(problem, Rule()) == pytest.approx(expected.objective(problem, Rule()))
