"""Rows as they stand in a file, and the reading of CSV files shared by the readers."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pandas as pd

from cropbase.errors import InputError

COLUMNS = ["row", "unit", "within", "level", "item", "year", "text", "measure", "flag"]
"""row in the file (from 1), unit as written, parent as written or None, level or None, item (the
crop as written), year as written, figure as written, unit of measure as written or None, flag."""


def rows_table(rows: list[tuple]) -> pd.DataFrame:
    """Table of rows, all texts; absent values are None."""
    return pd.DataFrame(rows, columns=COLUMNS, dtype=object)


def read_text(path: Path, encoding: str) -> str:
    """Text of a file; raises InputError if it is absent or in another encoding."""
    try:
        return path.read_text(encoding=encoding)
    except FileNotFoundError:
        raise InputError(f"statistics file {path} does not exist") from None
    except (UnicodeDecodeError, LookupError) as error:
        raise InputError(
            f"statistics file {path} is not text in the encoding {encoding}",
            given=error,
            remedy="set the source's `encoding`, e.g. gb18030 for older Chinese exports",
        ) from None


def read_csv_rows(path: Path, encoding: str, delimiter: str = ",") -> list[list[str]]:
    """All lines of a CSV as lists of texts; line i of the list is row i + 1 of the file.

    A quoted field that spans lines counts as one row.
    """
    text = read_text(path, encoding)
    return [
        [cell.strip() for cell in line]
        for line in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    ]


def column_index(path: Path, header: list[str], column: str, key: str) -> int:
    """Position of a column; raises InputError naming the key of the settings."""
    places = [index for index, name in enumerate(header) if name == column]
    if len(places) != 1:
        raise InputError(
            f"statistics file {path} has {'no' if not places else 'more than one'} column "
            f"{column!r} (key `{key}`)",
            allowed=", ".join(name for name in header if name),
        )
    return places[0]
