"""Allocated areas of all groups of a year, read a crop at a time: a nation's do not fit memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from cropbase.errors import CompletenessError, InputError
from cropbase.tables import read_table

AREA_COLUMNS = ["cell_id", "system", "harvested_ha"]


def crops_of_areas(paths: Sequence[Path]) -> list[str]:
    """The crops that have areas, sorted; raises InputError for tables that cannot be read."""
    if not paths:
        raise InputError("there is no table of allocated areas", remedy="run the allocation first")
    found: set[str] = set()
    for path in paths:
        found |= set(read_table(path, columns=["crop"])["crop"].unique())
    return sorted(found)


def read_areas(paths: Sequence[Path], crop: str) -> pd.DataFrame:
    """Areas of one crop, all groups: `cell_id, system, harvested_ha`, sorted by system and cell.

    Raises CompletenessError for a system given to a cell twice, InputError for an area that is
    none, a system other than I, H, L, or a table that cannot be read.
    """
    parts = []
    for path in paths:
        try:
            parts.append(
                pd.read_parquet(path, columns=AREA_COLUMNS, filters=[("crop", "==", crop)])
            )
        except (OSError, ValueError, KeyError) as error:
            raise InputError(f"table {path} cannot be read", given=error) from None
    table = pd.concat(parts, ignore_index=True)
    bad = ~(table["harvested_ha"] >= 0) | ~table["system"].isin(["I", "H", "L"])
    if bad.any():
        row = table[bad].iloc[0]
        raise InputError(
            f"cell {row.cell_id} has no usable area of {crop}",
            given=f"system {row.system}, {row.harvested_ha} ha",
        )
    table = table.sort_values(["system", "cell_id"], ignore_index=True)
    twice = table.duplicated(["cell_id", "system"])
    if twice.any():
        row = table[twice].iloc[0]
        raise CompletenessError(
            f"{crop} {row.system} is allocated to cell {row.cell_id} twice",
            remedy="the groups of the allocation overlap: remove stale groups and run it anew",
        )
    return table
