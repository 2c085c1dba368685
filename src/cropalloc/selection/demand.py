"""Sets of leaves, and the demand that lies entirely inside each of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from cropbase.errors import InputError


@dataclass
class LeafSets:
    """Sets of leaves in which demand is compared with land, the smallest first.

    Attributes
    ----------
    leaves : leaf_id of every position, sorted.
    inside : (sets, leaves) sparse bool: which leaves a set has.
    kind : `unit` (a unit of units.parquet) or `targets` (only a residual covers just these).
    set_id : unit_id, or the first target_id that covers the set.
    crops : of sets that are no unit, the crops whose residual covers just these leaves.
    level : level of the unit; of a residual's unit plus one.
    is_whole : True for the units of the highest level.
    """

    leaves: list[str]
    inside: sparse.csr_array
    kind: list[str]
    set_id: list[str]
    crops: list[str]
    level: list[int]
    is_whole: list[bool]

    def __len__(self) -> int:
        return len(self.set_id)

    def subsets(self) -> sparse.csr_array:
        """(sets, sets): [s, t] is set where t is a proper subset of s."""
        return _contained(self.inside, self.inside, proper=True)


def leaf_sets(units: pd.DataFrame, members: pd.DataFrame) -> LeafSets:
    """All units of all levels, and all sets of leaves that a target covers.

    Parameters
    ----------
    units : columns unit_id, level, parent_id.
    members : columns crop, target_id, leaf_id, of one year.

    Raises InputError if `members` names a leaf that is no unit, or units form a circle.
    """
    parent: dict[str, str | None] = {
        str(unit): None if pd.isna(above) else str(above)
        for unit, above in zip(units["unit_id"], units["parent_id"], strict=True)
    }
    orphans = sorted(u for u, above in parent.items() if above is not None and above not in parent)
    if orphans:
        raise InputError(f"the parent of unit {orphans[0]} is no unit", given=parent[orphans[0]])
    level = dict(zip(units["unit_id"].astype(str), units["level"].astype(int), strict=True))
    unknown = sorted(set(members["leaf_id"]) - set(parent))
    if unknown:
        raise InputError(f"members name leaf {unknown[0]}, which is no unit")
    leaves = sorted(set(parent) - {p for p in parent.values() if p is not None})
    index = {leaf: position for position, leaf in enumerate(leaves)}
    found: dict[frozenset[int], tuple[str, str, int, bool]] = {}
    below: dict[str, list[int]] = {}
    for leaf in leaves:
        unit: str | None = leaf
        steps = 0
        while unit is not None:
            below.setdefault(unit, []).append(index[leaf])
            unit = parent.get(unit)
            steps += 1
            if steps > len(parent):
                raise InputError(f"the parents of unit {leaf} lead in a circle")
    top = min(level.values())
    # A unit with one child is named by the child's parent, the higher of the two.
    for unit in sorted(below, key=lambda u: (level[u], u)):
        found.setdefault(frozenset(below[unit]), ("unit", unit, level[unit], level[unit] == top))
    covers = members.groupby(["target_id", "crop"])["leaf_id"]
    crops: dict[frozenset[int], list[str]] = {}
    for (target, crop), group in sorted(covers, key=lambda item: item[0]):
        key = frozenset(index[leaf] for leaf in group if leaf in index)
        if key and key not in found:
            base = target.partition("~")[0]
            found[key] = ("targets", target, level.get(base, -1) + 1, False)
        if key and found[key][0] == "targets":
            crops.setdefault(key, []).append(crop)
    order = sorted(found, key=lambda key: (len(key), found[key][0] != "unit", found[key][1]))
    inside = _incidence(order, len(leaves))
    kind, set_id, levels, whole = zip(*(found[key] for key in order), strict=True)
    of_set = ["+".join(sorted(set(crops.get(key, [])))) for key in order]
    return LeafSets(leaves, inside, list(kind), list(set_id), of_set, list(levels), list(whole))


def demand_inside(
    sets: LeafSets, areas: pd.DataFrame, members: pd.DataFrame, systems: tuple[str, ...]
) -> np.ndarray:
    """Physical area of the targets whose leaves all lie in a set.

    Parameters
    ----------
    areas : columns target_id, crop, system, physical_ha, of one year.
    members : columns crop, target_id, leaf_id, of one year.
    systems : the systems that count.

    Returns
    -------
    (sets,) float64, hectares. Raises InputError for a target without leaves or an area that is
    negative or missing.
    """
    bad = ~(areas["physical_ha"] >= 0)
    if bad.any():
        row = areas[bad].iloc[0]
        raise InputError(
            f"target {row['target_id']}, {row['crop']} {row['system']}: physical area is no area",
            given=row["physical_ha"],
            remedy="classify the systems anew",
        )
    asked = areas[areas["system"].isin(systems) & (areas["physical_ha"] > 0)]
    total = asked.groupby(["target_id", "crop"])["physical_ha"].sum()
    index = {leaf: position for position, leaf in enumerate(sets.leaves)}
    by_target = {key: group for key, group in members.groupby(["target_id", "crop"])["leaf_id"]}
    covered: dict[frozenset[int], float] = {}
    for key, hectares in total.items():
        if key not in by_target:
            raise InputError(
                f"target {key[0]} of {key[1]} covers no leaf",
                remedy="harmonise the statistics anew",
            )
        leaves = frozenset(index[leaf] for leaf in by_target[key] if leaf in index)
        covered[leaves] = covered.get(leaves, 0.0) + float(hectares)
    groups = sorted(covered, key=lambda group: (len(group), sorted(group)))
    if not groups:
        return np.zeros(len(sets))
    held = _contained(sets.inside, _incidence(groups, len(sets.leaves)), proper=False)
    return held.astype(float) @ np.array([covered[group] for group in groups])


def _incidence(groups: list[frozenset[int]], n_leaves: int) -> sparse.csr_array:
    columns = [sorted(group) for group in groups]
    starts = np.cumsum([0] + [len(group) for group in columns])
    flat = np.concatenate([np.array(group, dtype=np.int64) for group in columns])
    return sparse.csr_array((np.ones(len(flat)), flat, starts), shape=(len(groups), n_leaves))


def _contained(
    outer: sparse.csr_array, inner: sparse.csr_array, *, proper: bool
) -> sparse.csr_array:
    """(outer, inner): 1 where all leaves of an inner set lie in an outer set."""
    shared = (outer @ inner.T).tocoo()
    size_inner, size_outer = inner.sum(axis=1), outer.sum(axis=1)
    row, col = shared.coords
    keep = shared.data == size_inner[col]
    if proper:
        keep &= size_inner[col] < size_outer[row]
    return sparse.csr_array((np.ones(int(keep.sum())), (row[keep], col[keep])), shape=shared.shape)
