"""Rule `select_cells`: how much land each cell offers, and whether it can be enough."""

from __future__ import annotations

import itertools
import logging
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from cropalloc.grid.cellgrid import read_cells
from cropalloc.grid.completeness import require_cells, require_targets
from cropalloc.selection.demand import LeafSets, demand_inside, leaf_sets
from cropalloc.selection.promote import Land, Verdict, promote_for_demand
from cropalloc.settings.selection import SelectionSettings
from cropbase.atomic import atomic_path
from cropbase.errors import InputError
from cropbase.tables import read_table, write_table

log = logging.getLogger(__name__)

SYSTEMS = {"cropland": ("I", "H", "L"), "irrigated": ("I",)}
_LAST_RANK = np.iinfo(np.int64).max


def select_cells(
    *,
    cells: str | Path,
    synergy: str | Path,
    areas: str | Path,
    members: str | Path,
    units: str | Path,
    selection: SelectionSettings,
    known_for: Literal["target", "whole_area"],
    year: int,
    selected_path: str | Path,
    consistency_path: str | Path,
) -> None:
    """Write allocation/{year}/cells.parquet and allocation/{year}/consistency.csv.

    The first table has a row for every cell that offers cropland: `promoted` is none, cropland,
    irrigated or both. The second compares, for both kinds of land, the demand that must lie inside
    with the land, in every unit of every level and in every set of leaves that a residual covers.
    With `known_for` whole_area irrigated land is compared for the whole area alone, because the
    allocation may shift systems between targets. Irrigated land is settled first: a cell whose
    irrigated land rises above its cropland offers its maximum cropland too.

    Raises InputError if the tables do not fit together or no cell has cropland.
    """
    table, _ = read_cells(cells)
    land = read_table(synergy)
    require_cells(land, table["cell_id"], stage="combine_cropland", path=synergy)
    table = table.merge(land, on="cell_id", how="left", validate="one_to_one")
    everything = read_table(areas)
    asked = everything[everything["year"] == year]
    covers = read_table(members)
    covers = covers[covers["year"] == year]
    if asked.empty or covers.empty:
        raise InputError(
            f"there are no targets of {year}",
            given=f"years {', '.join(str(y) for y in sorted(everything['year'].unique()))}",
        )
    require_targets(asked, covers, stage="classify_systems", path=areas)
    sets = leaf_sets(read_table(units), covers)
    cropland, irrigated = _land(table, "cropland"), _land(table, "irrigated")
    if not cropland.highest.any():
        raise InputError(
            f"no cell has cropland in {year}", remedy="look at the report of combine_cropland"
        )
    cells_of_leaf = _cells_of_leaf(table["leaf_id"], sets)
    options = {
        "promote": selection.promote,
        "margin_share": selection.margin_share,
        "tolerance_share": selection.tolerance_share,
    }
    whole = np.array(sets.is_whole)
    verdicts: dict[str, list[Verdict | None]] = {}
    for name, land in (("irrigated", irrigated), ("cropland", cropland)):
        everywhere = name == "cropland" or known_for == "target"
        demand = demand_inside(sets, asked, covers, SYSTEMS[name])
        verdicts[name] = promote_for_demand(
            land, cells_of_leaf, sets, demand, whole | everywhere, **options
        )
        if name == "irrigated":
            above = land.now > cropland.now
            cropland.now[above] = cropland.highest[above]
    irrigated.now = np.minimum(irrigated.now, cropland.now)
    _write_selected(table, cropland, irrigated, selected_path)
    _write_consistency(sets, verdicts, cells_of_leaf, read_table(units), consistency_path)
    for name in ("cropland", "irrigated"):
        known = [v for v in verdicts[name] if v is not None]
        log.info(
            "%s: %d cells promoted; foreseen slack %.0f ha",
            name,
            int((cropland if name == "cropland" else irrigated).promoted.sum()),
            sum(v.slack_ha for v in known),
        )


