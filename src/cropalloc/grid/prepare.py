"""Rule `prepare_cells`: which cells a case has, and the leaf of each."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from cropalloc.grid.cellgrid import CellGrid, finding
from cropalloc.grid.leaves import Lookup
from cropalloc.grid.polygons import leaves_from_polygons
from cropalloc.grid.rasters import leaves_from_raster
from cropalloc.settings.grid import AllocationGridSettings, PolygonLeaves
from cropbase.atomic import atomic_path
from cropbase.errors import InputError
from cropbase.tables import read_table, write_table

log = logging.getLogger(__name__)

FINDING_COLUMNS = [
    *("kind", "unit_id", "name", "cell_id", "lon", "lat", "cells", "area_ha", "finding", "action")
]


def prepare_cells(
    *,
    units: str | Path,
    grid: AllocationGridSettings,
    cells_path: str | Path,
    findings_path: str | Path,
) -> None:
    """Write grid/cells.parquet and grid/findings.csv.

    A leaf is a unit of units.parquet that no other unit names as its parent. A cell of the grid
    is kept if it belongs to a leaf; all others, and leaves without a cell, are findings.

    Raises InputError if a boundary file cannot be used, or if no cell belongs to any leaf.
    """
    lookup = Lookup(read_table(units), str(units))
    if isinstance(grid.leaves, PolygonLeaves):
        cell_grid, leaf, findings = leaves_from_polygons(grid, grid.leaves, lookup)
    else:
        cell_grid, leaf, findings = leaves_from_raster(grid, grid.leaves, lookup)
    cells = _cells(cell_grid, leaf, lookup)
    if cells.empty:
        raise InputError(
            "no cell of the grid belongs to a unit of the statistics",
            given=f"{len(lookup.leaves)} lowest units in {units}",
            remedy="check grid.leaves: `match`, `level`, `renames`, and the attribute's values",
        )
    findings += _units_without_cells(cells, lookup)
    write_table(cells, cells_path)
    table = pd.DataFrame(findings, columns=FINDING_COLUMNS)
    table["cell_id"] = table["cell_id"].astype("Int64")
    table["cells"] = table["cells"].astype("Int64")
    table = table.sort_values(["kind", "unit_id", "name", "cell_id"], ignore_index=True)
    with atomic_path(findings_path) as temporary:
        table.to_csv(temporary, index=False)
    log.info(
        "%d cells in %d of %d leaves; %d findings in %s",
        len(cells),
        cells["leaf_id"].nunique(),
        len(lookup.leaves),
        len(table),
        findings_path,
    )


def _cells(grid: CellGrid, leaf: np.ndarray, lookup: Lookup) -> pd.DataFrame:
    row, col = np.nonzero(leaf >= 0)
    # A dictionary array: a text for each of ten million cells would be a gigabyte of objects.
    names = pa.DictionaryArray.from_arrays(
        leaf[row, col], pa.array(lookup.leaves, pa.large_string())
    )
    return grid.table(row, col, names.dictionary_decode())


def _units_without_cells(cells: pd.DataFrame, lookup: Lookup) -> list[dict[str, Any]]:
    without = sorted(set(lookup.leaves) - set(cells["leaf_id"]))
    return [
        finding(
            "unit_without_cell",
            f"{lookup.name[unit]} ({unit}) has no cell",
            "its area goes to the rest of its parent, see statistics/audit.csv",
            unit_id=unit,
            name=lookup.name[unit],
        )
        for unit in without
    ]
