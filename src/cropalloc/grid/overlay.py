"""Area-preserving overlay of any raster on the allocation grid.

Every source pixel is spread evenly over the ground that it covers, so a sum of hectares is kept
whatever the two resolutions are. North-up rasters in longitude and latitude are overlaid exactly;
in other projections every pixel is cut into sub-pixels of at most a quarter of a cell, and each of
them is shared out between the cells that a box of its size around its centre touches.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import rasterio
import shapely
from pyproj import Transformer
from rasterio.transform import Affine
from rasterio.windows import Window
from scipy import sparse
from scipy.interpolate import RectBivariateSpline

from cropalloc.grid.cellgrid import CRS, CellGrid
from cropbase.areas import polygon_areas_ha

_WINDOW = 2048
_SUBPIXELS_PER_CELL = 4
_SNAP = 1e-6
"""Edges closer than this share of a cell are one edge: 0.0833333333333333 is 1/12."""


class Overlay:
    """How the pixels of one raster lie on one grid.

    Parameters
    ----------
    dataset : an open raster with a CRS.
    grid : the allocation grid, or a strip of it.
    """

    def __init__(self, dataset: rasterio.DatasetReader, grid: CellGrid) -> None:
        self.dataset = dataset
        self.grid = grid
        self.exact = _is_plain_lonlat(dataset)

    def windows(self) -> Iterator[Window]:
        """Windows of the raster that may touch the grid, none larger than 2048 pixels."""
        span = self._span()
        if span is None:
            return
        (top, bottom), (left, right) = span
        size = _WINDOW
        if not self.exact:
            # Sub-pixels depend on their window: the same windows for every strip of a grid.
            size = _WINDOW // 4
            top, left = top - top % size, left - left % size
            bottom = min(bottom + -bottom % size, self.dataset.height)
            right = min(right + -right % size, self.dataset.width)
        for row in range(top, bottom, size):
            for col in range(left, right, size):
                yield Window(col, row, min(size, right - col), min(size, bottom - row))

    def pixel_areas_ha(self, window: Window) -> np.ndarray:
        """Ellipsoidal areas of the window's pixels, hectares; (rows, 1) or (rows, columns)."""
        if self.exact:
            lat = self._lat_edges(window)
            step = abs(self.dataset.transform.a)
            return _zone_areas_ha(lat[:-1], lat[1:])[:, None] * step
        return self._lattice(window)[2]

    def add(self, window: Window, layers: list[np.ndarray], sums: list[np.ndarray]) -> None:
        """Add density x area of the window's pixels to the cells that they lie in.

        Parameters
        ----------
        layers : arrays (rows, columns) of the window, any real dtype, per hectare (a share of the
            pixel gives hectares, persons a hectare give persons). No NaN.
        sums : arrays (grid rows, grid columns) float64, changed in place, one a layer.
        """
        if self.exact:
            rows = _overlap_rows(self._lat_edges(window), self.grid)
            columns = _overlap_columns(self._lon_edges(window), self.grid)
            for layer, total in zip(layers, sums, strict=True):
                total += np.asarray((columns @ (rows @ layer).T).T)
            return
        column, row, areas, parts, (width, height) = self._subpixels(window)
        weight = np.repeat(np.repeat(areas / parts**2, parts, axis=0), parts, axis=1)
        # A box no wider than a cell touches two columns and two rows at most.
        first_column = np.floor(column - width / 2)
        first_row = np.floor(row - height / 2)
        right = np.clip((column + width / 2 - first_column - 1) / width, 0.0, 1.0)
        lower = np.clip((row + height / 2 - first_row - 1) / height, 0.0, 1.0)
        repeated = [np.repeat(np.repeat(x, parts, axis=0), parts, axis=1) for x in layers]
        for d_row, row_share in ((0, 1 - lower), (1, lower)):
            for d_column, column_share in ((0, 1 - right), (1, right)):
                at_column = first_column.astype(np.int64) + d_column
                at_row = first_row.astype(np.int64) + d_row
                inside = (at_column >= 0) & (at_column < self.grid.columns)
                inside &= (at_row >= 0) & (at_row < self.grid.rows)
                index = (at_row * self.grid.columns + at_column)[inside]
                if not len(index):
                    continue
                part = (weight * row_share * column_share)[inside]
                low = int(index.min())
                for layer, total in zip(repeated, sums, strict=True):
                    counted = np.bincount(index - low, weights=part * layer[inside])
                    total.reshape(-1)[low : low + len(counted)] += counted

    def _span(self) -> tuple[tuple[int, int], tuple[int, int]] | None:
        """Rows and columns of the raster that may touch the grid."""
        west, south, east, north = self.grid.bounds
        if self.exact:
            # A raster may run from 0 to 360 degrees; nothing else is turned round.
            lon, lat = np.array([west, east]), np.array([north, south])
            x, y = apply(~self.dataset.transform, lon, lat)
        else:
            edge = np.linspace(0.0, 1.0, 65)
            lon = west + (east - west) * edge
            lat = south + (north - south) * edge
            lon, lat = (part.ravel() for part in np.meshgrid(lon, lat))
            to_raster = Transformer.from_crs(CRS, self.dataset.crs, always_xy=True)
            x, y = to_raster.transform(lon, lat)
            known = np.isfinite(x) & np.isfinite(y)
            if not known.any():
                return None
            x, y = apply(~self.dataset.transform, x[known], y[known])
        pad = 0 if self.exact else 2
        columns = _clip_range(x, self.dataset.width, pad)
        rows = _clip_range(y, self.dataset.height, pad)
        return (rows, columns) if rows[0] < rows[1] and columns[0] < columns[1] else None

    def _lon_edges(self, window: Window) -> np.ndarray:
        index = window.col_off + np.arange(window.width + 1)
        return self.dataset.transform.c + self.dataset.transform.a * index

    def _lat_edges(self, window: Window) -> np.ndarray:
        index = window.row_off + np.arange(window.height + 1)
        return self.dataset.transform.f + self.dataset.transform.e * index

    def _splines(self, window: Window) -> tuple[RectBivariateSpline, ...]:
        """Longitude, latitude and pixel area as smooth functions of row and column."""
        rows = np.linspace(window.row_off, window.row_off + window.height, 33)
        columns = np.linspace(window.col_off, window.col_off + window.width, 33)
        to_lonlat = Transformer.from_crs(self.dataset.crs, CRS, always_xy=True)
        column, row = np.meshgrid(columns, rows)
        middle = sum(self.grid.bounds[::2]) / 2

        def corner(d_column: float, d_row: float) -> tuple[np.ndarray, np.ndarray]:
            x, y = apply(self.dataset.transform, column + d_column, row + d_row)
            lon, lat = to_lonlat.transform(x, y)
            return (lon - middle + 180) % 360 - 180 + middle, lat

        lon, lat = corner(0, 0)
        square = [corner(-0.5, -0.5), corner(0.5, -0.5), corner(0.5, 0.5), corner(-0.5, 0.5)]
        rings = np.stack([np.stack(point, axis=-1).reshape(-1, 2) for point in square], axis=1)
        areas = polygon_areas_ha(shapely.polygons(rings)).reshape(lon.shape)
        return tuple(RectBivariateSpline(rows, columns, value) for value in (lon, lat, areas))

    def _lattice(self, window: Window) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Longitude, latitude and area of the window's pixels at their centres."""
        rows = window.row_off + np.arange(window.height) + 0.5
        columns = window.col_off + np.arange(window.width) + 0.5
        lon, lat, areas = (spline(rows, columns) for spline in self._splines(window))
        return lon, lat, areas

    def _subpixels(
        self, window: Window
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, int, tuple[float, float]]:
        """Sub-pixel centres as grid columns and rows, pixel areas, parts, and a sub-pixel's size.

        Centres are arrays (rows x parts, columns x parts) in cells from the grid's corner, sizes
        are in cells.
        """
        lon, lat, areas = self._splines(window)
        rows = window.row_off + np.arange(window.height) + 0.5
        columns = window.col_off + np.arange(window.width) + 0.5
        area = areas(rows, columns)
        middle = (rows[len(rows) // 2], columns[len(columns) // 2])
        pixel = [
            max(
                abs(float(spline(*middle, dx=1, grid=False))),
                abs(float(spline(*middle, dy=1, grid=False))),
            )
            / self.grid.degrees
            for spline in (lon, lat)
        ]
        parts = max(1, math.ceil(_SUBPIXELS_PER_CELL * max(pixel)))
        fine_rows = window.row_off + (np.arange(window.height * parts) + 0.5) / parts
        fine_columns = window.col_off + (np.arange(window.width * parts) + 0.5) / parts
        west, _, _, north = self.grid.bounds
        return (
            (lon(fine_rows, fine_columns) - west) / self.grid.degrees,
            (north - lat(fine_rows, fine_columns)) / self.grid.degrees,
            area,
            parts,
            (pixel[0] / parts, pixel[1] / parts),
        )


def apply(
    transform: Affine, column: np.ndarray | float, row: np.ndarray | float
) -> tuple[np.ndarray, np.ndarray]:
    """An affine transform of arrays of columns and rows (or, inverted, of x and y)."""
    x = transform.a * np.asarray(column) + transform.b * np.asarray(row) + transform.c
    y = transform.d * np.asarray(column) + transform.e * np.asarray(row) + transform.f
    return x, y


def _is_plain_lonlat(dataset: rasterio.DatasetReader) -> bool:
    """True if the raster is north-up in a longitude and latitude that equal WGS 84 to 0.1 m."""
    transform = dataset.transform
    if not dataset.crs.is_geographic or transform.b or transform.d or transform.a <= 0:
        return False
    if transform.e >= 0:
        return False
    left, bottom, right, top = dataset.bounds
    x = np.array([left, right, (left + right) / 2])
    y = np.clip([bottom, top, (bottom + top) / 2], -90, 90)
    lon, lat = Transformer.from_crs(dataset.crs, CRS, always_xy=True).transform(x, y)
    turn = (lon - x + 180) % 360 - 180
    return bool(np.all(np.abs(turn) < 1e-6) and np.all(np.abs(lat - y) < 1e-6))


def _clip_range(values: np.ndarray, size: int, pad: int) -> tuple[int, int]:
    low = math.floor(float(np.min(values)) + _SNAP) - pad
    high = math.ceil(float(np.max(values)) - _SNAP) + pad
    return max(low, 0), min(high, size)


def _zone_areas_ha(north: np.ndarray, south: np.ndarray) -> np.ndarray:
    """Areas between parallels, one degree of longitude wide, hectares."""
    north, south = np.clip(north, -90, 90), np.clip(south, -90, 90)
    return polygon_areas_ha(shapely.box(0.0, south, 1.0, north))


def _pieces(
    source: np.ndarray, target: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Cut two ascending lists of edges into pieces: source index, target index, low, high."""
    step = min(abs(source[1] - source[0]), abs(target[1] - target[0]))
    nearest = np.clip(np.searchsorted(target, source), 1, len(target) - 1)
    left, right = target[nearest - 1], target[nearest]
    closest = np.where(source - left < right - source, left, right)
    source = np.where(np.abs(source - closest) < _SNAP * step, closest, source)
    edges = np.union1d(source, target)
    low, high = edges[:-1], edges[1:]
    middle = (low + high) / 2
    in_source = np.searchsorted(source, middle) - 1
    in_target = np.searchsorted(target, middle) - 1
    both = (middle > source[0]) & (middle < source[-1])
    both &= (middle > target[0]) & (middle < target[-1])
    return in_source[both], in_target[both], low[both], high[both]


def _overlap_rows(lat_edges: np.ndarray, grid: CellGrid) -> sparse.csr_array:
    """(grid rows, source rows): area that a source row shares with a grid row, 1 degree wide."""
    source, target, low, high = _pieces(lat_edges[::-1], grid.lat_edges[::-1])
    n_source = len(lat_edges) - 1
    return sparse.csr_array(
        (_zone_areas_ha(high, low), (grid.rows - 1 - target, n_source - 1 - source)),
        shape=(grid.rows, n_source),
    )


def _overlap_columns(lon_edges: np.ndarray, grid: CellGrid) -> sparse.csr_array:
    """(grid columns, source columns): degrees of longitude that the two share."""
    source, target, low, high = _pieces(lon_edges, grid.lon_edges)
    return sparse.csr_array(
        (high - low, (target, source)), shape=(grid.columns, len(lon_edges) - 1)
    )
