"""The hierarchy of administrative units: read, checked, every irregularity listed."""

from __future__ import annotations

import difflib
import io
import warnings
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cropalloc.settings.statistics import BoundaryCheck, LevelledUnits, RowUnits
from cropalloc.statistics.findings import Findings
from cropbase.errors import InputError
from cropbase.texts import read_text, require_file

COLUMNS = ["unit_id", "name", "level", "parent_id"]


@dataclass(frozen=True)
class Hierarchy:
    """Units and their names.

    Attributes
    ----------
    table : a row a unit, `unit_id, name, level, parent_id` (missing at level 0), sorted by level
        and id; every parent is in the table and at a lower level.
    names : unit id -> all its names, the first of them that of the table.
    """

    table: pd.DataFrame
    names: dict[str, list[str]]

    @property
    def lowest(self) -> list[str]:
        """Ids of the units that have no children, sorted."""
        parents = set(self.table["parent_id"].dropna())
        return sorted(set(self.table["unit_id"]) - parents)


def read_attributes(path: str | Path, encoding: str = "utf-8-sig") -> pd.DataFrame:
    """Attributes of a CSV or a vector file as texts, '' where missing, without geometries."""
    path = Path(path)
    if path.suffix.lower() in (".csv", ".txt"):
        text = read_text(path, what="file of units", encoding=encoding, key="units.encoding")
        try:
            return pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
        except pd.errors.EmptyDataError:
            raise InputError(
                f"file of units {path} is empty", allowed="a header line and a line a unit"
            ) from None
        except ValueError as error:
            raise InputError(
                f"file of units {path} cannot be read as CSV",
                given=error,
                remedy="put a name that holds a comma between quotation marks",
            ) from None
    require_file(path, what="file of units")
    import pyogrio

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # unnamed encodings of shapefiles
            table = pyogrio.read_dataframe(path, read_geometry=False)
    except (pyogrio.errors.DataSourceError, OSError, ValueError) as error:
        raise InputError(
            f"file of units {path} cannot be read",
            given=error,
            allowed="CSV, GeoPackage, shapefile, GeoJSON",
        ) from None
    return table.map(_as_text)


def _as_text(value: object) -> str:
    if value is None or (isinstance(value, float) and value != value) or value is pd.NaT:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _require(table: pd.DataFrame, path: str, columns: list[str]) -> None:
    absent = [column for column in columns if column not in table.columns]
    if absent:
        raise InputError(
            f"file of units {path} has no column {', '.join(map(repr, absent))}",
            given=", ".join(map(str, table.columns)),
            remedy="write the columns into `statistics.units` as the file names them, and part the "
            "columns of a CSV with commas",
        )


@dataclass
class _Unit:
    name: str
    level: int
    parent: str | None
    names: list[str]
    row: int


def read_units(
    settings: LevelledUnits | RowUnits, *, exclude: list[str], findings: Findings
) -> Hierarchy:
    """Read and check the units.

    Doubles (one id with two names, levels or parents; the first is kept), orphans (left out with
    all below), rows without an id, and two units of one name under one parent are put into
    `findings`. Raises InputError if a column is absent, a level is no whole number, `exclude` names
    an unknown unit, or no unit of level 0 remains.
    """
    read = _read_levels if settings.kind == "levels" else _read_rows
    units = read(settings, findings)
    _drop_excluded(units, exclude, settings.path, findings)
    _drop_orphans(units, settings.path, findings)
    if not any(unit.level == 0 for unit in units.values()):
        raise InputError(
            f"file of units {settings.path} has no unit of level 0",
            remedy="the nation (or whatever the whole area is) must be a unit of level 0",
        )
    _list_namesakes(units, settings.path, findings)
    rows = [(key, u.name, u.level, u.parent) for key, u in units.items()]
    table = pd.DataFrame(rows, columns=COLUMNS)
    table = table.sort_values(["level", "unit_id"], ignore_index=True)
    return Hierarchy(table, {key: unit.names for key, unit in units.items()})


def _read_levels(settings: LevelledUnits, findings: Findings) -> dict[str, _Unit]:
    table = read_attributes(settings.path, settings.encoding)
    columns = [c for level in settings.levels for c in (level.id, level.name, *level.other_names)]
    _require(table, settings.path, columns)
    units: dict[str, _Unit] = {}
    rows_of_lowest: dict[str, list[int]] = defaultdict(list)
    for row, line in enumerate(table[list(dict.fromkeys(columns))].to_dict("records"), start=2):
        parent = None
        for number, level in enumerate(settings.levels):
            key, name = line[level.id].strip(), line[level.name].strip()
            if not key:
                if name:
                    findings.add(
                        f"unit {name!r} of level {number} has no id",
                        "left out",
                        file=settings.path,
                        row=row,
                        loud=True,
                    )
                continue
            others = [line[column].strip() for column in level.other_names]
            _add(units, key, _Unit(name, number, parent, [name, *others], row), settings, findings)
            parent = key
        if parent is not None:
            rows_of_lowest[parent].append(row)
    for key, rows in rows_of_lowest.items():
        if len(rows) > 1:
            findings.add(
                f"unit {units[key].name!r} has {len(rows)} rows",
                "taken as one unit",
                file=settings.path,
                row=rows[1],
                unit_id=key,
            )
    return units


