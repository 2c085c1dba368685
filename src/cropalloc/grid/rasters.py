"""Leaves from a raster of values and a table that says which unit a value belongs to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import rasterio
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform_bounds

from cropalloc.grid.cellgrid import CRS, CellGrid, finding
from cropalloc.grid.leaves import Lookup, as_text
from cropalloc.settings.grid import AllocationGridSettings, RasterLeaves
from cropbase.errors import InputError
from cropbase.rasters import reading_raster
from cropbase.tables import read_csv


def leaves_from_raster(
    settings: AllocationGridSettings, leaves: RasterLeaves, lookup: Lookup
) -> tuple[CellGrid, np.ndarray, list[dict[str, Any]]]:
    """Grid, leaf index of every cell (rows, columns) int32 with -1 = none, and findings.

    The value of the raster at the cell's centre counts. Every value that the table does not know,
    or whose unit is no leaf of the statistics, is a finding with its cells and hectares.
    """
    value_units, findings = _table(leaves, lookup)
    with reading_raster(leaves.path) as dataset:
        bounds = settings.bounds_degrees or transform_bounds(dataset.crs, CRS, *dataset.bounds)
        grid = CellGrid.from_bounds(bounds, settings.resolution_arcseconds)
        values = _sample(dataset, grid)
    seen, inverse = np.unique(values, return_inverse=True)
    keys = as_text(pd.Series(seen))
    index = np.full(len(seen), -1, dtype=np.int32)
    counts = np.bincount(inverse.ravel(), minlength=len(seen))
    areas = np.bincount(
        inverse.ravel(), weights=np.repeat(grid.row_areas_ha, grid.columns), minlength=len(seen)
    )
    first = np.full(len(seen), -1)
    flat = inverse.ravel()
    first[flat[::-1]] = np.arange(len(flat))[::-1]
    lon, lat = grid.lon_edges, grid.lat_edges
    for i, key in enumerate(keys):
        if pd.isna(key):
            continue
        unit = value_units.get(key)
        if unit is not None and unit in lookup.leaf_index:
            index[i] = lookup.leaf_index[unit]
            continue
        row, col = divmod(int(first[i]), grid.columns)
        text = (
            f"value {key} of {leaves.path.name} has no unit of the statistics"
            if unit is None
            else f"value {key} of {leaves.path.name} belongs to {unit}, which has units below it"
        )
        findings.append(
            finding(
                "cell_without_unit",
                text,
                "left out",
                unit_id=unit,
                name=key,
                cell_id=int(first[i]) if counts[i] == 1 else None,
                lon=round(float(lon[col] + lon[col + 1]) / 2, 6),
                lat=round(float(lat[row] + lat[row + 1]) / 2, 6),
                cells=int(counts[i]),
                area_ha=round(float(areas[i]), 3),
            )
        )
    return grid, index[inverse].reshape(grid.shape), findings


def _sample(dataset: rasterio.DatasetReader, grid: CellGrid) -> np.ndarray:
    """The raster's values at the centres of the cells, float64, NaN = none."""
    with WarpedVRT(
        dataset,
        crs=CRS,
        transform=grid.transform,
        width=grid.columns,
        height=grid.rows,
        dtype="float64",
        nodata=np.nan,
    ) as view:
        return view.read(1)


def _table(
    leaves: RasterLeaves, lookup: Lookup
) -> tuple[dict[str, str | None], list[dict[str, Any]]]:
    table = read_csv(leaves.table, (leaves.value_column, leaves.unit_column), key="grid.leaves")
    values = as_text(table[leaves.value_column])
    names = as_text(table[leaves.unit_column])
    pairs = pd.DataFrame({"value": values, "unit": names}).dropna().drop_duplicates()
    doubled = pairs["value"][pairs["value"].duplicated()]
    if len(doubled):
        given = pairs.loc[pairs["value"] == doubled.iloc[0], "unit"]
        raise InputError(
            f"{leaves.table} gives value {doubled.iloc[0]} more than one unit",
            given=", ".join(given),
            remedy="a value of the raster belongs to one unit",
        )
    units = lookup.find(pairs["unit"], leaves, str(leaves.table))
    findings = [
        finding(
            "boundary_without_unit",
            f"{leaves.table.name} names {name!r}, which is no unit of the statistics",
            "its cells are left out",
            name=name,
        )
        for name, unit in sorted(units.items())
        if unit is None
    ]
    return {v: units[u] for v, u in zip(pairs["value"], pairs["unit"], strict=True)}, findings
