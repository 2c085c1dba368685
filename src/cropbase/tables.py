"""Tables on disk: Parquet and CSV, written atomically, the same bytes for the same content."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import geopandas as gpd
import pandas as pd

from cropbase.atomic import atomic_path
from cropbase.errors import InputError
from cropbase.texts import csv_lines, nearest, read_text, require_file


def write_table(table: pd.DataFrame, path: str | Path) -> None:
    """Write a table (GeoParquet if it has geometries) without its index."""
    with atomic_path(path) as temporary:
        table.reset_index(drop=True).to_parquet(temporary, index=False)


def read_table(path: str | Path, *, columns: list[str] | None = None) -> pd.DataFrame:
    """Read a table written by `write_table`.

    Raises InputError if the file is absent or damaged, or lacks one of `columns`.
    """
    with _reading(path):
        return pd.read_parquet(path, columns=columns)


def read_geotable(path: str | Path) -> gpd.GeoDataFrame:
    """Read a GeoParquet table; raises InputError like `read_table`."""
    with _reading(path):
        return gpd.read_parquet(path)


@contextmanager
def _reading(path: str | Path) -> Iterator[None]:
    """Whatever the parser raises for a file is told as one InputError."""
    require_file(path, what="table")
    try:
        yield
    except Exception as error:  # Arrow and GeoPandas raise a dozen kinds for a damaged file
        raise InputError(
            f"table {path} cannot be read",
            given=error,
            allowed="a Parquet table, whole and of this workflow",
            remedy="delete it and let the workflow make it again; a file of your own: copy it anew",
        ) from None


def write_csv(table: pd.DataFrame, path: str | Path) -> None:
    """Write a table that people read as CSV without its index, numbers to eight digits."""
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n", float_format="%.8g")


def read_csv(
    path: str | Path,
    columns: Sequence[str] = (),
    *,
    what: str = "table",
    as_text: bool = False,
    texts: Sequence[str] = (),
    comment: str | None = None,
    key: str | None = None,
) -> pd.DataFrame:
    """Read a CSV: UTF-8, columns parted by commas, names of columns without spaces around them.

    Parameters
    ----------
    columns : those that must be there.
    what : what the file is called in messages.
    as_text : keep every value as it stands; `texts`: these columns alone.
    comment : lines that begin with it are no rows.
    key : the key of the configuration that names the file.

    Raises InputError if the file cannot be read (`cropbase.texts.read_text`), has no header, has a
    row longer than the header (pandas would shift its values in silence), lacks one of `columns`,
    or has one of them twice.
    """
    name = f"{what} {path}"
    text = read_text(path, what=what)
    header = _check_rows(name, text, comment)
    for column in columns:
        if header.count(column) != 1:
            raise InputError(
                f"{name} has {'no' if column not in header else 'more than one'} column {column!r}",
                given=", ".join(header),
                allowed=f"{', '.join(columns)}" + (f" (as `{key}` names them)" if key else ""),
                remedy=_column_remedy(column, header),
            )
    options = {"dtype": dict.fromkeys(texts, str)} if texts else {}
    if as_text:
        options = {"dtype": str, "keep_default_na": False}
    try:
        table = pd.read_csv(io.StringIO(text), comment=comment, **options)
    except ValueError as error:
        raise InputError(
            f"{name} cannot be read as CSV", given=error, allowed="a header line and a line a row"
        ) from None
    table.columns = [str(column).strip() for column in table.columns]
    return table


def _check_rows(name: str, text: str, comment: str | None) -> list[str]:
    """The names of the columns; raises InputError for a file without them, or a row too long."""
    header: list[str] | None = None
    for number, row in csv_lines(text, name=name):
        if not row or (comment and row[0].startswith(comment)):
            continue
        if header is None:
            header = [cell.strip() for cell in row]
        elif len(row) > len(header):
            raise InputError(
                f"{name}, line {number}: {len(row)} fields",
                given=",".join(row),
                allowed=f"{len(header)}: {','.join(header)}",
                remedy="put a text that holds a comma between quotation marks, and write numbers "
                "with a point: 1234.5",
            )
    if header is None:
        raise InputError(f"{name} is empty", allowed="a header line and a line a row")
    return header


def _column_remedy(column: str, header: list[str]) -> str:
    for delimiter, called in ((";", "semicolons"), ("\t", "tabs")):
        if len(header) == 1 and delimiter in header[0]:
            return f"part the columns with commas, not {called} (save the file as CSV in UTF-8)"
    near = nearest(column, header)
    return f"did you mean {near!r}?" if near else "add the column, or name it so"
