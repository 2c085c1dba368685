"""The regular grid in longitude and latitude that a case is allocated to."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rasterio.transform import Affine

from cropbase.areas import row_pixel_areas_ha
from cropbase.errors import InputError
from cropbase.tables import read_table

CRS = "EPSG:4326"
CELL_COLUMNS = ["cell_id", "row", "col", "lon", "lat", "area_ha", "leaf_id"]


@dataclass(frozen=True)
class CellGrid:
    """Rows and columns of cells, EPSG:4326, counted on the global grid of their resolution.

    Every grid of one resolution is a window of one global grid whose corner lies at 180 W, 90 N:
    two cases share their cells where they overlap, and bounds never carry rounding errors.

    Parameters
    ----------
    resolution_arcseconds : edge of a cell; divides 180 degrees.
    first_row, first_col : the window's first row (from 90 N) and column (from 180 W).
    rows, columns : shape of the window.
    """

    resolution_arcseconds: int
    first_row: int
    first_col: int
    rows: int
    columns: int

    @classmethod
    def from_bounds(
        cls, bounds_degrees: tuple[float, float, float, float], resolution_arcseconds: int
    ) -> CellGrid:
        """The smallest grid that holds west, south, east, north (degrees).

        A bound within a millionth of a cell of an edge is that edge.
        """
        west, south, east, north = bounds_degrees
        cells = 3600.0 / resolution_arcseconds

        def lower(value: float) -> int:
            return math.floor(value * cells + 1e-6)

        def upper(value: float) -> int:
            return math.ceil(value * cells - 1e-6)

        first_col, last_col = lower(west + 180), upper(east + 180)
        first_row, last_row = lower(90 - north), upper(90 - south)
        return cls(
            resolution_arcseconds, first_row, first_col, last_row - first_row, last_col - first_col
        )

    @classmethod
    def of_cells(cls, cells: pd.DataFrame, what: str = "cells.parquet") -> CellGrid:
        """The grid that a table of cells was made on (kept in the table's metadata).

        Raises InputError if the table does not say.
        """
        try:
            return cls(**{key: int(value) for key, value in cells.attrs["grid"].items()})
        except (KeyError, TypeError, AttributeError):
            raise InputError(
                f"{what} does not say which grid its cells belong to",
                remedy="make it again with the rule prepare_cells",
            ) from None

    @property
    def degrees(self) -> float:
        """Edge of a cell, degrees."""
        return self.resolution_arcseconds / 3600.0

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.rows, self.columns

    @property
    def lon_edges(self) -> np.ndarray:
        """(columns + 1,) float64, degrees, west to east."""
        index = self.first_col + np.arange(self.columns + 1)
        return index * self.resolution_arcseconds / 3600.0 - 180.0

    @property
    def lat_edges(self) -> np.ndarray:
        """(rows + 1,) float64, degrees, north to south."""
        index = self.first_row + np.arange(self.rows + 1)
        return 90.0 - index * self.resolution_arcseconds / 3600.0

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north, degrees."""
        lon, lat = self.lon_edges, self.lat_edges
        return float(lon[0]), float(lat[-1]), float(lon[-1]), float(lat[0])

    @property
    def transform(self) -> Affine:
        """North-up GDAL transform, degrees."""
        west, _, _, north = self.bounds
        return Affine(self.degrees, 0.0, west, 0.0, -self.degrees, north)

    @property
    def row_areas_ha(self) -> np.ndarray:
        """(rows,) float64: area of one cell of each row on the WGS 84 ellipsoid, hectares."""
        return row_pixel_areas_ha(self.transform, self.rows)

    def strip(self, start: int, stop: int) -> CellGrid:
        """Rows start to stop (excluded) of this grid, as a grid."""
        return CellGrid(
            self.resolution_arcseconds,
            self.first_row + start,
            self.first_col,
            min(stop, self.rows) - start,
            self.columns,
        )

    def table(self, row: np.ndarray, col: np.ndarray, leaf_id: Any) -> pd.DataFrame:
        """The contract's table of cells for rows and columns (n,), sorted by cell_id.

        The grid goes with it as metadata, see `of_cells`.
        """
        lon, lat = self.lon_edges, self.lat_edges
        cells = pd.DataFrame(
            {
                "cell_id": row.astype(np.int64) * self.columns + col,
                "row": row.astype(np.int32),
                "col": col.astype(np.int32),
                "lon": (lon[col] + lon[col + 1]) / 2,
                "lat": (lat[row] + lat[row + 1]) / 2,
                "area_ha": self.row_areas_ha[row],
                "leaf_id": pd.array(leaf_id, dtype="str"),
            }
        )
        cells = cells.sort_values("cell_id", ignore_index=True)
        cells.attrs["grid"] = asdict(self)
        return cells


def read_cells(path: str | Path, columns: list[str] | None = None) -> tuple[pd.DataFrame, CellGrid]:
    """Read cells.parquet (or some columns) and the grid that it was made on; raises InputError."""
    cells = read_table(path, columns=columns)
    missing = [name for name in columns or CELL_COLUMNS if name not in cells.columns]
    if missing:
        raise InputError(f"{path} lacks the column(s) {', '.join(missing)}")
    return cells, CellGrid.of_cells(cells, str(path))


def finding(kind: str, text: str, action: str, **more: Any) -> dict[str, Any]:
    """One row of grid/findings.csv."""
    return {"kind": kind, "finding": text, "action": action, **more}
