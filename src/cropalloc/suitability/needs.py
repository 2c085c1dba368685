"""Where each activity is needed: the leaves of its targets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cropalloc.suitability.activities import Activity
from cropbase.errors import InputError


@dataclass
class Needs:
    """The targets of one node year that ask for land, an activity each.

    Attributes
    ----------
    activities : sorted by crop, then I, H, L.
    targets : activity -> target_id -> leaf indices (see `leaves`).
    leaves : leaf_id -> index, of the leaves that have cells.
    """

    activities: list[Activity]
    targets: dict[Activity, dict[str, np.ndarray]]
    leaves: dict[str, int]

    def everywhere(self, activity: Activity) -> np.ndarray:
        """(leaves,) bool: leaves where any target asks for the activity."""
        asked = np.zeros(len(self.leaves), dtype=bool)
        for members in self.targets[activity].values():
            asked[members] = True
        return asked


def read_needs(areas: pd.DataFrame, members: pd.DataFrame, year: int, leaf_ids: list[str]) -> Needs:
    """Targets with a physical area above zero at `year`, and their leaves.

    Parameters
    ----------
    areas : columns target_id, crop, year, system, physical_ha.
    members : columns crop, year, target_id, leaf_id.
    leaf_ids : the leaves that have cells; other leaves of a target are left out here.

    Raises InputError if no activity is needed or a target has no leaf in `members`.
    """
    asked = areas[(areas["year"] == year) & (areas["physical_ha"] > 0)]
    if asked.empty:
        raise InputError(
            f"no target of {year} asks for any area",
            given=f"years {', '.join(str(y) for y in sorted(areas['year'].unique()))}",
        )
    covers = members[members["year"] == year]
    index = {leaf: position for position, leaf in enumerate(leaf_ids)}
    by_target = {key: group["leaf_id"] for key, group in covers.groupby(["crop", "target_id"])}
    targets: dict[Activity, dict[str, np.ndarray]] = {}
    for row in asked.sort_values(["crop", "system", "target_id"]).itertuples():
        leaves = by_target.get((row.crop, row.target_id))
        if leaves is None:
            raise InputError(
                f"target {row.target_id} of {row.crop} in {year} covers no leaf",
                remedy="harmonise the statistics anew",
            )
        known = np.array(sorted(index[leaf] for leaf in leaves if leaf in index), dtype=np.int64)
        targets.setdefault((row.crop, row.system), {})[row.target_id] = known
    order = sorted(targets, key=lambda activity: (activity[0], "IHL".index(activity[1])))
    return Needs(order, {activity: targets[activity] for activity in order}, index)
