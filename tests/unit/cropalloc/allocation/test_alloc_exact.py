"""The exact solver on ordinary and on degenerate problems.

Its objective is compared with optima in rational arithmetic, and with PuLP and HiGHS, whose own
tolerances are absolute.
"""

from __future__ import annotations

import alloc_oracle
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cropalloc.allocation.certificate import certify, is_proven
from cropalloc.allocation.exact import solve_exact
from cropalloc.allocation.generated import TRAITS, degenerate, generate
from cropalloc.allocation.problem import AllocationProblem, Demand
from cropalloc.allocation.reference import solve_reference
from cropalloc.allocation.solution import Rule

RULES = [Rule(w, lex) for w in ("area", "share") for lex in (True, False)]
SETTINGS = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


def problems(cells: int) -> st.SearchStrategy:
    return st.builds(
        degenerate,
        seed=st.integers(0, 10_000),
        cells=st.integers(1, cells),
        crops=st.integers(1, 3),
        leaves=st.integers(1, 3),
        traits=st.frozensets(st.sampled_from(TRAITS), max_size=4),
    )


def worst(problem: AllocationProblem, rule: Rule, small: int) -> tuple:
    solution = solve_exact(problem, rule, small=small)
    certificate = certify(problem, solution, rule)
    assert is_proven(certificate, 1e-9), certificate
    return solution, certificate


def equal_to(best: float, problem: AllocationProblem, rule: Rule):
    """Equal to 1e-9, or to the rounding of a statistic where that costs the printed penalty."""
    rounding = 0.0 if rule.lexicographic else 1e-15 * rule.statistic_penalty * len(problem.demands)
    return pytest.approx(best, rel=1e-9, abs=rounding)


@settings(SETTINGS, max_examples=400)
@given(problem=problems(16), rule=st.sampled_from(RULES), small=st.sampled_from([0, 2000]))
def test_objective_equals_the_optimum_in_rational_arithmetic(problem, rule, small):
    solution, _ = worst(problem, rule, small)
    if rule.lexicographic:
        least, best = alloc_oracle.lexicographic(problem, rule.weighting)
        area = sum(demand.area_ha for demand in problem.demands)
        assert abs(solution.shortage.sum() - float(least)) <= 1e-12 * area
    else:
        best = alloc_oracle.weights(
            problem, rule.weighting, rule.land_penalty_per_ha, rule.statistic_penalty
        )
    assert solution.objective(problem, rule) == equal_to(float(best), problem, rule)


@settings(SETTINGS, max_examples=150)
@given(problem=problems(40), rule=st.sampled_from(RULES), small=st.sampled_from([0, 2000]))
def test_objective_equals_the_reference_model(problem, rule, small):
    solution, _ = worst(problem, rule, small)
    reference = solve_reference(problem, rule)
    assert solution.objective(problem, rule) == equal_to(
        reference.objective(problem, rule), problem, rule
    )


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("general", [False, True])
def test_larger_problem_through_prices_is_proven(rule, general):
    problem = generate(900, 4, seed=5, n_leaves=6, general=general, fill=1.1, pool=0.4)
    worst(problem, rule, 0)


def test_tied_scores_in_many_cells_stay_a_small_programme():
    problem = degenerate(3, 3000, 3, 1, frozenset({"ties"}))
    solution, _ = worst(problem, Rule(), 0)
    # A linear programme's vertex would not treat like cells alike; here ties share in proportion.
    assert solution.seconds < 20
    again = solve_exact(problem, Rule(), small=0)
    assert np.array_equal(solution.hectares, again.hectares)


def test_alike_cells_are_treated_alike():
    scores = np.array([[80.0, 80.0, 10.0], [10.0, 10.0, 10.0]], dtype=np.float32)
    problem = AllocationProblem(
        np.arange(3), np.zeros(3, np.int32), ("u",), np.array([10.0, 30.0, 5.0]), np.zeros(3),
        (("wheat", "H"), ("wheat", "L")), scores, (Demand("wheat", ("H",), "u", [0], 20.0),),
    )  # fmt: skip
    solution = solve_exact(problem, Rule())
    assert solution.cell.tolist() == [0, 1]
    assert solution.hectares == pytest.approx([5.0, 15.0])


def test_same_input_gives_the_same_bytes():
    problem = generate(2000, 4, seed=9, n_leaves=3, pool=0.5)
    first, second = (solve_exact(problem, Rule()) for _ in range(2))
    assert first.hectares.tobytes() == second.hectares.tobytes()
    assert first.prices.tobytes() == second.prices.tobytes()


def test_least_shortage_is_the_maximum_flow():
    """Without scores to weigh, hectares placed are a maximum flow (scipy, integer capacities)."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_flow

    rng = np.random.default_rng(4)
    n, m = 12, 4
    land = rng.integers(1, 20, n)
    scores = np.where(rng.random((m, n)) < 0.5, np.nan, 50).astype(np.float32)
    area = rng.integers(10, 60, m)
    problem = AllocationProblem(
        np.arange(n), np.zeros(n, np.int32), ("u",), land.astype(float), np.zeros(n),
        tuple((f"c{k}", "L") for k in range(m)), scores,
        tuple(Demand(f"c{k}", ("L",), "u", [0], float(area[k])) for k in range(m)),
    )  # fmt: skip
    graph = np.zeros((n + m + 2, n + m + 2), dtype=np.int32)
    graph[0, 1 : n + 1] = land
    graph[1 : n + 1, n + 1 : n + m + 1] = np.where(np.isnan(scores.T), 0, 1000)
    graph[n + 1 : n + m + 1, -1] = area
    flow = maximum_flow(csr_array(graph), 0, n + m + 1).flow_value
    solution = solve_exact(problem, Rule())
    assert solution.shortage.sum() == pytest.approx(area.sum() - flow, abs=1e-9)


def test_printed_weights_exceed_land_for_a_tiny_statistic():
    """A shortage of 0.01 ha would cost 1e7 a hectare, land beyond the cell 1e6."""
    problem = AllocationProblem(
        np.arange(1), np.zeros(1, np.int32), ("u",), np.array([1.0]), np.zeros(1),
        (("a", "L"), ("b", "L")), np.array([[50.0], [60.0]], np.float32),
        (Demand("a", ("L",), "u", [0], 0.01), Demand("b", ("L",), "u", [0], 1.0)),
    )  # fmt: skip
    printed = solve_exact(problem, Rule(lexicographic=False))
    reference = solve_reference(problem, Rule(lexicographic=False))
    assert printed.objective(problem, Rule(lexicographic=False)) == pytest.approx(
        reference.objective(problem, Rule(lexicographic=False)), rel=1e-9
    )
    assert is_proven(certify(problem, printed, Rule(lexicographic=False)), 1e-9)
    exact = solve_exact(problem, Rule())
    assert exact.over_cropland.sum() == 0
    assert exact.shortage.sum() == pytest.approx(0.01)
