"""The tree of administrative units, pruned to the units that have cells."""

from __future__ import annotations

import difflib

import pandas as pd

from cropbase.errors import InputError


class UnitTree:
    """Units, their children and their leaves.

    Parameters
    ----------
    units : table of `read_statistics` (`unit_id, name, level, parent_id`).
    leaf_ids : ids of the leaves that have cells; None = every unit without children.

    Raises InputError if a leaf is no unit of the table, has children, or if no leaf is given.
    """

    def __init__(self, units: pd.DataFrame, leaf_ids: list[str] | None = None) -> None:
        self.order = [str(key) for key in units.sort_values(["level", "unit_id"])["unit_id"]]
        self.name = dict(zip(units["unit_id"], units["name"], strict=True))
        self.level = dict(zip(units["unit_id"], units["level"].tolist(), strict=True))
        below = units.dropna(subset=["parent_id"]).sort_values("unit_id")
        self.parent = dict(zip(below["unit_id"], below["parent_id"], strict=True))
        self.children: dict[str, list[str]] = {key: [] for key in self.order}
        for key, parent in self.parent.items():
            self.children[parent].append(key)
        self.roots = [key for key in self.order if key not in self.parent]
        childless = [key for key in self.order if not self.children[key]]
        self._check(leaf_ids)
        with_cells = set(childless if leaf_ids is None else leaf_ids)
        self.leaves: dict[str, tuple[str, ...]] = {}
        # From the lowest level up, so that the leaves of all children are there.
        for key in reversed(self.order):
            own = (key,) if key in with_cells else ()
            inner = [leaf for child in self.children[key] for leaf in self.leaves[child]]
            self.leaves[key] = (*own, *sorted(inner))

    def _check(self, leaf_ids: list[str] | None) -> None:
        if leaf_ids is None:
            return
        if not leaf_ids:
            raise InputError(
                "no unit has cells", remedy="check that the grid and the boundaries overlap"
            )
        unknown = sorted(set(leaf_ids) - set(self.order))
        if unknown:
            near = difflib.get_close_matches(unknown[0], self.order, n=3)
            raise InputError(
                f"{len(unknown)} unit(s) of the grid are not among the units of the statistics",
                given=", ".join(unknown[:8]) + (", ..." if len(unknown) > 8 else ""),
                allowed=f"near: {', '.join(near)}" if near else None,
                remedy="use the same ids for the grid's boundaries and `statistics.units`",
            )
        inner = sorted(key for key in set(leaf_ids) if self.children[key])
        if inner:
            raise InputError(
                f"unit(s) of the grid have units below them: {', '.join(inner[:8])}",
                remedy="rasterise the units of the lowest level",
            )

    def has_cells(self, key: str) -> bool:
        """True if any leaf of the unit has cells."""
        return bool(self.leaves[key])

    def nearest(self, key: str, known: set[str] | dict[str, float]) -> list[str]:
        """The units below `key` that are in `known`, none of them below another, in order of id."""
        found: list[str] = []
        for child in self.children[key]:
            found += [child] if child in known else self.nearest(child, known)
        return found
