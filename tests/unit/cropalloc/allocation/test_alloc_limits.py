"""Ends before the optimum: what is reached is feasible, and its gap is stated or refused."""

from __future__ import annotations

import time

import numpy as np
import pytest
from pydantic import ValidationError

from cropalloc.allocation import programme
from cropalloc.allocation.allocate import solve
from cropalloc.allocation.certificate import CertificateError, certify, is_proven
from cropalloc.allocation.exact import solve_exact
from cropalloc.allocation.generated import generate
from cropalloc.allocation.limits import Limits, OutOfTimeError
from cropalloc.allocation.reference import solve_reference
from cropalloc.allocation.solution import Rule
from cropalloc.settings.allocation import AllocationSettings
from cropbase.errors import CropError

RULES = [Rule(w, lex) for w in ("area", "share") for lex in (True, False)]
FEASIBLE = (
    "cropland_excess", "irrigated_excess", "statistic_residual", "forbidden_ha", "negative_ha",
    "price_excess",
)  # fmt: skip


def problem(*, general: bool, fill: float = 1.2):
    return generate(1500, 4, seed=8, n_leaves=5, general=general, fill=fill, pool=0.4)


def no_time() -> Limits:
    return Limits(time.perf_counter())


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("general", [False, True])
def test_without_any_time_the_allocation_is_feasible_and_its_gap_true(rule, general):
    case = problem(general=general)
    early = solve_exact(case, rule, limits=no_time())
    certificate = certify(case, early, rule)
    assert early.ended == certificate["ended"] == "time limit"
    assert all(certificate[name] <= 1e-9 for name in FEASIBLE), certificate
    best = solve_exact(case, rule)
    assert not is_proven(certificate, 1e-6)
    if rule.lexicographic:
        assert early.shortage.sum() >= best.shortage.sum() * (1 - 1e-12)
        assert certificate["shortage_bound_ha"] <= best.shortage.sum() * (1 + 1e-12)
    else:
        assert early.objective(case, rule) <= best.objective(case, rule)
        assert certificate["bound"] >= best.objective(case, rule)


def test_time_over_between_boxes_keeps_the_last_box(monkeypatch):
    case, calls = problem(general=False), []
    run = programme._run

    def runs_out(lp, limits):
        calls.append(1)
        if len(calls) > 1:
            raise OutOfTimeError
        return run(lp, limits)

    rule = Rule(lexicographic=False)
    best = solve_exact(case, rule).objective(case, rule)
    # A first box this narrow cannot hold the optimum.
    monkeypatch.setattr("cropalloc.allocation.stage._radius", lambda *_: 1e-9)
    monkeypatch.setattr(programme, "_run", runs_out)
    early = solve_exact(case, rule)
    certificate = certify(case, early, rule)
    assert early.ended == "time limit"
    assert all(certificate[name] <= 1e-9 for name in FEASIBLE), certificate
    assert certificate["objective"] <= best <= certificate["bound"] * (1 + 1e-12)


def test_a_gap_that_is_good_enough_ends_the_search_and_is_stated(monkeypatch):
    case, rule = problem(general=False, fill=0.8), Rule()
    best = solve_exact(case, rule)
    monkeypatch.setattr("cropalloc.allocation.stage._radius", lambda *_: 1e-3)
    early = solve_exact(case, rule, limits=Limits(gap=1e-2))
    certificate = certify(case, early, rule)
    assert early.ended == "gap"
    assert 0 < certificate["relative_gap"] <= 1e-2
    assert is_proven(certificate, 1e-2)
    assert early.score(case, "area") == pytest.approx(best.score(case, "area"), rel=1e-2)


def test_a_gap_above_the_allowed_one_names_gap_limit_and_remedy():
    settings = AllocationSettings(time_limit_s=1e-6)
    with pytest.raises(CertificateError) as error:
        solve(problem(general=True), Rule(), settings)
    message = str(error.value)
    assert "ended by its time limit" in message
    assert "relative_gap" in message or "shortage_gap" in message
    assert "allocation.max_relative_gap: 1e-09" in message
    assert "raise allocation.time_limit_s" in message


def test_the_reference_model_keeps_the_time_limit_too():
    with pytest.raises(CropError, match="time_limit_s"):
        solve_reference(problem(general=False), Rule(), limits=no_time())


def test_a_gap_that_would_be_refused_is_no_setting():
    with pytest.raises(ValidationError, match="must not be above max_relative_gap"):
        AllocationSettings(gap=1e-4)
    assert AllocationSettings(gap=1e-4, max_relative_gap=1e-3).gap == 1e-4


def test_early_shortage_is_what_lacks():
    case = problem(general=True)
    early = solve_exact(case, Rule(), limits=no_time())
    table = np.zeros((len(case.leaf_ids), len(case.activities)))
    np.add.at(table, (case.leaf[early.cell], early.activity), early.hectares)
    for demand, lacks in zip(case.demands, early.shortage, strict=True):
        placed = sum(
            c * table[np.ix_(demand.leaves, [row])].sum() for row, c in case.activity_rows(demand)
        )
        assert placed + lacks == pytest.approx(demand.area_ha, rel=1e-9, abs=1e-12)
