"""The allocation solver beside HiGHS and PuLP, and how it grows; see `--help`.

Every row is measured in this run, both sides on the same generated problem (the Australian case on
real data, if the data root has it). Ratios are peer seconds by our seconds, compilation left out.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import sys
import time
from importlib.metadata import version
from pathlib import Path

import highspy
import numpy as np
from scipy.sparse import csc_array

sys.path.insert(0, str(Path(__file__).parent))
from allocation_australia import australia

from cropalloc.allocation.certificate import certify, is_proven
from cropalloc.allocation.exact import solve_exact
from cropalloc.allocation.generated import generate
from cropalloc.allocation.problem import AllocationProblem
from cropalloc.allocation.reference import solve_reference
from cropalloc.allocation.solution import Rule

SEED = 20
RULE = Rule()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--quick", action="store_true", help="small sizes, under a minute")
    sizes.add_argument("--full", action="store_true", help="the sizes of the bars (half an hour)")
    parser.add_argument("--only", nargs="*", default=[], help="cases whose name holds this text")
    parser.add_argument("--json", type=Path, help="write the rows here")
    parser.add_argument("--data-root", type=Path, default=_data_root())
    options = parser.parse_args()
    full = options.full
    solve_exact(generate(300, 3, seed=0, n_leaves=2, pool=0.5), RULE, small=0)  # compiles
    solve_exact(generate(1500, 3, seed=0, n_leaves=150, general=True), RULE, small=0)
    cases = {
        "interior_point": lambda: interior_point(20_000 if full else 1500),
        "pulp_highs": lambda: pulp_peer("HiGHS", 4000 if full else 300),
        "pulp_cbc": lambda: pulp_peer("PULP_CBC_CMD", 4000 if full else 300),
        "growth": lambda: growth(10_000, 1_000_000 if full else 100_000),
        "china": lambda: china(340 if full else 6, 7059),
        "australia": lambda: real_australia(options.data_root),
    }
    rows = []
    for name, case in cases.items():
        if options.only and not any(text in name for text in options.only):
            continue
        row = case()
        if row is None:
            print(f"{name}: not run, no data under {options.data_root}", flush=True)
            continue
        row |= {"seed": SEED, "versions": _versions(), "hardware": _hardware()}
        rows.append(row)
        print(
            f"{row['case']}: ours {row['ours']:.3g}, peer {row['peer']}, ratio {row['ratio']}, "
            f"bar {row['bar']}, {'passed' if row['passed'] else 'NOT passed'}",
            flush=True,
        )
        if options.json:
            options.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def _ours(problem: AllocationProblem, *, repeats: int = 1) -> tuple[float, float]:
    """Seconds (best of the repeats) with certificate, and the objective; the proof is required."""
    best = np.inf
    for _ in range(repeats):
        begin = time.perf_counter()
        solution = solve_exact(problem, RULE)
        certificate = certify(problem, solution, RULE)
        best = min(best, time.perf_counter() - begin)
        if not is_proven(certificate, 1e-9):
            raise SystemExit(f"not proven: {certificate}")
    return best, certificate["objective"]


def _row(case, ours, peer, bar, passed, size, *, unit="s", ratio=None) -> dict:
    return {
        "case": case, "ours": ours, "peer": peer, "unit": unit, "ratio": ratio, "bar": bar,
        "passed": bool(passed), "size": size,
    }  # fmt: skip


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
    row = _row(f"{n} cells x 36 beside HiGHS interior point", ours, peer, bar,
               (n < 20_000 or ratio >= 20) and same, n, ratio=ratio)  # fmt: skip
    return row | {"objective_difference": (objective - theirs) / objective}


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
    row = _row(f"{n} cells x 36 beside PuLP with {solver}", ours, peer, bar,
               (n < 4000 or peer / ours >= 50) and same, n, ratio=peer / ours)  # fmt: skip
    return row | {"objective_difference": (objective - theirs) / objective}


def growth(small: int, large: int) -> dict:
    """Time of one large unit by that of a small one, by the ratio of their cells."""
    first, _ = _ours(generate(small, 12, seed=SEED), repeats=3)
    second, _ = _ours(generate(large, 12, seed=SEED))
    factor = second / first / (large / small)
    return _row(f"growth from {small} to {large} cells, by linear growth", second, first, 1.15,
                factor <= 1.15, large, ratio=factor)  # fmt: skip


def china(units: int, cells: int) -> dict:
    """Generated units of 48 crop-systems, one after the other in one process."""
    seconds = 0.0
    for unit in range(units):
        seconds += _ours(generate(cells, 16, seed=SEED + unit))[0]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    row = _row(f"{units * cells} cells in {units} units x 48, one core", seconds, None, 600.0,
               seconds <= 600 and peak <= 4, units * cells)  # fmt: skip
    return row | {"peak_memory_gib": peak}


def real_australia(root: Path) -> dict | None:
    """The real general case: harvested area a unit and crop, systems of the whole area."""
    if not (root / "australia").is_dir():
        return None
    problem = australia(root)
    ours, _ = _ours(problem, repeats=2)
    return _row("Australia, general form, real data", ours, None, 3.0, ours <= 3.0,
                problem.n_cells)  # fmt: skip


def _data_root() -> Path:
    there = Path(__file__).resolve().parents[1].parent / "shared" / "data"
    return Path(os.environ.get("CROPLAYER_DATA_ROOT", there))


def _versions() -> dict[str, str]:
    names = ("numpy", "scipy", "numba", "highspy", "pulp")
    return {"python": platform.python_version()} | {name: version(name) for name in names}


def _hardware() -> str:
    return f"{platform.machine()}, {os.cpu_count()} cores"


if __name__ == "__main__":
    main()
