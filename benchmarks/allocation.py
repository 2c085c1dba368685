"""The allocation solver beside HiGHS and PuLP, and how it grows; see `--help`.

Every row is measured in this run, both sides on the same generated problem (the Australian case on
real data, if the data root has it). Ratios are peer seconds by our seconds; ours include the
certificate, and compilation is left out. Rows beside a peer are in seconds of the wall clock, so
that a busy machine slows both sides; the others in seconds of the processor (the solver uses one
core). Memory beside the scores is that of a process of its own, certificate included.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import highspy
import numpy as np
from scipy.sparse import csc_array

sys.path.insert(0, str(Path(__file__).parent))
from allocation_australia import australia
from allocation_memory import memory_cases
from memory import peak_mib
from rows import parse_options, row, run_cases

from cropalloc.allocation.certificate import certify, is_proven
from cropalloc.allocation.exact import solve_exact
from cropalloc.allocation.generated import generate, random_degenerate
from cropalloc.allocation.limits import ConvergenceError
from cropalloc.allocation.problem import AllocationProblem
from cropalloc.allocation.reference import solve_reference
from cropalloc.allocation.solution import Rule

SEED = 20
RULE = Rule()


def main() -> None:
    options = parse_options(__doc__, full="half an hour")
    full = options.full
    solve_exact(generate(300, 3, seed=0, n_leaves=2, pool=0.5), RULE, small=0)  # compiles
    solve_exact(generate(1500, 3, seed=0, n_leaves=150, general=True), RULE, small=0)
    # China measures its own memory: a process has one peak.
    cases = {
        "china": lambda: china(340 if full else 6, 7059),
        "growth": lambda: growth(10_000, 1_000_000 if full else 100_000),
        "interior_point": lambda: interior_point(20_000 if full else 1500),
        "pulp_highs": lambda: pulp_peer("HiGHS", 4000 if full else 300),
        "pulp_cbc": lambda: pulp_peer("PULP_CBC_CMD", 4000 if full else 300),
        "campaign": lambda: campaign(4000 if full else 100),
        **memory_cases(options, seed=SEED),
        "australia": lambda: real_australia(options.data_root),
        "australia_states": lambda: real_states(options.data_root),
    }
    packages = ("numpy", "scipy", "numba", "highspy", "pulp")
    run_cases(cases, options, seed=SEED, packages=packages)


def _ours(
    problem: AllocationProblem,
    *,
    repeats: int = 1,
    rule: Rule = RULE,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[float, float]:
    """Seconds (best of the repeats) with certificate, and the objective; the proof is required."""
    best = np.inf
    for _ in range(repeats):
        begin = clock()
        solution = solve_exact(problem, rule)
        certificate = certify(problem, solution, rule)
        best = min(best, clock() - begin)
        if not is_proven(certificate, 1e-9):
            raise SystemExit(f"not proven: {certificate}")
    return best, certificate["objective"]


def interior_point(n: int) -> dict:
    """The same linear programme by HiGHS, interior point without crossover (its fastest way)."""
    problem = generate(n, 12, seed=SEED)
    bar = 20.0 if n >= 20_000 else None
    ours, objective = _ours(problem, repeats=3)
    begin = time.perf_counter()
    theirs = _highs(problem)
    peer = time.perf_counter() - begin
    same = abs(theirs - objective) <= 1e-6 * abs(objective)
    ratio = peer / ours
    found = row(f"{n} cells x 36 beside HiGHS interior point", ours, peer, bar,
               (n < 20_000 or ratio >= 20) and same, n, ratio=ratio)  # fmt: skip
    return found | {"objective_difference": (objective - theirs) / objective}


def _highs(problem: AllocationProblem) -> float:
    """Best score of a separable problem without slack (its statistics fit its land)."""
    n, m = problem.n_cells, len(problem.activities)
    k, i = np.nonzero(~np.isnan(problem.scores))
    wet = np.array([s == "I" for _, s in problem.activities])[k]
    column = np.arange(len(k))
    row = np.concatenate([i, n + i[wet], 2 * n + k])
    index = np.concatenate([column, column[wet], column])
    matrix = csc_array((np.ones(len(row)), (row, index)), shape=(2 * n + m, len(k)))
    area = np.array([d.area_ha for d in problem.demands])
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = len(k), 2 * n + m
    lp.col_cost_ = problem.scores[k, i].astype(np.float64)
    lp.col_lower_, lp.col_upper_ = np.zeros(len(k)), np.full(len(k), highspy.kHighsInf)
    lp.row_lower_ = np.concatenate([np.full(2 * n, -highspy.kHighsInf), area])
    lp.row_upper_ = np.concatenate([problem.cropland_ha, problem.irrigated_ha, area])
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_, lp.a_matrix_.index_ = matrix.indptr, matrix.indices
    lp.a_matrix_.value_ = matrix.data
    lp.sense_ = highspy.ObjSense.kMaximize
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("solver", "ipm")
    solver.setOptionValue("run_crossover", "off")
    solver.passModel(lp)
    solver.run()
    return float(solver.getInfo().objective_function_value)


def pulp_peer(solver: str, n: int) -> dict:
    """The reference model, its building included (two solves: the lexicographic rule)."""
    problem = generate(n, 12, seed=SEED)
    bar = 50.0 if n >= 4000 else None
    ours, objective = _ours(problem, repeats=3)
    begin = time.perf_counter()
    theirs = solve_reference(problem, RULE, solver=solver).objective(problem, RULE)
    peer = time.perf_counter() - begin
    same = abs(theirs - objective) <= 1e-6 * abs(objective)
    found = row(f"{n} cells x 36 beside PuLP with {solver}", ours, peer, bar,
               (n < 4000 or peer / ours >= 50) and same, n, ratio=peer / ours)  # fmt: skip
    return found | {"objective_difference": (objective - theirs) / objective}


def growth(small: int, large: int) -> dict:
    """Time of one large unit by that of a small one, by the ratio of their cells."""
    first, _ = _ours(generate(small, 12, seed=SEED), repeats=3, clock=time.process_time)
    second, _ = _ours(generate(large, 12, seed=SEED), clock=time.process_time)
    factor = second / first / (large / small)
    return row(f"growth from {small} to {large} cells, by linear growth", second, first, 1.15,
                factor <= 1.15, large, ratio=factor)  # fmt: skip


def china(units: int, cells: int) -> dict:
    """Generated units of 48 crop-systems, one after the other in one process."""
    seconds = 0.0
    for unit in range(units):
        seconds += _ours(generate(cells, 16, seed=SEED + unit), clock=time.process_time)[0]
    peak = peak_mib() / 1024
    cell = peak_mib() * 2**20 / (units * cells)
    found = row(f"{units * cells} cells in {units} units x 48, one core", seconds, None, 600.0,
               seconds <= 600 and peak <= 4, units * cells,
                note=f"peak memory {peak:.2f} GiB, {cell:.0f} bytes a cell of all units, of which "
                "one is held at a time; the scores of all would be 192")  # fmt: skip
    return found | {"peak_memory_gib": peak}


def real_australia(root: Path) -> dict | None:
    """The real general case: harvested area a unit and crop, systems of the whole area."""
    if not (root / "australia").is_dir():
        return None
    problem = australia(root)
    ours, _ = _ours(problem, repeats=2, clock=time.process_time)
    return row("Australia, general form, real data", ours, None, 3.0, ours <= 3.0,
                problem.n_cells)  # fmt: skip


def real_states(root: Path) -> dict | None:
    """The same with the statistics of states alone, all cells, share weighting: worths a hectare
    differ by millions, so that the two stages of lexicographic slack follow each other."""
    if not (root / "australia").is_dir():
        return None
    problem = australia(root, minimum_share=0.0, states_only=True)
    areas = [demand.area_ha for demand in problem.demands if demand.area_ha > 0]
    ours, _ = _ours(problem, rule=Rule("share", lexicographic=True), clock=time.process_time)
    return row("Australia, states alone, shares, lexicographic, real data", ours, None, None, True,
               problem.n_cells,
               note=f"statistics of {min(areas):.1g} to {max(areas):.1g} ha")  # fmt: skip


def campaign(instances: int) -> dict:
    """Random instances with statistics of 1e-6 ha beside 1e7 ha, and other degeneracies."""
    rule = Rule("share", lexicographic=True)
    worst, failed = 0.0, 0
    for seed in range(instances):
        problem = random_degenerate(seed)
        try:
            solution = solve_exact(problem, rule, small=2000 * (seed % 2))
        except ConvergenceError:
            failed += 1
            continue
        certificate = certify(problem, solution, rule)
        failed += not is_proven(certificate, 1e-9)
        worst = max(worst, certificate["relative_gap"])
    return row("random instances not proven, shares, lexicographic, 1e-6 ha beside 1e7 ha", failed,
               None, 0, failed == 0, instances, unit=f"of {instances}",
               note=f"largest relative gap {worst:.1e}")  # fmt: skip


if __name__ == "__main__":
    main()
