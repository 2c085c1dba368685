"""From the tables of a case to allocation problems (docs/allocation.md, files of one case)."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from cropalloc.allocation.problem import SYSTEMS, AllocationProblem, Demand, leaf_groups
from cropalloc.grid.completeness import require_cells
from cropbase.errors import InputError
from cropbase.tables import read_table

log = logging.getLogger(__name__)

KnownFor = Literal["target", "whole_area"]
WHOLE = "whole_area"


@dataclass(frozen=True)
class Statistics:
    """The statistics of a year, ready to be placed.

    Fields
    ------
    leaf_ids : all leaves of cells and targets, sorted.
    demands : see `AllocationProblem`, leaves as codes into `leaf_ids`.
    intensity : (leaf code, crop, system) -> harvests a year.
    cleaned : sentences about negative statistics that were set to zero.
    """

    leaf_ids: tuple[str, ...]
    demands: tuple[Demand, ...]
    intensity: dict[tuple[int, str, str], float]
    cleaned: tuple[str, ...]


def read_statistics(
    areas: pd.DataFrame,
    members: pd.DataFrame,
    cell_leaves: pd.Series,
    *,
    known_for: KnownFor,
    rounding_tolerance: float,
) -> Statistics:
    """Demands of one year from `systems/areas` and `statistics/members` (rows of that year).

    With `known_for` target each system of a target is a demand of its own (physical area). With
    whole_area a target is harvested area summed over its systems, and the physical area of each
    crop and system over the whole area is a demand more (left out where a crop has one system, as
    it repeats the targets).

    Raises InputError for a target without leaves, or a negative area beyond rounding.
    """
    leaf_ids = tuple(sorted(set(members["leaf_id"]) | set(cell_leaves)))
    code = {leaf: number for number, leaf in enumerate(leaf_ids)}
    covers = {
        key: np.array(sorted(code[leaf] for leaf in part), dtype=np.int64)
        for key, part in members.groupby(["crop", "target_id"])["leaf_id"]
    }
    areas = areas.copy()
    cleaned = _clean(areas, rounding_tolerance)
    areas["rank"] = areas["system"].map({system: n for n, system in enumerate(SYSTEMS)})
    areas = areas.sort_values(["crop", "target_id", "rank"])
    lost = [key for key in zip(areas["crop"], areas["target_id"], strict=True) if key not in covers]
    if lost:
        raise InputError(
            f"target {lost[0][1]} of {lost[0][0]} covers no leaf",
            given=f"{len(set(lost))} such targets",
            remedy="rerun harmonise_statistics: members.parquet does not fit areas.parquet",
        )
    intensity: dict[tuple[int, str, str], float] = {}
    demands: list[Demand] = []
    for crop, table in areas.groupby("crop", sort=True):
        for row in table.itertuples():
            if np.isfinite(row.intensity):
                for leaf in covers[crop, row.target_id]:
                    intensity[int(leaf), crop, row.system] = float(row.intensity)
        totals = table.groupby("system")["physical_ha"].sum()
        systems = [s for s in SYSTEMS if totals.get(s, 0.0) > 0]
        several = known_for == "whole_area" and len(systems) > 1
        for target, part in table.groupby("target_id", sort=True):
            leaves = covers[crop, target]
            if several:
                part = part[part["system"].isin(systems) & (part["intensity"] > 0)]
                harvested = float(part["harvested_ha"].sum())
                demands.append(
                    Demand(crop, tuple(part["system"]), target, leaves, harvested,
                           tuple(part["intensity"].astype(float)))
                )  # fmt: skip
            else:
                demands += [
                    Demand(crop, (row.system,), target, leaves, float(row.physical_ha))
                    for row in part.itertuples()
                ]
        if several:
            everywhere = np.unique(np.concatenate([covers[crop, t] for t in set(table.target_id)]))
            demands += [Demand(crop, (s,), WHOLE, everywhere, float(totals[s])) for s in systems]
    return Statistics(leaf_ids, tuple(demands), intensity, cleaned)


def _clean(areas: pd.DataFrame, tolerance: float) -> tuple[str, ...]:
    """Set negative areas within rounding to zero, in place; returns what was done."""
    told = []
    for column in ("physical_ha", "harvested_ha"):
        unknown = areas[~np.isfinite(areas[column].astype(float))]
        if len(unknown):
            row = unknown.iloc[0]
            raise InputError(
                f"{column} of {row.crop}, {row.system}, target {row.target_id} is not known",
                given=row[column],
                remedy="look at systems/areas.parquet and the intensity of that crop",
            )
        largest = areas.groupby("crop")[column].transform("max")
        negative = areas[column] < 0
        beyond = negative & (areas[column] < -tolerance * largest)
        if beyond.any():
            row = areas[beyond].iloc[0]
            raise InputError(
                f"{column} of {row.crop}, {row.system}, target {row.target_id} is negative",
                given=f"{row[column]} ha",
                allowed="zero or more; rounding below zero is cleaned "
                f"(rounding_tolerance {tolerance:g} of the crop's largest area)",
                remedy="look at this target in statistics/audit.csv",
            )
        for row in areas[negative].itertuples():
            sentence = (
                f"{row.crop}, {row.system}, target {row.target_id}: {column} of "
                f"{getattr(row, column):.3g} ha, a rounding error, was set to zero"
            )
            log.warning("%s", sentence)
            told.append(sentence)
        areas.loc[negative, column] = 0.0
    return tuple(told)


def deal_groups(
    statistics: Statistics, cell_leaves: pd.Series, jobs: int
) -> list[list[np.ndarray]]:
    """The groups of each job: lists of leaf codes, largest group first to the least loaded job."""
    labels = leaf_groups(len(statistics.leaf_ids), [d.leaves for d in statistics.demands])
    code = {leaf: number for number, leaf in enumerate(statistics.leaf_ids)}
    cells = np.bincount(cell_leaves.map(code).to_numpy(dtype=np.int64), minlength=len(code))
    load = np.bincount(labels, cells)
    order = np.argsort(labels, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(labels))[:-1])
    dealt: list[list[int]] = [[] for _ in range(jobs)]
    carried = np.zeros(jobs)
    for group in np.lexsort((np.arange(len(load)), -load)):
        job = int(np.argmin(carried))
        dealt[job].append(int(group))
        carried[job] += load[group] + 1
    return [[members[group] for group in sorted(groups)] for groups in dealt]


def problem_from_tables(
    selected: pd.DataFrame, scores_path: str | Path, statistics: Statistics, leaves: np.ndarray
) -> AllocationProblem:
    """The problem of one group of leaves.

    `selected` has `cell_id, leaf_id, cropland_ha, irrigated_ha`; scores are read a column at a
    time. Raises InputError if a crop-system that must be placed has no score column,
    CompletenessError if scores lack a cell.
    """
    names = [statistics.leaf_ids[leaf] for leaf in leaves]
    code = {name: number for number, name in enumerate(names)}
    cells = selected[selected["leaf_id"].isin(code)].sort_values("cell_id", ignore_index=True)
    back = np.full(len(statistics.leaf_ids), -1)
    back[leaves] = np.arange(len(leaves))
    demands = [d for d in statistics.demands if back[d.leaves[0]] >= 0]
    activities = sorted(
        {(d.crop, s) for d in demands for s in d.systems if d.area_ha > 0},
        key=lambda a: (a[0], SYSTEMS.index(a[1])),
    )
    scored = read_table(scores_path, columns=["cell_id"])
    needed = scored["cell_id"].isin(cells["cell_id"])
    require_cells(scored[needed], cells["cell_id"], stage="score_suitability", path=scores_path)
    source = pq.ParquetFile(scores_path)
    missing = [f"{c}_{s}" for c, s in activities if f"{c}_{s}" not in source.schema_arrow.names]
    if missing:
        raise InputError(
            f"{scores_path} has no scores of {', '.join(missing)}",
            remedy="rerun score_suitability: these crops and systems have an area to be placed",
        )
    ids = scored["cell_id"].to_numpy()
    order = np.argsort(ids)
    place = np.searchsorted(ids, cells["cell_id"].to_numpy(), sorter=order)
    place = order[np.minimum(place, len(ids) - 1)] if len(ids) else place
    scores = np.empty((len(activities), len(cells)), dtype=np.float32)
    for number, (crop, system) in enumerate(activities):
        column = source.read(columns=[f"{crop}_{system}"]).column(0).to_numpy()
        scores[number] = column[place]
    return AllocationProblem(
        cell_id=cells["cell_id"].to_numpy(dtype=np.int64),
        leaf=cells["leaf_id"].map(code).to_numpy(dtype=np.int32),
        leaf_ids=tuple(names),
        cropland_ha=cells["cropland_ha"].to_numpy(dtype=np.float64),
        irrigated_ha=cells["irrigated_ha"].to_numpy(dtype=np.float64),
        activities=tuple(activities),
        scores=scores,
        demands=tuple(
            Demand(d.crop, d.systems, d.unit_id, back[d.leaves], d.area_ha, d.coefficients)
            for d in demands
        ),
    )
