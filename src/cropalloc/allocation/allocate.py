"""Rule `allocate`: place the statistics of one job's groups, with slack and certificate."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import numpy as np
import pandas as pd

from cropalloc.allocation.certificate import certify, check_proven, is_proven, write_certificate
from cropalloc.allocation.exact import solve_exact
from cropalloc.allocation.limits import ConvergenceError, Limits
from cropalloc.allocation.problem import AllocationProblem
from cropalloc.allocation.reference import solve_reference
from cropalloc.allocation.slack import COLUMNS, slack_table
from cropalloc.allocation.solution import Rule, Solution
from cropalloc.allocation.tables import (
    KnownFor,
    Statistics,
    deal_groups,
    problem_from_tables,
    read_statistics,
)
from cropalloc.grid.completeness import require_targets
from cropalloc.settings.allocation import AllocationSettings
from cropbase.atomic import write_text
from cropbase.errors import InputError
from cropbase.jobs import progress
from cropbase.tables import read_table, write_table

log = logging.getLogger(__name__)


def allocate(
    *,
    selected: str | Path,
    scores: str | Path,
    areas: str | Path,
    members: str | Path,
    allocation: AllocationSettings,
    known_for: KnownFor,
    year: int,
    part: int,
    areas_path: str | Path,
    slack_path: str | Path,
    certificate_path: str | Path,
) -> None:
    """Write areas.parquet, slack.csv and certificate.json of job `part` (1 .. allocation.jobs).

    The groups of the year are dealt to the jobs by number of cells, the same way in every job; a
    job without a group writes empty tables.

    Raises InputError or CompletenessError if the tables do not fit together, CertificateError if a
    solution is not proven.
    """
    if not 1 <= part <= allocation.jobs:
        raise InputError(f"there is no part {part}", allowed=f"1 to {allocation.jobs}")
    cells = read_table(selected, columns=["cell_id", "leaf_id", "cropland_ha", "irrigated_ha"])
    asked = _of_year(read_table(areas), year, areas)
    covers = _of_year(read_table(members), year, members)
    require_targets(asked, covers, stage="classify_systems", path=areas)
    statistics = read_statistics(
        asked, covers, cells["leaf_id"],
        known_for=known_for, rounding_tolerance=allocation.rounding_tolerance,
    )  # fmt: skip
    rule = Rule(
        weighting=allocation.weighting,
        lexicographic=allocation.slack == "lexicographic",
        land_penalty_per_ha=allocation.land_penalty_per_ha,
        statistic_penalty=allocation.statistic_penalty,
    )
    mine = deal_groups(statistics, cells["leaf_id"], allocation.jobs)[part - 1]
    tables, slacks, certificates = [], [], []
    for leaves in progress(mine, what="allocate", unit="groups"):
        problem = problem_from_tables(cells, scores, statistics, leaves)
        solution, certificate = solve(problem, rule, allocation)
        certificates.append({"first_leaf": problem.leaf_ids[0], **certificate})
        tables.append(_areas_table(problem, solution, statistics, leaves))
        slacks.append(slack_table(problem, solution))
    table = pd.concat([_empty_areas(), *[t for t in tables if len(t)]], ignore_index=True)
    table = table.sort_values(["cell_id", "crop", "system"], ignore_index=True)
    slack = pd.concat([pd.DataFrame(columns=COLUMNS), *[s for s in slacks if len(s)]])
    slack = slack.sort_values(["kind", "crop", "system", "unit_id"], ignore_index=True)
    for sentence in slack["sentence"].head(20):
        log.warning("%s", sentence)
    write_table(table, areas_path)
    write_text(slack_path, slack.to_csv(index=False))
    write_certificate(
        certificate_path, certificates,
        tolerance=allocation.max_relative_gap, cleaned=list(statistics.cleaned),
    )  # fmt: skip


def solve(
    problem: AllocationProblem, rule: Rule, settings: AllocationSettings
) -> tuple[Solution, dict]:
    """Solve and certify; where the exact solver does not prove its result, the reference does.

    At `time_limit_s` both end. Raises CertificateError where what was reached is not within
    `max_relative_gap`, CropError where the reference model has nothing by then.
    """
    deadline = time.perf_counter() + settings.time_limit_s
    if settings.solver == "exact":
        try:
            solution = solve_exact(problem, rule, limits=Limits(deadline, settings.gap))
        except ConvergenceError as error:
            log.warning("the exact solver gave up (%s): taking the reference model", error)
        else:
            certificate = certify(problem, solution, rule)
            if is_proven(certificate, settings.max_relative_gap):
                return solution, certificate
            if solution.ended == "time limit":
                check_proven(certificate, settings.max_relative_gap)
            log.warning("the exact solution is not proven: taking the reference model")
    solution = solve_reference(
        problem, rule, solver=settings.reference_solver, limits=Limits(deadline)
    )
    certificate = certify(problem, solution, rule)
    check_proven(certificate, settings.max_relative_gap)
    return solution, certificate


def _of_year(table: pd.DataFrame, year: int, path: str | Path) -> pd.DataFrame:
    part = table[table["year"] == year]
    if part.empty:
        years = ", ".join(str(y) for y in sorted(table["year"].unique()))
        raise InputError(f"{path} has no rows of {year}", given=f"years {years}")
    return part


def _empty_areas() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "cell_id": np.empty(0, np.int64),
            "crop": pd.Series([], dtype="str"),
            "system": pd.Series([], dtype="str"),
            "physical_ha": np.empty(0),
            "harvested_ha": np.empty(0),
        }
    )


def _areas_table(
    problem: AllocationProblem, solution: Solution, statistics: Statistics, leaves: np.ndarray
) -> pd.DataFrame:
    """Physical and harvested hectares a cell, crop and system."""
    rate = np.array(
        [
            [statistics.intensity.get((int(leaf), crop, s), 1.0) for crop, s in problem.activities]
            for leaf in leaves
        ]
    ).reshape(len(leaves), len(problem.activities))
    crop, system = (np.array([a[n] for a in problem.activities], dtype=object) for n in (0, 1))
    harvests = rate[problem.leaf[solution.cell], solution.activity]
    return pd.DataFrame(
        {
            "cell_id": problem.cell_id[solution.cell],
            "crop": pd.Series(crop[solution.activity], dtype="str"),
            "system": pd.Series(system[solution.activity], dtype="str"),
            "physical_ha": solution.hectares,
            "harvested_ha": solution.hectares * harvests,
        }
    )