def _land(table: pd.DataFrame, name: str) -> Land:
    """Land of the cells; where no source looked there is none to offer."""
    mean = table[f"{name}_mean_ha"].fillna(0.0).to_numpy(np.float64)
    highest = table[f"{name}_max_ha"].fillna(0.0).to_numpy(np.float64)
    if np.any(mean > highest * (1 + 1e-9)):
        worst = int(np.argmax(mean - highest))
        raise InputError(
            f"synergy: mean {name} exceeds its maximum in cell {table['cell_id'].iloc[worst]}",
            given=f"{mean[worst]:g} ha above {highest[worst]:g} ha",
            remedy="combine the sources anew",
        )
    rank = table[f"{name}_rank"].astype("Float64").fillna(float(_LAST_RANK >> 12))
    return Land(mean, np.maximum(mean, highest), rank.to_numpy(np.int64), mean.copy())


def _cells_of_leaf(leaf_id: pd.Series, sets: LeafSets) -> list[np.ndarray]:
    index = {leaf: position for position, leaf in enumerate(sets.leaves)}
    unknown = sorted(set(leaf_id) - set(index))
    if unknown:
        raise InputError(
            f"cells belong to {unknown[0]}, which is no lowest unit of units.parquet",
            remedy="prepare the cells anew",
        )
    position = leaf_id.map(index).to_numpy()
    order = np.argsort(position, kind="stable")
    bounds = np.searchsorted(position[order], np.arange(len(sets.leaves) + 1))
    return [order[a:b] for a, b in itertools.pairwise(bounds)]


def _write_selected(table: pd.DataFrame, cropland: Land, irrigated: Land, path: str | Path) -> None:
    choice = np.array(["none", "cropland", "irrigated", "both"], dtype=object)
    code = cropland.promoted + 2 * irrigated.promoted
    selected = pd.DataFrame(
        {
            "cell_id": table["cell_id"],
            "leaf_id": table["leaf_id"],
            "cropland_ha": cropland.now,
            "irrigated_ha": irrigated.now,
            "promoted": pd.array(choice[code], dtype="str"),
        }
    )
    write_table(selected[selected["cropland_ha"] > 0], path)


def _write_consistency(
    sets: LeafSets,
    verdicts: dict[str, list[Verdict | None]],
    cells_of_leaf: list[np.ndarray],
    units: pd.DataFrame,
    path: str | Path,
) -> None:
    names = dict(zip(units["unit_id"].astype(str), units["name"].astype(str), strict=True))
    rows = []
    for land in ("cropland", "irrigated"):
        for position, verdict in enumerate(verdicts[land]):
            if verdict is None:
                continue
            leaves = sets.inside[[position], :].indices
            set_id = sets.set_id[position]
            rest_of = names.get(set_id.partition("~")[0], set_id)
            label = names.get(set_id, f"the rest of {rest_of} ({sets.crops[position]})")
            rows.append(
                {
                    "land": land,
                    "kind": sets.kind[position],
                    "unit_id": set_id,
                    "name": label,
                    "crops": sets.crops[position],
                    "level": sets.level[position],
                    "leaves": len(leaves),
                    "cells": sum(len(cells_of_leaf[leaf]) for leaf in leaves),
                    **{key: round(value, 6) for key, value in vars(verdict).items()},
                    "sentence": _sentence(label, land, verdict),
                }
            )
    frame = pd.DataFrame(rows).sort_values(
        ["land", "level", "kind", "unit_id", "leaves", "crops"], kind="stable", ignore_index=True
    )
    frame = frame.rename(columns={"highest_ha": "max_ha", "slack_ha": "foreseen_slack_ha"})
    with atomic_path(path) as temporary:
        frame.to_csv(temporary, index=False)


def _sentence(label: str, land: str, verdict: Verdict) -> str:
    """What the row means, for people."""
    what = "cropland" if land == "cropland" else "irrigated land"
    if verdict.slack_ha > 0:
        return (
            f"{label}: {verdict.slack_ha:.1f} ha of the {verdict.demand_ha:.1f} ha asked for find "
            f"no {what}, even at the maximum of {verdict.highest_ha:.1f} ha"
            if verdict.after_ha >= verdict.highest_ha * (1 - 1e-9)
            else f"{label}: {verdict.slack_ha:.1f} ha of the {verdict.demand_ha:.1f} ha asked for "
            f"find no {what}; cells were not promoted"
        )
    if verdict.promoted_cells:
        return (
            f"{label}: {verdict.promoted_cells} cells were promoted to their maximum, "
            f"{verdict.promoted_ha:.1f} ha more {what}"
        )
    if verdict.placeable_ha < verdict.demand_ha:
        return f"{label}: fits, but for the slack foreseen in its parts"
    return ""
