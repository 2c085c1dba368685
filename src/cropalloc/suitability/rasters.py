"""Rasters of continuous values brought onto the cells."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import rasterio
from pyproj import Transformer
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rasterio.warp import calculate_default_transform

from cropalloc.grid.cellgrid import CRS, CellGrid
from cropalloc.grid.overlay import Overlay, apply
from cropbase.errors import InputError
from cropbase.rasters import reading_raster


class CellSampler:
    """Values of rasters at the cells of a table.

    Parameters
    ----------
    cells : columns row, col, lon, lat, sorted by row.
    grid : the grid that rows and columns count on.
    strip_rows : rows of the grid in memory at a time.
    min_cover_share : share of the cells whose centre must lie inside a raster.
    """

    def __init__(
        self, cells: pd.DataFrame, grid: CellGrid, strip_rows: int, min_cover_share: float
    ) -> None:
        self.grid = grid
        self.strip_rows = strip_rows
        self.min_cover_share = min_cover_share
        self.row = cells["row"].to_numpy()
        self.col = cells["col"].to_numpy()
        self.lon = cells["lon"].to_numpy()
        self.lat = cells["lat"].to_numpy()

    def values(self, path: str | Path, what: str) -> np.ndarray:
        """(n,) float32, NaN = none; averages of a raster finer than the cells, else bilinear.

        Raises InputError if the raster is absent, has no CRS or does not cover the cells.
        """
        with self._open(path, what) as dataset:
            resampling = _resampling(dataset, self.grid)
            nodata = dataset.nodata
            with WarpedVRT(
                dataset,
                crs=CRS,
                transform=self.grid.transform,
                width=self.grid.columns,
                height=self.grid.rows,
                resampling=resampling,
                src_nodata=np.nan if nodata is None and _is_float(dataset) else nodata,
                nodata=np.nan,
                dtype="float32",
            ) as view:
                return self._strips(lambda start, stop: _read_rows(view, start, stop))

    def density_per_km2(self, path: str | Path, what: str) -> np.ndarray:
        """(n,) float32: counts a pixel as counts a km2 of the cell, the sum being kept."""

        def strip(start: int, stop: int) -> np.ndarray:
            part = self.grid.strip(start, stop)
            total, seen = np.zeros(part.shape), np.zeros(part.shape)
            overlay = Overlay(dataset, part)
            for window in overlay.windows():
                value = dataset.read(1, window=window, masked=True)
                valid = ~np.ma.getmaskarray(value) & np.isfinite(value.data)
                counts = np.where(valid, value.data, 0).astype(float)
                density = counts / overlay.pixel_areas_ha(window)
                overlay.add(window, [density, valid.astype(np.float32)], [total, seen])
            with np.errstate(invalid="ignore"):
                return np.where(seen > 0, total / part.row_areas_ha[:, None] * 100.0, np.nan)

        with self._open(path, what) as dataset:
            return self._strips(strip)

    def _strips(self, read) -> np.ndarray:
        result = np.full(len(self.row), np.nan, dtype=np.float32)
        for start in range(0, self.grid.rows, self.strip_rows):
            stop = min(start + self.strip_rows, self.grid.rows)
            first, last = np.searchsorted(self.row, [start, stop])
            if first < last:
                part = read(start, stop)
                result[first:last] = part[self.row[first:last] - start, self.col[first:last]]
        return result

    @contextmanager
    def _open(self, path: str | Path, what: str) -> Iterator[rasterio.DatasetReader]:
        with reading_raster(path) as dataset:
            self._check_cover(dataset, path, what)
            yield dataset

    def _check_cover(self, dataset: rasterio.DatasetReader, path: str | Path, what: str) -> None:
        to_raster = Transformer.from_crs(CRS, dataset.crs, always_xy=True)
        x, y = to_raster.transform(self.lon, self.lat)
        column, row = apply(~dataset.transform, x, y)
        inside = (column >= 0) & (column <= dataset.width) & (row >= 0) & (row <= dataset.height)
        if inside.mean() < self.min_cover_share:
            outside = int(np.argmin(inside))
            raise InputError(
                f"{what}: raster {path} does not cover the cells",
                given=f"{int((~inside).sum())} of {len(inside)} cells with cropland lie outside, "
                f"e.g. {self.lon[outside]:.3f}, {self.lat[outside]:.3f} degrees; the raster has "
                f"{', '.join(f'{v:.3f}' for v in dataset.bounds)} in {dataset.crs}",
                remedy="give a raster of the whole area, or lower suitability.min_cover_share",
            )


def _read_rows(view: WarpedVRT, start: int, stop: int) -> np.ndarray:
    return view.read(1, window=((start, stop), (0, view.width)))


def _is_float(dataset: rasterio.DatasetReader) -> bool:
    return np.issubdtype(np.dtype(dataset.dtypes[0]), np.floating)


def _resampling(dataset: rasterio.DatasetReader, grid: CellGrid) -> Resampling:
    """Average for a finer raster, bilinear for a coarser one, the value itself on the same grid."""
    target, _, _ = calculate_default_transform(
        dataset.crs, CRS, dataset.width, dataset.height, *dataset.bounds
    )
    ratio = abs(target.a) / grid.degrees
    if dataset.crs == CRS and abs(ratio - 1) < 1e-6:
        west, _, _, north = grid.bounds
        column, row = apply(~dataset.transform, west, north)
        if abs(column - round(column)) < 1e-3 and abs(row - round(row)) < 1e-3:
            return Resampling.nearest
    return Resampling.average if ratio < 0.999 else Resampling.bilinear