def _read_rows(settings: RowUnits, findings: Findings) -> dict[str, _Unit]:
    table = read_attributes(settings.path, settings.encoding)
    columns = [settings.id, settings.name, settings.level, *settings.other_names]
    columns += [settings.parent] if settings.parent else []
    _require(table, settings.path, columns)
    units: dict[str, _Unit] = {}
    for row, line in enumerate(table[columns].to_dict("records"), start=2):
        key, name, text = (line[c].strip() for c in (settings.id, settings.name, settings.level))
        if not key:
            findings.add(f"unit {name!r} has no id", "left out", file=settings.path, row=row)
            continue
        try:
            level = int(float(text))
            whole = level == float(text) and level >= 0
        except ValueError:
            whole = False
        if not whole:
            raise InputError(
                f"file of units {settings.path}, row {row}: the level of unit {key!r} is no level",
                given=text,
                allowed="0, 1, 2, ...",
            )
        parent = (line[settings.parent].strip() or None) if settings.parent else None
        others = [line[column].strip() for column in settings.other_names]
        _add(units, key, _Unit(name, level, parent, [name, *others], row), settings, findings)
    if not settings.parent:
        _parents_by_prefix(units)
    return units


def _add(
    units: dict[str, _Unit],
    key: str,
    unit: _Unit,
    settings: LevelledUnits | RowUnits,
    findings: Findings,
) -> None:
    known = units.setdefault(key, unit)
    for what in ("name", "level", "parent"):
        first, second = getattr(known, what), getattr(unit, what)
        if first != second:
            findings.add(
                f"unit has the {what} {second!r} here and {first!r} in row {known.row}",
                f"{first!r} is kept",
                file=settings.path,
                row=unit.row,
                unit_id=key,
                loud=True,
            )
    known.names.extend(n for n in unit.names if n and n not in known.names)


def _parents_by_prefix(units: dict[str, _Unit]) -> None:
    by_level: dict[int, list[str]] = defaultdict(list)
    for key, unit in units.items():
        by_level[unit.level].append(key)
    for key, unit in units.items():
        if unit.level == 0:
            continue
        above = by_level[unit.level - 1]
        fitting = [other for other in above if key.startswith(other) and other != key]
        if fitting:
            unit.parent = max(fitting, key=len)
        elif unit.level == 1 and len(above) == 1:
            unit.parent = above[0]


def _below(units: dict[str, _Unit], tops: set[str]) -> set[str]:
    """`tops` and all units below them."""
    gone = set(tops)
    while True:
        more = {key for key, unit in units.items() if unit.parent in gone} - gone
        if not more:
            return gone
        gone |= more


def _drop_excluded(
    units: dict[str, _Unit], exclude: list[str], path: str, findings: Findings
) -> None:
    unknown = [key for key in exclude if key not in units]
    if unknown:
        near = difflib.get_close_matches(unknown[0], list(units), n=3)
        raise InputError(
            f"key `statistics.exclude_units` names units that are not in {path}",
            given=", ".join(unknown),
            remedy=f"near: {', '.join(near)}" if near else "give ids of that file",
        )
    for key in sorted(_below(units, set(exclude)) if exclude else ()):
        unit = units.pop(key)
        findings.add(
            f"unit {unit.name!r} is excluded by the configuration",
            "left out",
            file=path,
            row=unit.row,
            unit_id=key,
        )


def _drop_orphans(units: dict[str, _Unit], path: str, findings: Findings) -> None:
    orphans = {}
    for key, unit in units.items():
        if unit.level == 0:
            unit.parent = None
        elif unit.parent is None or unit.parent not in units:
            orphans[key] = f"its parent {unit.parent!r} is no unit"
        elif units[unit.parent].level >= unit.level:
            orphans[key] = f"its parent {unit.parent!r} is not of a level above"
    for key in sorted(_below(units, set(orphans)) if orphans else ()):
        unit = units.pop(key)
        reason = orphans.get(key, f"it lies below the orphan {unit.parent!r}")
        findings.add(
            f"unit {unit.name!r} is an orphan: {reason}",
            "left out",
            file=path,
            row=unit.row,
            unit_id=key,
            loud=True,
        )


def _list_namesakes(units: dict[str, _Unit], path: str, findings: Findings) -> None:
    seen: dict[tuple[str | None, str], str] = {}
    for key, unit in units.items():
        first = seen.setdefault((unit.parent, unit.name), key)
        if first != key:
            findings.add(
                f"two units of one parent have the name {unit.name!r}: {first} and {key}",
                "figures join by id only",
                file=path,
                row=unit.row,
                unit_id=key,
                loud=True,
            )


def check_boundaries(hierarchy: Hierarchy, settings: BoundaryCheck, findings: Findings) -> None:
    """List units of the lowest level without a boundary, and boundaries without a unit."""
    table = read_attributes(settings.path)
    _require(table, settings.path, [settings.id, *([settings.name] if settings.name else [])])
    ids = [text.strip() for text in table[settings.id]]
    names = list(table[settings.name]) if settings.name else [""] * len(ids)
    lowest = set(hierarchy.lowest)
    known = dict(zip(hierarchy.table["unit_id"], hierarchy.table["name"], strict=True))
    for key in sorted(lowest - set(ids)):
        findings.add(
            f"unit {known[key]!r} joins to no boundary",
            "it has no cells: its area goes to its parent's other units",
            file=settings.path,
            unit_id=key,
            loud=True,
        )
    for row, (key, name) in enumerate(zip(ids, names, strict=True), start=2):
        if key in lowest:
            continue
        what = f"boundary {name or key!r} has no id" if not key else f"boundary {name!r} ({key})"
        findings.add(
            what if not key else f"{what} joins to no unit of the lowest level",
            "its cells belong to no unit",
            file=settings.path,
            row=row,
            unit_id=key,
        )
