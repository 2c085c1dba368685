"""Tables on disk: Parquet, written atomically, the same bytes for the same content."""

from __future__ import annotations

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
