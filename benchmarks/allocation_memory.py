"""Memory that solver and certificate need beside a problem, measured in a process of their own.

The process loads the problem and has every compiled function ready before it starts to count.
"""

from __future__ import annotations

import argparse
import multiprocessing
import pickle
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from allocation_australia import australia
from memory import peak_mib, reset_peak, resident_mib
from rows import row

from cropalloc.allocation.certificate import certify, is_proven
from cropalloc.allocation.compiled import compile_problem
from cropalloc.allocation.exact import solve_exact
from cropalloc.allocation.generated import generate
from cropalloc.allocation.limits import Limits
from cropalloc.allocation.problem import AllocationProblem
from cropalloc.allocation.sampling import sampled_prices
from cropalloc.allocation.solution import Rule

FEW_UNITS, SMALL_UNITS = 20, 1500
A_CELL, A_STATISTIC = 72.0, 11_000.0  # bytes: the bars, of which that of many units is made
SHORT = 1.4  # statistics by the land there is


def memory_cases(options: argparse.Namespace, *, seed: int) -> dict[str, Callable]:
    """Cases of the benchmark; bars are bytes a cell, of the sizes of --full."""

    def case(full: int, quick: int, bar: float, **named: object) -> Callable:
        size = full if options.full else quick
        return lambda: memory(size, bar if options.full else None, seed=seed, **named)

    return {
        "memory_separable": case(1_000_000, 20_000, 48.0),
        "memory_shares": case(300_000, 3000, A_CELL, weighting="share"),
        "memory_general": case(300_000, 3000, A_CELL, units=FEW_UNITS),
        "memory_large_general": case(1_000_000, 6000, 52.0, units=FEW_UNITS),
        "memory_short": case(300_000, 3000, 144.0, units=FEW_UNITS, fill=SHORT),
        "memory_many_units": lambda: memory_of_statistics(
            *((300_000, 500) if options.full else (6000, 60)), full=options.full, seed=seed
        ),
        "memory_small_units": case(
            300_000, 6000, _bar(300_000, SMALL_UNITS), units=SMALL_UNITS if options.full else 30
        ),
        "memory_australia": lambda: memory_australia(options.data_root),
    }


def memory(
    n: int,
    bar: float | None,
    *,
    seed: int,
    units: int = 1,
    weighting: str = "area",
    fill: float = 0.8,
) -> dict | None:
    """What one group needs beside its scores (and its land), certificate included.

    Of one unit: separable; of several: the general form.
    """
    general = units > 1
    problem = generate(n, 12, seed=seed, n_leaves=units, general=general, fill=fill)
    found = bytes_beside(problem, general=general, rule=Rule(weighting))
    if found is None:
        return None
    ours = found / n
    form = f" in {units} units, general form" if general else ", separable"
    form += ", shares" if weighting == "share" else ""
    form += ", land short" if fill > 1 else ""
    return row(f"memory a cell beside the scores, {n} cells x 36{form}", ours, None, bar,
               bar is None or ours <= bar, n, unit="B",
               note=f"the scores are {problem.scores.nbytes / n:.0f} B a cell; "
               f"{parcel_activities(problem)} uses of parcels, "
               f"{len(problem.demands)} statistics")  # fmt: skip


def _bar(n: int, units: int) -> float:
    """Bytes a cell of many units: the bar of a cell, and that of each statistic of its own."""
    return A_CELL + A_STATISTIC * 12 * units / n


def memory_of_statistics(n: int, units: int, *, full: bool, seed: int) -> list[dict] | None:
    """The same where units are many; and what each statistic more needs, cells being equal."""
    more = 12 * (units - FEW_UNITS)
    many = memory(n, _bar(n, units) if full else None, seed=seed, units=units)
    few = memory(n, None, seed=seed, units=FEW_UNITS)
    if many is None or few is None:
        return None
    ours = (many["ours"] - few["ours"]) * n / more
    return [many, row(f"memory a statistic, {n} cells x 36, {units} units beside {FEW_UNITS}",
                      ours / 1000, None, A_STATISTIC / 1000 if full else None,
                      not full or ours <= A_STATISTIC, more, unit="kB",
                      note=f"{many['ours']:.0f} B a cell beside {few['ours']:.0f}, by {more} "
                      "statistics more")]  # fmt: skip


def memory_australia(root: Path) -> dict | None:
    """The same of the real case."""
    if not (root / "australia").is_dir():
        return None
    problem = australia(root)
    found = bytes_beside(problem, general=True, rule=Rule())
    if found is None:
        return None
    return row("memory of Australia beside the scores, general form, real data", found / 2**20,
               None, None, True, problem.n_cells, unit="MiB",
               note=f"{parcel_activities(problem)} uses of parcels; the finishing programme "
               "included")  # fmt: skip


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
    for fill in (0.8, SHORT):
        small = generate(1500, 3, seed=0, n_leaves=3, general=general, fill=fill)
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
