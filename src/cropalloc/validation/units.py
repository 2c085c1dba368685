"""Which unit of validation a cell belongs to, and reference statistics."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio

from cropalloc.settings.validation import UnitBoundaries
from cropbase.errors import InputError
from cropbase.tables import read_csv, read_table

REFERENCE_COLUMNS = ["unit_id", "crop", "harvested_ha"]


def read_reference(path: Path, *, year: int | None) -> pd.DataFrame:
    """Reference statistics: `unit_id, crop, harvested_ha`, known values only.

    A Parquet or CSV table; with a column `year`, the rows of `year`. Raises InputError for a table
    that cannot be read, has a unit and crop twice or an area that is negative or no number.
    """
    if Path(path).suffix == ".parquet":
        table = read_table(path)
    else:
        table = read_csv(path, what="reference table", texts=("unit_id", "crop"))
    lacking = [name for name in REFERENCE_COLUMNS if name not in table]
    if lacking:
        raise InputError(
            f"reference table {path} has no column {', '.join(lacking)}",
            given=", ".join(map(str, table.columns)),
        )
    if "year" in table and year is not None:
        known = sorted(table["year"].unique())
        table = table[table["year"] == year]
        if table.empty:
            raise InputError(f"reference table {path} has no row of {year}", given=known)
    value = pd.to_numeric(table["harvested_ha"], errors="coerce")
    bad = (value.isna() & table["harvested_ha"].notna()) | (value < 0) | np.isinf(value)
    if bad.any():
        row = table[bad].iloc[0]
        raise InputError(
            f"reference table {path}: the area of {row.crop} in {row.unit_id} is no area",
            given=row.harvested_ha,
            allowed="hectares, zero or more; empty where it is not known",
        )
    table = table.assign(harvested_ha=value.astype(float))[REFERENCE_COLUMNS]
    table = table.dropna(subset=["harvested_ha"]).astype({"unit_id": str, "crop": str})
    twice = table.duplicated(["unit_id", "crop"])
    if twice.any():
        row = table[twice].iloc[0]
        raise InputError(f"reference table {path} has {row.crop} of {row.unit_id} twice")
    return table.sort_values(["crop", "unit_id"], ignore_index=True)


def units_of_cells(
    cells: pd.DataFrame,
    wanted: set[str],
    *,
    units: pd.DataFrame | None,
    boundaries: UnitBoundaries | None,
) -> pd.Series:
    """The unit of validation of each cell, missing where none of them holds it.

    Parameters
    ----------
    cells : sorted by cell_id, with lon, lat of the centres (degrees) and leaf_id.
    wanted : ids of the units of validation.
    units : the case's units; the wanted are leaves or ancestors of leaves, none within another.
    boundaries : polygons instead; a cell belongs to the polygon that its centre lies in (the first
        by id where polygons overlap).

    Returns text of the length of `cells`. Raises InputError where no unit is found at all or one
    wanted unit lies in another.
    """
    if boundaries is not None:
        found = _in_polygons(cells, wanted, boundaries)
    else:
        found = cells["leaf_id"].map(_owner_of_leaves(cells, wanted, units))
    if found.isna().all():
        raise InputError(
            "no cell lies in any unit of the reference statistics",
            given=", ".join(sorted(wanted)[:5]),
            allowed=", ".join(sorted(map(str, cells["leaf_id"].unique()))[:5]) + ", ...",
            remedy="check the ids of the units, or give `validation.boundaries`",
        )
    return found


def _owner_of_leaves(
    cells: pd.DataFrame, wanted: set[str], units: pd.DataFrame | None
) -> dict[str, str]:
    parents = {}
    if units is not None:
        has = units["parent_id"].notna()
        parents = dict(zip(units["unit_id"][has], units["parent_id"][has], strict=True))
    owner = {}
    for leaf in cells["leaf_id"].unique():
        line, at, seen = [], leaf, set()
        while at is not None and at not in seen:
            seen.add(at)
            if at in wanted:
                line.append(at)
            at = parents.get(at)
        if len(line) > 1:
            raise InputError(
                f"units of the reference lie in one another: {line[0]} in {line[1]}",
                remedy="validate against one level: set `validation.level`",
            )
        if line:
            owner[leaf] = line[0]
    return owner


def _in_polygons(cells: pd.DataFrame, wanted: set[str], boundaries: UnitBoundaries) -> pd.Series:
    try:
        layer = gpd.read_file(boundaries.path, layer=boundaries.layer)
    except (pyogrio.errors.DataSourceError, OSError, ValueError) as error:
        raise InputError(f"boundaries {boundaries.path} cannot be read", given=error) from None
    if boundaries.attribute not in layer:
        raise InputError(
            f"boundaries {boundaries.path} have no attribute {boundaries.attribute!r}",
            given=", ".join(map(str, layer.columns)),
        )
    if layer.crs is None:
        raise InputError(f"boundaries {boundaries.path} have no coordinate reference system")
    layer = layer.to_crs("EPSG:4326")
    layer = layer.assign(unit_id=layer[boundaries.attribute].astype(str))
    layer = layer[layer["unit_id"].isin(wanted)].sort_values("unit_id", kind="stable")
    points = gpd.GeoDataFrame(
        index=cells.index, geometry=gpd.points_from_xy(cells["lon"], cells["lat"]), crs="EPSG:4326"
    )
    joined = points.sjoin(layer[["unit_id", "geometry"]], how="inner", predicate="intersects")
    first = joined.groupby(level=0)["unit_id"].min()
    return first.reindex(cells.index)
