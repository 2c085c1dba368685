"""Rows as they stand in a file, and the reading of CSV files shared by the readers."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cropbase.errors import InputError
from cropbase.texts import csv_lines, nearest, read_text

COLUMNS = ["row", "unit", "within", "level", "item", "year", "text", "measure", "flag"]
"""row in the file (from 1), unit as written, parent as written or None, level or None, item (the
crop as written), year as written, figure as written, unit of measure as written or None, flag."""


def rows_table(rows: list[tuple]) -> pd.DataFrame:
    """Table of rows, all texts; absent values are None."""
    return pd.DataFrame(rows, columns=COLUMNS, dtype=object)


def read_csv_rows(path: Path, encoding: str, delimiter: str = ",") -> list[list[str]]:
    """All lines of a CSV as lists of texts; line i of the list is row i + 1 of the file.

    A quoted field that spans lines counts as one row. Raises InputError as
    `cropbase.texts.read_text`, and for a file without a line or one in which a quotation mark is
    never closed.
    """
    text = read_text(path, what="statistics file", encoding=encoding, key="encoding")
    rows = csv_lines(text, name=f"statistics file {path}", delimiter=delimiter)
    lines = [[cell.strip() for cell in row] for _, row in rows]
    if not any(any(line) for line in lines):
        raise InputError(
            f"statistics file {path} is empty", allowed="a header line and a line a row"
        )
    return lines


def column_index(path: Path, header: list[str], column: str, key: str) -> int:
    """Position of a column; raises InputError naming the key of the settings."""
    places = [index for index, name in enumerate(header) if name == column]
    if len(places) != 1:
        raise InputError(
            f"statistics file {path} has {'no' if not places else 'more than one'} column "
            f"{column!r} (key `{key}`)",
            given=", ".join(name for name in header if name),
            allowed=f"exactly one column {column!r}",
            remedy=_column_remedy(header, column, key),
        )
    return places[0]


def _column_remedy(header: list[str], column: str, key: str) -> str:
    for delimiter in (";", "\t", "|"):
        if len(header) == 1 and delimiter in header[0]:
            return f"set the source's `delimiter` to {delimiter!r}: the columns are parted by it"
    near = nearest(column, header)
    if near is not None and near != column:
        return f"did you mean {near!r}? Write the column into `{key}` as the file names it"
    return f"write the column into `{key}` as the file names it"
