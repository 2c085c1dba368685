"""The allocation problem as arrays, checked, and its independent groups (Eq. 11-16)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cropbase.errors import InputError

SYSTEMS = ("I", "H", "L")
Weighting = Literal["area", "share"]


@dataclass(frozen=True)
class Demand:
    """A statistic to be met: an area of some activities over some leaves.

    Fields
    ------
    crop : the crop.
    systems : the systems that count, text of I, H, L.
    unit_id : the target (`unit_id`, `unit_id~rest`) or the whole area that the figure is of.
    leaves : (k,) int, codes of the leaves covered, into `AllocationProblem.leaf_ids`.
    area_ha : hectares, >= 0; physical where `coefficients` are one, harvested where they are
        cropping intensities.
    coefficients : hectares of this statistic that one physical hectare gives, one a system.
    """

    crop: str
    systems: tuple[str, ...]
    unit_id: str
    leaves: np.ndarray
    area_ha: float
    coefficients: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "leaves", np.unique(np.asarray(self.leaves, dtype=np.int64)))
        if not self.coefficients:
            object.__setattr__(self, "coefficients", (1.0,) * len(self.systems))

    @property
    def name(self) -> str:
        """What the statistic is called in messages: crop, systems and unit."""
        return f"{self.crop}, {'+'.join(self.systems)}, unit {self.unit_id}"


@dataclass(frozen=True)
class AllocationProblem:
    """Cells, land, scores and statistics of one area (all areas in hectares).

    Fields
    ------
    cell_id : (n,) int64, strictly ascending.
    leaf : (n,) int32, code of the leaf that the cell lies in.
    leaf_ids : names of the leaves.
    cropland_ha, irrigated_ha : (n,) float64, 0 <= irrigated <= cropland.
    activities : (crop, system), one a row of `scores`.
    scores : (m, n) float32, 0-100; NaN where the activity is never allowed.
    demands : the statistics. An activity that no statistic covers in a leaf is not placed there.
    """

    cell_id: np.ndarray
    leaf: np.ndarray
    leaf_ids: tuple[str, ...]
    cropland_ha: np.ndarray
    irrigated_ha: np.ndarray
    activities: tuple[tuple[str, str], ...]
    scores: np.ndarray
    demands: tuple[Demand, ...]

    def __post_init__(self) -> None:
        _check(self)

    @property
    def n_cells(self) -> int:
        return len(self.cell_id)

    def activity_rows(self, demand: Demand) -> list[tuple[int, float]]:
        """Rows of `scores` that a demand covers, with their coefficients."""
        code = {activity: row for row, activity in enumerate(self.activities)}
        return [
            (code[demand.crop, system], coefficient)
            for system, coefficient in zip(demand.systems, demand.coefficients, strict=True)
            if (demand.crop, system) in code
        ]


def _check(problem: AllocationProblem) -> None:
    """Raise InputError for what would make the model wrong, infeasible or unbounded."""
    n, m = problem.n_cells, len(problem.activities)
    if problem.scores.shape != (m, n):
        raise InputError(
            "scores do not match cells and activities",
            given=problem.scores.shape,
            allowed=(m, n),
        )
    for name in ("leaf", "cropland_ha", "irrigated_ha"):
        if len(getattr(problem, name)) != n:
            raise InputError(f"{name} has not one value a cell", given=len(getattr(problem, name)))
    land, wet = problem.cropland_ha, problem.irrigated_ha
    wrong = ~(np.isfinite(land) & np.isfinite(wet) & (wet >= 0) & (wet <= land))
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        raise InputError(
            f"{wrong.sum()} cells have impossible land, first cell {problem.cell_id[first]}",
            given=f"cropland {land[first]} ha, irrigated {wet[first]} ha",
            allowed="0 <= irrigated <= cropland, both known",
            remedy="prepare the land of the cells with select_cells",
        )
    for activity, scores in zip(problem.activities, problem.scores, strict=True):
        low, high = np.fmin.reduce(scores, initial=0.0), np.fmax.reduce(scores, initial=0.0)
        if low < 0 or high > 100:
            raise InputError(
                f"scores of {' '.join(activity)} are out of range",
                given=float(low if low < 0 else high),
                allowed="0 to 100, or missing",
            )
    for demand in problem.demands:
        if not (np.isfinite(demand.area_ha) and demand.area_ha >= 0):
            raise InputError(
                f"the statistic of {demand.name} cannot be placed",
                given=f"{demand.area_ha} ha",
                allowed="a known area, zero or more",
                remedy="negative residuals are cleaned by problem_from_tables within rounding",
            )
        if any(not (np.isfinite(c) and c > 0) for c in demand.coefficients):
            raise InputError(
                f"a cropping intensity of {demand.name} is not above zero",
                given=demand.coefficients,
                allowed="harvests a year above zero",
            )


def split_into_groups(problem: AllocationProblem) -> list[AllocationProblem]:
    """Split into problems that share no statistic: connected components of leaves.

    With complete statistics every unit is its own group; a residual or a total over the whole
    area joins the leaves it covers. Groups come in the order of their first leaf.
    """
    labels = leaf_groups(len(problem.leaf_ids), [demand.leaves for demand in problem.demands])
    return [restrict(problem, np.flatnonzero(labels == group)) for group in range(labels.max() + 1)]


def leaf_groups(n_leaves: int, covers: Sequence[np.ndarray]) -> np.ndarray:
    """(n_leaves,) int: the group of each leaf, where `covers` lists leaves that belong together."""
    starts = [np.repeat(leaves[:1], len(leaves)) for leaves in covers]
    row = np.concatenate(starts) if starts else np.empty(0, dtype=np.int64)
    column = np.concatenate(list(covers)) if covers else np.empty(0, dtype=np.int64)
    graph = coo_array((np.ones(len(row)), (row, column)), shape=(n_leaves, n_leaves))
    _, labels = connected_components(graph, directed=False)
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]


def restrict(problem: AllocationProblem, leaves: np.ndarray) -> AllocationProblem:
    """The part of a problem in some leaves; `leaves` must not cut a demand.

    Raises InputError naming the demand that is cut.
    """
    leaves = np.unique(leaves)
    code = np.full(len(problem.leaf_ids), -1, dtype=np.int64)
    code[leaves] = np.arange(len(leaves))
    demands = []
    for demand in problem.demands:
        inside = code[demand.leaves] >= 0
        if inside.any() and not inside.all():
            raise InputError(
                f"the statistic of {demand.name} covers leaves of more than one group",
                remedy="solve these groups together",
            )
        if inside.any():
            demands.append(
                Demand(
                    demand.crop,
                    demand.systems,
                    demand.unit_id,
                    code[demand.leaves],
                    demand.area_ha,
                    demand.coefficients,
                )
            )
    cells = np.flatnonzero(code[problem.leaf] >= 0)
    crops = {demand.crop for demand in demands}
    rows = [row for row, (crop, _) in enumerate(problem.activities) if crop in crops]
    return AllocationProblem(
        cell_id=problem.cell_id[cells],
        leaf=code[problem.leaf[cells]].astype(np.int32),
        leaf_ids=tuple(problem.leaf_ids[leaf] for leaf in leaves),
        cropland_ha=problem.cropland_ha[cells],
        irrigated_ha=problem.irrigated_ha[cells],
        activities=tuple(problem.activities[row] for row in rows),
        scores=problem.scores[np.ix_(rows, cells)],
        demands=tuple(demands),
    )


def demand_weights(problem: AllocationProblem, weighting: Weighting) -> np.ndarray:
    """(leaves, m) float64: the worth of a score point on one hectare.

    One with `area` weighting. With `share` weighting it is one over the physical area PA that the
    system's own statistic gives the activity in that leaf (the statistic of several systems where
    there is no other), so that the objective sums score x share, as Eq. 11 does.
    """
    weights = np.ones((len(problem.leaf_ids), len(problem.activities)))
    if weighting == "area":
        return weights
    for demand in sorted(problem.demands, key=lambda d: -len(d.systems)):
        if demand.area_ha > 0:
            for row, coefficient in problem.activity_rows(demand):
                weights[demand.leaves, row] = coefficient / demand.area_ha
    return weights
