"""Where the cells of a case lie in its rasters, and rasters brought onto the cells."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import rasterio
from rasterio.transform import Affine
from rasterio.warp import Resampling, reproject

from cropalloc.grid.cellgrid import CellGrid, read_cells
from cropbase.errors import InputError
from cropbase.rasters import reading_raster


@dataclass(frozen=True)
class Places:
    """The cells of a case within the raster of its grid, EPSG:4326, north-up.

    Attributes
    ----------
    grid : the case's grid. cell_id, rows, columns : (n,) int64, sorted by cell_id, that is by row
        and then by column.
    """

    grid: CellGrid
    cell_id: np.ndarray
    rows: np.ndarray
    columns: np.ndarray

    @classmethod
    def of(cls, cells: pd.DataFrame, grid: CellGrid) -> Places:
        """The places of a table of cells; raises InputError for no cell or a doubled one."""
        if cells.empty:
            raise InputError("the table of cells is empty", remedy="check the case's units")
        cell_id = np.sort(cells["cell_id"].to_numpy(np.int64))
        twice = np.flatnonzero(np.diff(cell_id) == 0)
        if len(twice):
            raise InputError(f"cell {cell_id[twice[0]]} is in the table of cells twice")
        rows, columns = np.divmod(cell_id, grid.columns)
        return cls(grid, cell_id, rows, columns)

    @classmethod
    def read(cls, path: str | Path) -> tuple[pd.DataFrame, Places]:
        """The table of cells, sorted by cell_id, and their places."""
        cells, grid = read_cells(path)
        return cells.sort_values("cell_id", ignore_index=True), cls.of(cells, grid)

    @property
    def height(self) -> int:
        """Rows of the raster."""
        return self.grid.rows

    @property
    def width(self) -> int:
        """Columns of the raster."""
        return self.grid.columns

    @property
    def transform(self) -> Affine:
        """GDAL transform of the raster, degrees."""
        return self.grid.transform

    def positions(self, cell_id: np.ndarray) -> np.ndarray:
        """(m,) positions of cells among the case's; raises InputError for a cell it has not."""
        cell_id = np.asarray(cell_id, dtype=np.int64)
        inside = np.minimum(np.searchsorted(self.cell_id, cell_id), len(self.cell_id) - 1)
        foreign = self.cell_id[inside] != cell_id
        if foreign.any():
            raise InputError(
                f"{int(foreign.sum())} cell(s) are not in the table of cells",
                given=f"cell_id {cell_id[foreign][0]}",
                remedy="make the grid and what depends on it anew",
            )
        return inside

    def picture(self, values: np.ndarray, fill: float = np.nan) -> np.ndarray:
        """(n,) values of the cells as (height, width); `fill` where there is no cell."""
        array = np.full((self.height, self.width), fill, dtype=np.asarray(values).dtype)
        array[self.rows, self.columns] = values
        return array

    def mean_of(self, path: str | Path) -> np.ndarray:
        """(n,) float64: area-weighted mean of a raster's known pixels in each cell, else NaN.

        Any CRS and resolution: a coarser pixel gives its value to the cells in it. Raises
        InputError for a raster that cannot be read or knows nothing of any cell.
        """
        target = np.full((self.height, self.width), np.nan)
        with reading_raster(path) as source:
            reproject(
                rasterio.band(source, 1),
                target,
                src_nodata=source.nodata,
                dst_transform=self.transform,
                dst_crs="EPSG:4326",
                dst_nodata=np.nan,
                resampling=Resampling.average,
            )
        values = target[self.rows, self.columns]
        if not np.isfinite(values).any():
            raise InputError(
                f"raster {path} has no value in any cell of the case",
                given=f"cells within {tuple(round(v, 3) for v in self.grid.bounds)}",
                remedy="check its extent, its CRS and its nodata value",
            )
        return values
