"""Memory that solver and certificate need beside a problem, measured in a process of their own.

The process loads the problem and has every compiled function ready before it starts to count.
"""

from __future__ import annotations

import multiprocessing
import pickle
import tempfile
from pathlib import Path

import numpy as np
from memory import peak_mib, reset_peak, resident_mib

from cropalloc.allocation.certificate import certify, is_proven
from cropalloc.allocation.compiled import compile_problem
from cropalloc.allocation.exact import solve_exact
from cropalloc.allocation.generated import generate
from cropalloc.allocation.limits import Limits
from cropalloc.allocation.problem import AllocationProblem
from cropalloc.allocation.sampling import sampled_prices
from cropalloc.allocation.solution import Rule


def bytes_beside(problem: AllocationProblem, *, general: bool, rule: Rule) -> float | None:
    """Peak bytes of solving and certifying, less what was there with the problem loaded.

    None where this system does not let a process start its peak anew.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "problem.pickle"
        with path.open("wb") as file:
            pickle.dump(problem, file, protocol=5)
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            return pool.apply(_measured, (path, general, rule))


def parcel_activities(problem: AllocationProblem) -> int:
    """Uses that the parcels of a problem have: the unknowns of its general form."""
    wet = [system == "I" for _, system in problem.activities]
    total = 0
    for irrigated, scores in zip(wet, problem.scores, strict=True):
        allowed = ~np.isnan(scores)
        total += int((allowed & (problem.irrigated_ha > 0)).sum())
        if not irrigated:
            total += int((allowed & (problem.cropland_ha > problem.irrigated_ha)).sum())
    return total


def _compile(rule: Rule, *, general: bool) -> None:
    """Have every function ready: those for many cells too, which a small problem does not need."""
    small = generate(1500, 3, seed=0, n_leaves=3, general=general)
    certify(small, solve_exact(small, rule, small=0), rule)
    compiled = compile_problem(small, rule.weighting)
    compiled.penalty = np.full(compiled.n_demands, 1e3)
    sampled_prices(compiled, 2000, Limits())


def _measured(path: Path, general: bool, rule: Rule) -> float | None:
    _compile(rule, general=general)
    with path.open("rb") as file:
        problem = pickle.load(file)
    if not reset_peak():
        return None
    held = resident_mib()
    solution = solve_exact(problem, rule)
    certificate = certify(problem, solution, rule)
    if not is_proven(certificate, 1e-9):
        raise SystemExit(f"not proven: {certificate}")
    return (peak_mib() - held) * 2**20
