"""What could not be placed, where, and why, in plain sentences."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cropalloc.allocation.problem import AllocationProblem, Demand
from cropalloc.allocation.solution import Solution
from cropalloc.allocation.tables import WHOLE
from cropalloc.statistics.harmonise import REST

COLUMNS = ["kind", "unit_id", "crop", "system", "hectares", "sentence"]
_WORDS = {"I": "irrigated", "H": "rainfed high-input", "L": "rainfed low-input"}
NEGLIGIBLE = 1e-9  # of a statistic, or of the whole land: rounding, not slack


def slack_table(problem: AllocationProblem, solution: Solution) -> pd.DataFrame:
    """Rows `kind, unit_id, crop, system, hectares, sentence`.

    `kind` is statistic (hectares physical for one system, harvested for several, `I+H+L`),
    cropland or irrigated (hectares of a leaf beyond its land, printed weights only).
    """
    rows = []
    wet = np.array([system == "I" for _, system in problem.activities], dtype=bool)
    kind = solution.activity
    used = np.bincount(solution.cell, solution.hectares, minlength=problem.n_cells)
    used_wet = np.bincount(solution.cell, solution.hectares * wet[kind], minlength=problem.n_cells)
    free = problem.cropland_ha - used > 1e-6 * problem.cropland_ha
    free_wet = free & (problem.irrigated_ha - used_wet > 1e-6 * problem.irrigated_ha)
    room = _Room(problem, free, free_wet)
    for demand, lacks in zip(problem.demands, solution.shortage, strict=True):
        if lacks > NEGLIGIBLE * demand.area_ha:
            words = _systems(demand.systems)
            measure = "ha" if len(demand.systems) == 1 else "harvested ha"
            rows.append(
                (
                    "statistic", demand.unit_id, demand.crop, "+".join(demand.systems), lacks,
                    f"{demand.crop.capitalize()}, {words}, {_place(demand.unit_id)}: "
                    f"{_number(lacks)} {measure} of {_number(demand.area_ha)} {measure} could not "
                    f"be placed because {_reason(problem, demand, room)}",
                )
            )  # fmt: skip
    for name, over in (
        ("cropland", solution.over_cropland), ("irrigated", solution.over_irrigated)
    ):  # fmt: skip
        each = np.bincount(problem.leaf, over, minlength=len(problem.leaf_ids))
        for leaf in np.flatnonzero(each > NEGLIGIBLE * problem.cropland_ha.sum()):
            land = "irrigated land" if name == "irrigated" else "cropland"
            rows.append(
                (
                    name, problem.leaf_ids[leaf], "", "", each[leaf],
                    f"Unit {problem.leaf_ids[leaf]}: {_number(each[leaf])} ha were placed beyond "
                    f"the {land} of their cells, as the penalties of slack: weights allow",
                )
            )  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


def _systems(systems: tuple[str, ...]) -> str:
    """The systems of a statistic, as a list in words."""
    *others, last = (_WORDS[system] for system in systems)
    return f"{', '.join(others)} and {last}" if others else last


def _place(unit_id: str) -> str:
    """The area that a statistic is of, as a statistician would call it."""
    if unit_id == WHOLE:
        return "all units together"
    if unit_id.endswith(REST):
        return f"the units within {unit_id.removesuffix(REST)} without a statistic of their own"
    return f"unit {unit_id}"


def _number(hectares: float) -> str:
    return f"{hectares:,.0f}" if hectares >= 10 else f"{hectares:.3g}"


class _Room:
    """What is left in the cells, a leaf and activity, so that no statistic reads all cells."""

    def __init__(self, problem: AllocationProblem, free: np.ndarray, free_wet: np.ndarray) -> None:
        n_leaves, m = len(problem.leaf_ids), len(problem.activities)
        self.land = _somewhere(problem, problem.cropland_ha > 0)
        self.scored, self.free, self.free_wet, self.without_score = (
            np.zeros((n_leaves, m), dtype=bool) for _ in range(4)
        )
        for row in range(m):
            scored = ~np.isnan(problem.scores[row])
            self.scored[:, row] = _somewhere(problem, scored & (problem.cropland_ha > 0))
            self.free[:, row] = _somewhere(problem, scored & free)
            self.free_wet[:, row] = _somewhere(problem, scored & free_wet)
            self.without_score[:, row] = _somewhere(problem, ~scored & free)


def _somewhere(problem: AllocationProblem, cells: np.ndarray) -> np.ndarray:
    """(leaves,) bool: whether any of these cells lies in the leaf."""
    return np.bincount(problem.leaf[cells], minlength=len(problem.leaf_ids)) > 0


def _reason(problem: AllocationProblem, demand: Demand, room: _Room) -> str:
    """Why a statistic is not met, from what is left in the cells that it may use."""
    if not room.land[demand.leaves].any():
        return "its unit has no cell with cropland"
    rows = [row for row, _ in problem.activity_rows(demand)]
    here = np.ix_(demand.leaves, rows)
    if not rows or not room.scored[here].any():
        return "no cell of its unit has a score for it"
    wet = np.array([problem.activities[row][1] == "I" for row in rows])
    if np.where(wet, room.free_wet[here], room.free[here]).any():
        return "the other statistics of this crop leave no room for it"
    if room.free[here].any():
        return "irrigated land ends"
    if room.without_score[here].any():
        return "cropland that has a score for it ends"
    return "cropland ends"
