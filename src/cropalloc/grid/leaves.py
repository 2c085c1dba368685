"""Looking up units of the statistics by the values of boundary layers and tables."""

from __future__ import annotations

import pandas as pd

from cropalloc.settings.grid import UnitMatch
from cropbase.errors import InputError


class Lookup:
    """The units of units.parquet, and which of them are leaves.

    Parameters
    ----------
    units : columns unit_id, name, level, parent_id.
    what : file name for messages.
    """

    def __init__(self, units: pd.DataFrame, what: str) -> None:
        missing = {"unit_id", "name", "level", "parent_id"} - set(units.columns)
        if missing:
            raise InputError(f"{what} lacks the column(s) {', '.join(sorted(missing))}")
        if units["unit_id"].isna().any():
            raise InputError(
                f"{what} has {int(units['unit_id'].isna().sum())} unit(s) without a unit_id"
            )
        units = units.astype({"unit_id": "str"})
        doubled = units["unit_id"][units["unit_id"].duplicated()].unique()
        if len(doubled):
            raise InputError(f"{what} lists unit {doubled[0]} more than once")
        self.what = what
        self.level = dict(zip(units["unit_id"], units["level"].astype(int), strict=True))
        self.name = dict(zip(units["unit_id"], units["name"].astype(str), strict=True))
        parents = set(units["parent_id"].dropna().astype(str))
        self.leaves: list[str] = sorted(unit for unit in self.level if unit not in parents)
        self.leaf_index = {unit: index for index, unit in enumerate(self.leaves)}

    def find(self, values: pd.Series, match: UnitMatch, where: str) -> dict[str, str | None]:
        """The unit of each distinct value (text), None where there is none.

        Raises InputError if a name belongs to several units.
        """
        units = [u for u, level in self.level.items() if match.level in (None, level)]
        if match.match == "id":
            known: dict[str, list[str]] = {unit: [unit] for unit in units}
        else:
            known = {}
            for unit in units:
                known.setdefault(self.name[unit].strip(), []).append(unit)
        found: dict[str, str | None] = {}
        for value in sorted(values.dropna().unique()):
            wanted = match.renames.get(value, value)
            hits = known.get(wanted, [])
            if not hits and value in match.renames and wanted in self.level:
                hits = [wanted]
            if len(hits) > 1:
                raise InputError(
                    f"{where}: name {value!r} belongs to several units of the statistics",
                    given=", ".join(sorted(hits)),
                    remedy="give grid.leaves `level`, match by `id`, or put the name into "
                    "`renames` with a unit_id",
                )
            found[value] = hits[0] if hits else None
        return found


def as_text(values: pd.Series) -> pd.Series:
    """Values as text: 354.0 and 354 are the same, blanks at the ends do not count."""
    if pd.api.types.is_float_dtype(values):
        whole = values.dropna() % 1 == 0
        if whole.all():
            values = values.astype("Int64")
    text = values.astype("string").str.strip()
    return text.where(text != "", pd.NA)
