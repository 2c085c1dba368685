"""Tables of values by unit, crop and system, as users have them, brought into one long form."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from cropalloc.settings.systems import UnitTable
from cropalloc.statistics.crops import Concordance
from cropbase.errors import InputError
from cropbase.tables import read_csv

log = logging.getLogger(__name__)

SYSTEMS = ("I", "H", "L")
_NAMES = {"I": "I", "H": "H", "L": "L", "S": "S"}

EVERYWHERE = ""
"""Unit id of a value that holds for every unit (a table without a column of units)."""


def read_unit_table(
    table: UnitTable,
    *,
    what: str,
    year: int,
    levels: Mapping[str, int],
    crops: Iterable[str],
    concordance: Concordance | None = None,
) -> pd.DataFrame:
    """Read one table for one year.

    Parameters
    ----------
    table : the file and its columns. what : what it holds, for messages.
    levels : unit id -> level, of the case's units.
    crops : ids of the crops that are wanted; other crops of the table are left out.
    concordance : crop names; without it, names must be crop ids.

    Returns
    -------
    DataFrame `unit_id, crop, system, value` with known values only; `system` is I, H, L or S, or
    "" in a table without systems; `unit_id` is "" in a table without units.

    Raises InputError for an absent file or column, a value that is no number, negative or given
    twice, an unknown system, a year that is not there.
    """
    path = Path(str(table.path).replace("{year}", str(year)))
    frame = _read(path, what)
    long, crop_columns = _long(frame, table, path, what, year, set(crops), concordance)
    long["value"] = _numbers(long["text"], long, path, what) * table.scale
    if table.missing_values:
        given = long["value"] / table.scale
        long.loc[given.isin(table.missing_values), "value"] = np.nan
    long = long.dropna(subset=["value"])
    negative = long[long["value"] < 0]
    if len(negative):
        _fail(negative.iloc[0], path, what, "is negative", "add it to `missing_values` or mend it")
    long = _known_units(long, levels, table, path, what)
    twice = long.duplicated(["unit_id", "crop", "system"])
    if twice.any():
        _fail(long[twice].iloc[0], path, what, "is given twice", "keep one of the rows")
    log.info("%s: %d values of %d crops from %s", what, len(long), crop_columns, path)
    return long[["unit_id", "crop", "system", "value"]].reset_index(drop=True)


def _read(path: Path, what: str) -> pd.DataFrame:
    return read_csv(path, what=f"table of {what}", as_text=True)


def _long(
    frame: pd.DataFrame,
    table: UnitTable,
    path: Path,
    what: str,
    year: int,
    crops: set[str],
    concordance: Concordance | None,
) -> tuple[pd.DataFrame, int]:
    """Rows `unit_id, crop, system, text, line` of one year, and how many crops they have."""
    wanted = [table.unit_column, table.system_column, table.year_column]
    if table.form == "long":
        wanted += [table.crop_column, table.value_column]
    lacking = [name for name in wanted if name is not None and name not in frame]
    if lacking:
        raise InputError(
            f"table of {what} {path} has no column {', '.join(lacking)}",
            given=", ".join(frame.columns),
            remedy="set the names of the columns in the configuration",
        )
    frame = frame.assign(line=np.arange(2, len(frame) + 2))
    if table.year_column is not None:
        frame = _of_year(frame, table, path, what, year)
    base = pd.DataFrame(
        {
            "unit_id": _column(frame, table.unit_column),
            "system": _column(frame, table.system_column),
            "line": frame["line"],
        },
        index=frame.index,
    )
    if table.system_column is not None:
        unknown = base[~base["system"].isin(_NAMES)]
        if len(unknown):
            raise InputError(
                f"table of {what} {path}, line {unknown.line.iloc[0]}: unknown system",
                given=repr(unknown.system.iloc[0]),
                allowed="I, H, L, S (merged into L)",
            )
    if table.form == "long":
        base["crop"] = [_crop(name, crops, table, concordance) for name in frame[table.crop_column]]
        base["text"] = frame[table.value_column]
        unknown = sorted(set(frame[table.crop_column][base["crop"].isna()]))
        if unknown:
            log.warning(
                "%s: %s names crops that no vocabulary has: %s", what, path, ", ".join(unknown)
            )
        long = base[base["crop"].isin(crops)]
    else:
        parts = []
        for column in frame.columns:
            crop = _crop(column, crops, table, concordance)
            if column not in (*wanted, "line") and crop in crops:
                parts.append(base.assign(crop=crop, text=frame[column]))
        if not parts:
            raise InputError(
                f"table of {what} {path} has no column of any crop of the case",
                given=", ".join(frame.columns),
                allowed=", ".join(sorted(crops)),
                remedy="set `vocabulary` to the names that the file uses (config/crops.yaml)",
            )
        long = pd.concat(parts)
    return long.reset_index(drop=True), long["crop"].nunique()


def _column(frame: pd.DataFrame, name: str | None) -> pd.Series:
    if name is None:
        return pd.Series("", index=frame.index, dtype=str)
    return frame[name].str.strip()


def _crop(
    name: str, crops: set[str], table: UnitTable, concordance: Concordance | None
) -> str | None:
    """The crop id of a name of the table, None if it has none."""
    name = name.strip()
    if name in crops or concordance is None:
        return name
    if table.vocabulary == "id":
        return name if name in concordance.crops else None
    return concordance.try_find(name, table.vocabulary)


def _of_year(
    frame: pd.DataFrame, table: UnitTable, path: Path, what: str, year: int
) -> pd.DataFrame:
    years = pd.to_numeric(frame[table.year_column], errors="coerce")
    if years.isna().any():
        line = int(frame.loc[years.isna(), "line"].iloc[0])
        raise InputError(f"table of {what} {path}, line {line}: the year is no number")
    known = np.unique(years.astype(int))
    if year in known:
        chosen = year
    elif table.year_rule == "nearest" and len(known):
        chosen = int(known[np.argmin(np.abs(known - year))])
        log.warning("%s: no row of %d in %s; those of %d are taken", what, year, path, chosen)
    else:
        raise InputError(
            f"table of {what} {path} has no row of {year}",
            given=", ".join(map(str, known)),
            remedy="add the year, or set `year_rule: nearest`",
        )
    return frame[years == chosen]


def _numbers(text: pd.Series, rows: pd.DataFrame, path: Path, what: str) -> pd.Series:
    """Numbers; empty cells, NA and NaN are missing; anything else is an error."""
    text = text.str.strip()
    empty = text.str.lower().isin(["", "na", "nan", "null"])
    value = pd.to_numeric(text.mask(empty), errors="coerce")
    bad = (value.isna() & ~empty) | np.isinf(value)
    if bad.any():
        _fail(rows[bad].iloc[0], path, what, "is no number", "write a number or leave it empty")
    return value.astype(float)


def _known_units(
    long: pd.DataFrame, levels: Mapping[str, int], table: UnitTable, path: Path, what: str
) -> pd.DataFrame:
    """Rows of the case's units down to the deepest level that counts; the others are told."""
    if table.unit_column is None:
        return long
    foreign = sorted(set(long["unit_id"]) - set(levels))
    if foreign:
        log.warning(
            "%s: %d unit(s) of %s are no units of the case and are ignored: %s",
            what,
            len(foreign),
            path,
            ", ".join(foreign[:10]),
        )
    keep = long["unit_id"].isin(list(levels))
    if not keep.any() and len(long):
        raise InputError(
            f"table of {what} {path} names no unit of the case",
            given=", ".join(foreign[:5]),
            allowed=", ".join(sorted(levels)[:5]) + ", ...",
            remedy="set `unit_column` to the column with the ids of the units",
        )
    if table.deepest_level is not None:
        keep &= long["unit_id"].map(levels).fillna(-1) <= table.deepest_level
    return long[keep]


def _fail(row: pd.Series, path: Path, what: str, problem: str, remedy: str) -> None:
    where = ", ".join(str(row[key]) for key in ("unit_id", "crop", "system") if row[key] != "")
    raise InputError(
        f"table of {what} {path}, line {row['line']}: the value of {where} {problem}",
        given=repr(row["text"]),
        remedy=remedy,
    )
