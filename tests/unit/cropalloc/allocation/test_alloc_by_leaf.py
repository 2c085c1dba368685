"""Thousands of small units: prices leaf by leaf, and boxes whose widths follow the prices."""

from __future__ import annotations

import numpy as np
import pytest

from cropalloc.allocation import by_leaf, sampling, stage
from cropalloc.allocation.certificate import certify, is_proven
from cropalloc.allocation.compiled import Compiled, compile_problem
from cropalloc.allocation.exact import solve_exact
from cropalloc.allocation.generated import generate
from cropalloc.allocation.interior import interior_prices, uses_of_leaves
from cropalloc.allocation.limits import Limits
from cropalloc.allocation.reference import solve_reference
from cropalloc.allocation.solution import Rule


@pytest.fixture
def compiled() -> Compiled:
    """Generated: 2400 cells in 40 units, systems of the whole area."""
    found = compile_problem(generate(2400, 4, seed=6, n_leaves=40, general=True), "area")
    found.penalty = np.full(found.n_demands, 400.0)
    return found


def test_uses_of_leaves_are_counted(compiled):
    m, rainfed = compiled.weight.shape[1], compiled.n_rainfed
    expected = [
        m * (compiled.irrigated[compiled.leaf == leaf] > 0).sum()
        + rainfed * (compiled.dry[compiled.leaf == leaf] > 0).sum()
        for leaf in range(40)
    ]
    assert uses_of_leaves(compiled).tolist() == expected


def test_small_leaves_are_dealt_to_batches_within_the_budget():
    uses = np.array([5, 90, 30, 200, 60, 11, 0, 100])
    batches = list(by_leaf._batches(uses, 100))
    assert [batch.tolist() for batch in batches] == [[0, 1], [2, 4], [5, 6], [7]]


def test_prices_of_units_are_the_optimum_for_those_of_the_whole(compiled):
    """From the optimal prices of what joins units, the others are found again."""
    best, _ = interior_prices(compiled)
    joins = by_leaf._only_leaf(compiled) < 0
    assert joins.sum() == 12
    start = np.where(joins, best, -77.0)
    found = by_leaf.priced_by_leaf(compiled, start, 5000, Limits())
    assert np.array_equal(found[joins], best[joins])
    table, expected = compiled.activity_prices(found), compiled.activity_prices(best)
    near = np.abs(table - expected)[compiled.allowed]
    assert np.quantile(near, 0.9) < 1.0
    # A leaf that is larger than the budget keeps the prices it had.
    kept = by_leaf.priced_by_leaf(
        compiled, start, int(uses_of_leaves(compiled).min()) - 1, Limits()
    )
    assert np.array_equal(kept, start)


@pytest.mark.parametrize(("weighting", "fill"), [("share", 0.8), ("area", 1.3)])
def test_many_units_are_solved_as_the_reference_does(monkeypatch, weighting, fill):
    problem = generate(900, 3, seed=2, n_leaves=30, general=True, fill=fill)
    rule = Rule(weighting)
    monkeypatch.setattr(stage, "FEW_USES", 0)
    monkeypatch.setattr(stage, "uses_at_once", lambda _: 3000)
    seen = []

    def priced(*arguments):
        seen.append(arguments)
        return by_leaf.priced_by_leaf(*arguments)

    monkeypatch.setattr(sampling, "priced_by_leaf", priced)
    solution = solve_exact(problem, rule)
    assert seen
    assert is_proven(certify(problem, solution, rule), 1e-9)
    reference = solve_reference(problem, rule)
    assert solution.shortage.sum() == pytest.approx(reference.shortage.sum(), rel=1e-8, abs=1e-6)
    ours, theirs = solution.objective(problem, rule), reference.objective(problem, rule)
    assert ours == pytest.approx(theirs, rel=1e-6)


def test_boxes_widen_where_prices_reach_the_edge_and_narrow_elsewhere(compiled):
    shape = np.ones(compiled.weight.shape)
    reach = np.full(shape.shape, 2.0)
    moved = np.zeros(compiled.n_demands)
    at = compiled.owner[0, 0, 0]
    moved[at] = 2.0 / compiled.coefficient[0, 0, 0]
    changed = compiled.activity_prices(moved)
    after = sampling._reshaped(compiled, shape, moved, reach)
    assert after.max() == 1.0
    still = compiled.allowed & (np.abs(np.where(compiled.allowed, changed, 0.0)) == 0)
    edge = compiled.allowed & (np.where(compiled.allowed, changed, 0.0) >= 2.0)
    assert still.any() and edge.any()
    assert after[still] == pytest.approx(np.full(still.sum(), after[still][0]))
    assert (after[edge] > 6 * after[still][0]).all()
