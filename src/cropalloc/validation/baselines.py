"""Simple allocations that max-score is judged beside."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from cropalloc.settings.validation import Baseline
from cropbase.errors import InputError
from cropbase.jobs import progress
from cropbase.tables import read_table, write_table

log = logging.getLogger(__name__)

_ROUNDS = 200
_ENOUGH = 1e-9


def baseline_areas(
    *,
    kind: Baseline,
    cells: Path,
    members: Path,
    systems_areas: Path,
    scores: Path | None,
    year: int,
    capped: bool,
    areas_path: Path,
) -> pd.DataFrame:
    """Spread the physical area of every target and system over its cells in proportion.

    Parameters
    ----------
    kind : `cropland`: in proportion to the cropland of a cell; `suitability_cropland`: to score x
        cropland. Neither heeds irrigated land.
    cells : `allocation/{year}/cells.parquet`: `cell_id, leaf_id, cropland_ha`.
    members : leaves of the targets. systems_areas : that of `classify_systems`. scores :
        `scores/{year}.parquet`, needed for `suitability_cropland`; a missing score weighs nothing.
    capped : True: no cell gets more than its cropland. What a cell has too much of is taken from
        its crops in proportion and spread anew over cells with room left, in proportion to weight x
        room; until all is placed or no cell with weight has room, then over any cropland with room,
        and at last what still lacks is put in proportion to cropland beyond it. False: purely in
        proportion.
    areas_path : Parquet, written: `cell_id, crop, system, physical_ha, harvested_ha, beyond_ha`
        (rows above zero); `beyond_ha` is what exceeds the cropland in capped mode.

    Every target with a cell is placed in full; one without is left out, and the log says which and
    how much. Where all weights of a target are zero (no score, no cropland)
    the next simpler weight serves: cropland, then equal cells; the log says where. Returns the
    table. Raises InputError for tables that cannot be used.
    """
    table = read_table(cells).sort_values("cell_id", ignore_index=True)
    covers, wanted = read_table(members), read_table(systems_areas)
    covers, wanted = covers[covers["year"] == year], wanted[wanted["year"] == year]
    wanted = wanted[wanted["physical_ha"] > 0].sort_values(["crop", "target_id", "system"])
    if wanted.empty:
        raise InputError(f"table {systems_areas} has no area to place in {year}")
    score = None
    if kind == "suitability_cropland":
        if scores is None:
            raise InputError("baseline suitability_cropland needs the table of scores")
        score = _scores(scores, table["cell_id"].to_numpy())
    land = np.nan_to_num(table["cropland_ha"].to_numpy(np.float64))
    by_leaf = table.groupby("leaf_id").indices
    leaves = covers.groupby(["crop", "target_id"])["leaf_id"].agg(list)
    where, weights = [], []
    for row in progress(
        wanted.itertuples(), what=f"baseline {kind}", unit="targets", total=len(wanted)
    ):
        inside = [
            by_leaf[leaf] for leaf in leaves.get((row.crop, row.target_id), []) if leaf in by_leaf
        ]
        if not inside:
            log.warning(
                "target %s of %s %s has %.3f ha but no cell that offers cropland: left out",
                row.target_id,
                row.crop,
                row.system,
                row.physical_ha,
            )
            where.append(np.empty(0, dtype=np.int64))
            weights.append(np.empty(0))
            continue
        at = np.sort(np.concatenate(inside))
        where.append(at)
        weights.append(_weight(row, at, land, score))
    placed, beyond = _place(wanted["physical_ha"].to_numpy(), where, weights, land, capped)
    n = [len(at) for at in where]
    areas = pd.DataFrame(
        {
            "cell_id": table["cell_id"].to_numpy()[np.concatenate(where)],
            "crop": np.repeat(wanted["crop"].to_numpy(), n),
            "system": np.repeat(wanted["system"].to_numpy(), n),
            "physical_ha": placed,
            "harvested_ha": placed * np.repeat(wanted["intensity"].to_numpy(), n),
            "beyond_ha": beyond,
        }
    )
    areas = areas[areas["physical_ha"] > 0].sort_values(
        ["cell_id", "crop", "system"], ignore_index=True
    )
    write_table(areas, areas_path)
    log.info("baseline %s: %.0f ha beyond cropland", kind, areas["beyond_ha"].sum())
    return areas


def _scores(path: Path, cell_id: np.ndarray) -> pd.DataFrame:
    scores = read_table(path).set_index("cell_id")
    absent = ~np.isin(cell_id, scores.index.to_numpy())
    if absent.any():
        raise InputError(
            f"table of scores {path} lacks {int(absent.sum())} cell(s) of the allocation",
            given=f"cell_id {cell_id[absent][0]}",
            remedy="score the cells anew",
        )
    scores = scores.loc[cell_id]
    low = scores.min()
    if (low < 0).any():
        raise InputError(
            f"table of scores {path} has a negative score",
            given=f"{low.idxmin()}: {low.min():g}",
            allowed="0 to 100, or missing",
            remedy="score the cells anew; the nodata value of a raster may be undeclared",
        )
    return scores


def _weight(row, at: np.ndarray, land: np.ndarray, score: pd.DataFrame | None) -> np.ndarray:
    """Weights of the cells of one target and system; never all zero."""
    if score is not None:
        name = f"{row.crop}_{row.system}"
        if name not in score:
            raise InputError(f"the table of scores has no column {name}")
        weight = np.nan_to_num(score[name].to_numpy(np.float64)[at]) * land[at]
        if weight.sum() > 0:
            return weight
        log.warning("%s in %s: no cell with a score; cropland weighs", name, row.target_id)
    if land[at].sum() > 0:
        return land[at]
    log.warning(
        "%s %s in %s: no cropland; all cells weigh the same", row.crop, row.system, row.target_id
    )
    return np.ones(len(at))


def _place(
    demand: np.ndarray,
    where: list[np.ndarray],
    weights: list[np.ndarray],
    land: np.ndarray,
    capped: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Areas of all targets over their cells, one after the other, and what exceeds cropland."""
    at = np.concatenate(where)
    owner = np.repeat(np.arange(len(where)), [len(one) for one in where])
    weight = np.concatenate(weights)
    n = len(demand)

    def spread(amount: np.ndarray, by: np.ndarray) -> np.ndarray:
        total = np.bincount(owner, by, n)
        share = np.divide(amount, total, out=np.zeros(n), where=total > 0)
        return share[owner] * by

    if not capped:
        return spread(demand, weight), np.zeros(len(at))
    placed = np.zeros(len(at))
    left = demand.astype(np.float64)
    for by in (weight, land[at]):
        for _ in range(_ROUNDS):
            room = land - np.bincount(at, placed, len(land))
            free = np.where(room > _ENOUGH * np.maximum(land, 1.0), room, 0.0)
            start = by if not placed.any() else by * free[at]
            more = spread(left, start)
            load = np.bincount(at, more, len(land))
            fits = np.divide(free, load, out=np.ones_like(load), where=load > free)
            more *= fits[at]
            gained = np.bincount(owner, more, n)
            placed += more
            left = np.maximum(left - gained, 0.0)
            if gained.sum() <= _ENOUGH * demand.sum() or left.sum() <= _ENOUGH * demand.sum():
                break
    beyond = spread(left, np.where(np.bincount(owner, land[at], n)[owner] > 0, land[at], 1.0))
    return placed + beyond, beyond
