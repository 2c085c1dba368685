"""Names in statistics -> units: by id, name, alias, and, listed, by the name without its marks."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from cropalloc.statistics.units import Hierarchy
from cropbase.errors import InputError

_NOTES = re.compile(r"[\[［〔(（【].*?[\]］〕)）】]")


def plain_name(text: str) -> str:
    """A name without notes in brackets, case and (between Chinese characters) spaces."""
    text = _NOTES.sub("", unicodedata.normalize("NFKC", text))
    text = re.sub(r"(?<=[一-鿿])\s+(?=[一-鿿])", "", text)
    return re.sub(r"\s+", " ", text).strip().casefold()


@dataclass(frozen=True)
class Join:
    """How a name was joined: the unit, or None; `how` is '' for an exact id or name."""

    unit_id: str | None
    how: str
    candidates: tuple[str, ...] = ()


class Joiner:
    """Joins the names that a file uses to the units of a hierarchy."""

    def __init__(
        self, hierarchy: Hierarchy, *, aliases: dict[str, str], suffixes: list[str]
    ) -> None:
        self._level = dict(
            zip(hierarchy.table["unit_id"], hierarchy.table["level"].tolist(), strict=True)
        )
        parents = hierarchy.table.dropna(subset=["parent_id"])
        self._parent = dict(zip(parents["unit_id"], parents["parent_id"], strict=True))
        self.name = dict(zip(hierarchy.table["unit_id"], hierarchy.table["name"], strict=True))
        self._suffixes = sorted((plain_name(s) for s in suffixes), key=len, reverse=True)
        self._exact: dict[str, set[str]] = defaultdict(set)
        self._plain: dict[str, set[str]] = defaultdict(set)
        self._short: dict[str, set[str]] = defaultdict(set)
        for key, names in hierarchy.names.items():
            for name in filter(None, names):
                self._exact[name].add(key)
                self._plain[plain_name(name)].add(key)
                self._short[self._shorten(name)].add(key)
        self._aliases = aliases
        for text, target in aliases.items():
            if target not in self._level and not self._exact.get(target):
                near = difflib.get_close_matches(target, [*self._level, *self._exact], n=3)
                raise InputError(
                    f"key `statistics.aliases`: {text!r} leads to {target!r}, which is no unit",
                    remedy=f"near: {', '.join(near)}" if near else "give a unit's id or name",
                )

    def _shorten(self, name: str) -> str:
        text = plain_name(name)
        for suffix in self._suffixes:
            if text.endswith(suffix) and len(text) - len(suffix) >= 2:
                return text[: -len(suffix)].strip()
        return text

    def join(self, text: str, level: int | None = None, within: str | None = None) -> Join:
        """The unit of a name; `level` and `within` (the parent's id or name) narrow the choice."""
        if text in self._aliases:
            found = self._join(self._aliases[text], level, within)
            how = f"by the alias {self._aliases[text]!r}"
            return Join(found.unit_id, how, found.candidates)
        return self._join(text, level, within)

    def _join(self, text: str, level: int | None, within: str | None) -> Join:
        fits = self._filter(level, within)
        if text in self._level and fits(text):
            return Join(text, "")
        for table, key, how in (
            (self._exact, text, ""),
            (self._plain, plain_name(text), "by the name without notes, spaces and case"),
            (self._short, self._shorten(text), "by the name without its ending"),
        ):
            keys = sorted(filter(fits, table.get(key, ())))
            if len(keys) == 1:
                return Join(keys[0], how)
            if keys:
                return Join(None, "ambiguous", tuple(keys))
        near = difflib.get_close_matches(plain_name(text), list(self._plain), n=3, cutoff=0.7)
        return Join(None, "unknown", tuple(near))

    def _filter(self, level: int | None, within: str | None) -> Callable[[str], bool]:
        parent = self._join(within, None, None).unit_id if within else None

        def fits(key: str) -> bool:
            if level is not None and self._level[key] != level:
                return False
            return parent is None or parent == key or parent in self._above(key)

        return fits

    def _above(self, key: str) -> list[str]:
        above = []
        while key in self._parent:
            key = self._parent[key]
            above.append(key)
        return above
