"""A certificate accepts what is optimal and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from cropalloc.allocation.certificate import CertificateError, certify, is_proven, write_certificate
from cropalloc.allocation.exact import solve_exact
from cropalloc.allocation.generated import generate
from cropalloc.allocation.solution import Rule

RULE = Rule()
PROBLEM = generate(60, 2, seed=2, fill=1.3)
SOLUTION = solve_exact(PROBLEM, RULE)


def _moved(solution):
    hectares = solution.hectares.copy()
    hectares[0] *= 1.001
    return replace(solution, hectares=hectares)


def _worse_but_feasible(solution):
    hectares = solution.hectares.copy()
    shortage = solution.shortage.copy()
    crop, system = PROBLEM.activities[solution.activity[0]]
    demand = next(
        d for d, x in enumerate(PROBLEM.demands) if x.crop == crop and system in x.systems
    )
    shortage[demand] += hectares[0]
    hectares[0] = 0.0
    return replace(solution, hectares=hectares, shortage=shortage)


def _forbidden(solution):
    row, cell = np.argwhere(np.isnan(PROBLEM.scores))[0]
    return replace(
        solution,
        cell=np.append(solution.cell, cell),
        activity=np.append(solution.activity, row),
        hectares=np.append(solution.hectares, 1e-3),
    )


TAMPERED = {
    "moved": (_moved, "statistic_residual"),
    "worse": (_worse_but_feasible, "shortage_gap"),
    "forbidden": (_forbidden, "forbidden_ha"),
    "prices": (lambda s: replace(s, prices=s.prices + 0.01), "relative_gap"),
    "below_the_penalty": (lambda s: replace(s, prices=s.prices - 1e4), "price_excess"),
    "negative": (lambda s: replace(s, hectares=-s.hectares), "negative_ha"),
    "hidden_shortage": (lambda s: replace(s, shortage=0 * s.shortage), "statistic_residual"),
}


def test_optimum_is_proven():
    assert SOLUTION.shortage.sum() > 0
    assert is_proven(certify(PROBLEM, SOLUTION, RULE), 1e-9)


@pytest.mark.parametrize("name", TAMPERED)
def test_tampered_solution_is_refused(name, tmp_path):
    tamper, measure = TAMPERED[name]
    certificate = certify(PROBLEM, tamper(SOLUTION), RULE)
    assert certificate[measure] > 1e-9
    with pytest.raises(CertificateError, match="not proven optimal"):
        write_certificate(tmp_path / "c.json", [certificate], tolerance=1e-9)
    assert not (tmp_path / "c.json").exists()


def test_certificate_file_holds_the_worst_of_its_parts(tmp_path):
    parts = [certify(PROBLEM, SOLUTION, RULE), certify(PROBLEM, SOLUTION, RULE)]
    parts[1]["relative_gap"] = 5e-10
    write_certificate(tmp_path / "c.json", parts, tolerance=1e-9, cleaned=["one"])
    whole = json.loads((tmp_path / "c.json").read_text())
    assert whole["relative_gap"] == 5e-10
    assert whole["objective"] == pytest.approx(2 * parts[0]["objective"])
    assert whole["cleaned"] == ["one"]
