"""Tables on disk: Parquet and CSV, written atomically, the same bytes for the same content."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import pandas as pd

from cropbase.atomic import atomic_path
from cropbase.errors import InputError


def write_table(table: pd.DataFrame, path: str | Path) -> None:
    """Write a table (GeoParquet if it has geometries) without its index."""
    with atomic_path(path) as temporary:
        table.reset_index(drop=True).to_parquet(temporary, index=False)


def read_table(path: str | Path, *, columns: list[str] | None = None) -> pd.DataFrame:
    """Read a table written by `write_table`.

    Raises InputError if the file is absent or damaged, or lacks one of `columns`.
    """
    try:
        return pd.read_parquet(path, columns=columns)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"table {path} cannot be read", given=error) from None


def read_geotable(path: str | Path) -> gpd.GeoDataFrame:
    """Read a GeoParquet table; raises InputError like `read_table`."""
    try:
        return gpd.read_parquet(path)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"table {path} cannot be read", given=error) from None


def write_csv(table: pd.DataFrame, path: str | Path) -> None:
    """Write a table that people read as CSV without its index, numbers to eight digits."""
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n", float_format="%.8g")


def read_csv(
    path: str | Path, columns: Sequence[str] = (), *, as_text: bool = False
) -> pd.DataFrame:
    """Read a CSV; `as_text` keeps every value as it stands.

    Raises InputError if the file cannot be read or lacks one of `columns`.
    """
    options = {"dtype": str, "keep_default_na": False} if as_text else {}
    try:
        table = pd.read_csv(path, **options)
    except (OSError, ValueError) as error:
        raise InputError(f"table {path} cannot be read", given=error) from None
    for column in columns:
        if column not in table.columns:
            raise InputError(
                f"table {path} has no column {column!r}", given=", ".join(map(str, table.columns))
            )
    return table
