"""Proof of the least shortage from the allocation itself, beside brute force and HiGHS."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays
from scipy.sparse.csgraph import connected_components

from cropalloc.allocation import interior, lexicographic, stage
from cropalloc.allocation.certificate import certify, is_proven
from cropalloc.allocation.compiled import Compiled, Finish, compile_problem
from cropalloc.allocation.exact import solve_exact
from cropalloc.allocation.first_prices import exchanges, first_prices, rows_of
from cropalloc.allocation.generated import generate
from cropalloc.allocation.limits import Limits
from cropalloc.allocation.problem import AllocationProblem
from cropalloc.allocation.reference import solve_reference
from cropalloc.allocation.solution import Rule


def short(seed: int) -> AllocationProblem:
    return generate(300, 3, seed=seed, n_leaves=3, general=True, fill=1.1 + 0.1 * (seed % 4))


def optimum(problem: AllocationProblem, worth: float) -> tuple[Compiled, Finish]:
    """The best allocation where a hectare of shortage costs `worth`."""
    compiled = compile_problem(problem, "area")
    compiled.penalty = np.full(compiled.n_demands, worth)
    return compiled, stage.solve_stage(compiled, 0, Limits())


def closure(rows: np.ndarray) -> np.ndarray:
    """(s, s) bool: what can be reached from where, by powers of the matrix."""
    found = rows | np.eye(len(rows), dtype=bool)
    for _ in range(len(rows)):
        found = (found.astype(int) @ found.astype(int)) > 0
    return found


@settings(deadline=None, max_examples=60)  # the first one compiles
@given(arrays(bool, (2, 6, 6)))
def test_the_fewest_rows_say_the_same(could):
    leaf, lower, upper, equal = rows_of(could.copy())
    for c in range(2):
        at = leaf == c
        rows = np.zeros((6, 6), dtype=bool)
        rows[lower[at], upper[at]] = True
        rows[upper[at & equal], lower[at & equal]] = True
        assert (closure(rows) == closure(could[c])).all()
        # Each node is told equal to one other of its component but for the first, and no row more.
        count, _ = connected_components(could[c], directed=True, connection="strong")
        assert (at & equal).sum() == 6 - count
        for a, b in zip(lower[at & ~equal], upper[at & ~equal], strict=True):
            rows[a, b] = False
            assert not closure(rows)[a, b]
            rows[a, b] = True


@pytest.mark.parametrize("seed", range(3))
def test_exchanges_are_those_of_every_cell(seed):
    problem = short(seed)
    compiled, end = optimum(problem, 1e4)
    m, n_rainfed = len(problem.activities), compiled.n_rainfed
    least = np.full(compiled.weight.shape, 1e-7)
    expected = np.zeros((len(compiled.weight), m + 1, m + 1), dtype=bool)
    scores = problem.scores[compiled.scores.rows].T
    for i in range(problem.n_cells):
        here = end.cell == i
        used = np.bincount(end.activity[here], end.hectares[here], minlength=m)
        irrigated, land = problem.irrigated_ha[i], problem.cropland_ha[i]
        free_wet = irrigated - used[n_rainfed:].sum() > 1e-10 * irrigated
        could = np.append(compiled.allowed[compiled.leaf[i]] & ~np.isnan(scores[i]), True)
        could_dry = could & ((np.arange(m + 1) < n_rainfed) | (np.arange(m + 1) == m))
        for k in np.flatnonzero(used > 1e-7):
            expected[compiled.leaf[i], k] |= could if k >= n_rainfed or free_wet else could_dry
        if land - used.sum() > 1e-10 * land:
            expected[compiled.leaf[i], m] |= could if free_wet else could_dry
    found = exchanges(
        compiled.scores, compiled.leaf, compiled.irrigated, compiled.dry, compiled.allowed,
        n_rainfed, end.cell, end.activity, end.hectares, least,
    )  # fmt: skip
    assert (found == expected).all()


@pytest.mark.parametrize("seed", range(8))
def test_prices_prove_the_shortage_that_the_reference_finds(seed):
    problem = short(seed)
    least = solve_reference(problem, Rule()).shortage.sum()
    assert least > 0
    compiled, end = optimum(problem, 1e6)
    none = np.full(compiled.n_demands, np.nan)
    first = first_prices(compiled, end, none, Limits())
    assert (first >= -1).all()
    assert (first[end.shortage > 0] == -1).all()
    assert lexicographic.least_shortage(compiled, first) == pytest.approx(least, rel=1e-9)
    # Of an allocation that leaves more shortage there are no such prices.
    compiled, end = optimum(problem, 20.0)
    assert end.shortage.sum() > 1.001 * least
    assert first_prices(compiled, end, none, Limits()) is none


def test_shortage_of_overlapping_statistics_needs_no_programme_of_all_parcels(monkeypatch):
    problem = generate(3000, 6, seed=4, n_leaves=4, general=True, fill=1.4)
    expected = solve_exact(problem, Rule())
    largest = []
    method = interior.interior_of

    def watched(compiled, parcels, *arguments, **named):
        largest.append(len(parcels.worth))
        return method(compiled, parcels, *arguments, **named)

    for module in ("interior", "sampling", "by_leaf"):
        monkeypatch.setattr(f"cropalloc.allocation.{module}.interior_of", watched)
    monkeypatch.setattr(stage, "FEW_USES", 0)
    monkeypatch.setattr(stage, "uses_at_once", lambda _: 8000)
    solution = solve_exact(problem, Rule())
    assert is_proven(certify(problem, solution, Rule()), 1e-9)
    assert solution.shortage.sum() == pytest.approx(expected.shortage.sum(), rel=1e-11)
    compiled = compile_problem(problem, "area")
    assert max(largest) < 0.2 * interior.uses_of_leaves(compiled).sum()
