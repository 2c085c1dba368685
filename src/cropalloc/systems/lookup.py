"""Values looked up at a unit, else at its nearest ancestor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from cropalloc.systems.tables import EVERYWHERE
from cropbase.errors import InputError


class Hierarchy:
    """The units of a case: levels and parents.

    Raises InputError for a parent that is no unit or a unit among its own ancestors.
    """

    def __init__(self, units: pd.DataFrame) -> None:
        self.levels = dict(zip(units["unit_id"], units["level"].astype(int), strict=True))
        self._parent = {
            unit: parent
            for unit, parent in zip(units["unit_id"], units["parent_id"], strict=True)
            if pd.notna(parent)
        }
        for unit in self.levels:
            self._check(unit)

    def _check(self, unit: str) -> None:
        seen = {unit}
        while unit in self._parent:
            parent = self._parent[unit]
            if parent not in self.levels:
                raise InputError(f"parent {parent!r} of unit {unit!r} is no unit")
            if parent in seen:
                raise InputError(f"unit {unit!r} is among its own ancestors")
            seen.add(parent)
            unit = parent

    def upwards(self, unit: str) -> Iterator[str]:
        """The unit, its parent, and so on; last the mark of values that hold everywhere."""
        yield unit
        while unit in self._parent:
            unit = self._parent[unit]
            yield unit
        yield EVERYWHERE


Values = dict[tuple[str, str], float]
"""(unit id, crop) -> value."""


def values_of(table: pd.DataFrame, system: str = "") -> Values:
    """The rows of one system of a long table as a mapping."""
    rows = table[table["system"] == system]
    return dict(zip(zip(rows["unit_id"], rows["crop"], strict=True), rows["value"], strict=True))


def nearest(values: Mapping[tuple[str, str], float], tree: Hierarchy, unit: str, crop: str):
    """The value at the unit or its nearest ancestor that has one, else None."""
    for at in tree.upwards(unit):
        found = values.get((at, crop))
        if found is not None:
            return found
    return None
