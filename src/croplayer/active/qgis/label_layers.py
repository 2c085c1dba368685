"""Empty GeoPackages to label in, with the allowed values written in the file itself."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import geopandas as gpd
import pandas as pd

from cropbase.atomic import atomic_path
from cropbase.vectors import write_geopackage
from croplayer.active.qgis.forms import Field

log = logging.getLogger(__name__)

# GeoPackage 1.2, annex F.9 (schema extension) and table 3 (gpkg_extensions).
_TABLES = """
CREATE TABLE IF NOT EXISTS gpkg_extensions (
  table_name TEXT, column_name TEXT, extension_name TEXT NOT NULL, definition TEXT NOT NULL,
  scope TEXT NOT NULL, CONSTRAINT ge_tce UNIQUE (table_name, column_name, extension_name));
CREATE TABLE gpkg_data_columns (
  table_name TEXT NOT NULL, column_name TEXT NOT NULL, name TEXT, title TEXT, description TEXT,
  mime_type TEXT, constraint_name TEXT,
  CONSTRAINT pk_gdc PRIMARY KEY (table_name, column_name),
  CONSTRAINT gdc_tn UNIQUE (table_name, name));
CREATE TABLE gpkg_data_column_constraints (
  constraint_name TEXT NOT NULL, constraint_type TEXT NOT NULL, value TEXT, min NUMERIC,
  min_is_inclusive BOOLEAN, max NUMERIC, max_is_inclusive BOOLEAN, description TEXT,
  CONSTRAINT gdcc_ntv UNIQUE (constraint_name, constraint_type, value));
"""
_DEFINITION = "http://www.geopackage.org/spec121/#extension_schema"


def write_label_layer(path: Path, fields: Sequence[Field], description: str) -> bool:
    """Write an empty layer of polygons (EPSG:4326), named as the file, unless it exists.

    A file that is there is left as it is: somebody may have drawn in it. Returns True if the layer
    was written.
    """
    path = Path(path)
    if path.exists():
        log.info("%s is kept as it is", path)
        return False
    columns = {field.name: pd.Series(dtype="object") for field in fields}
    empty = gpd.GeoDataFrame(columns, geometry=gpd.GeoSeries(crs="EPSG:4326"), crs="EPSG:4326")
    with atomic_path(path) as draft:
        write_geopackage(
            empty, draft, metadata={"DESCRIPTION": description}, geometry_type="MultiPolygon"
        )
        _constrain(draft, fields)
    return True


def _constrain(path: Path, fields: Sequence[Field]) -> None:
    """Write titles and lists of values into the GeoPackage's schema extension."""
    layer = path.stem
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(_TABLES)
        for table in ("gpkg_data_columns", "gpkg_data_column_constraints"):
            database.execute(
                "INSERT INTO gpkg_extensions VALUES (?, NULL, 'gpkg_schema', ?, 'read-write')",
                (table, _DEFINITION),
            )
        for field in fields:
            domain = f"{layer}_{field.name}" if field.values else None
            database.execute(
                "INSERT INTO gpkg_data_columns VALUES (?, ?, ?, ?, ?, NULL, ?)",
                (layer, field.name, field.name, field.title, field.hint or None, domain),
            )
            database.executemany(
                "INSERT INTO gpkg_data_column_constraints VALUES "
                "(?, 'enum', ?, NULL, NULL, NULL, NULL, ?)",
                [(domain, value, value or "every source") for value in field.values],
            )
