"""Imagery of georeferenced rasters, sampled on the global pixel grid."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import rasterio
from pyproj import Transformer
from rasterio.warp import transform_bounds
from rasterio.windows import Window

from cropbase.errors import InputError
from cropbase.rasters import damaged, open_raster
from croplayer.grid import BlockGrid, PixelWindow
from croplayer.settings.sources import RasterSource
from croplayer.tiles.kernels import Canvas, Method, sample_scattered, taps
from croplayer.tiles.lattice import parts, positions

_OPEN_FILES = 16


class RasterImagery:
    """Samples rasters; where they overlap the first in the list wins. Use as a context manager.

    Parameters
    ----------
    paths : files in their order of precedence.
    source : bands, nodata, range of values.
    """

    def __init__(
        self, paths: Sequence[Path], source: RasterSource, grid: BlockGrid, method: Method
    ) -> None:
        self._source = source
        self._grid = grid
        self._method: Method = method
        self._open: OrderedDict[Path, _Raster] = OrderedDict()
        self._bounds = []
        for path in paths:
            with open_raster(path) as dataset:
                self._bounds.append((path, _degrees(path, dataset)))

    def __enter__(self) -> RasterImagery:
        return self

    def __exit__(self, *_: object) -> None:
        for raster in self._open.values():
            raster.dataset.close()
        self._open.clear()

    def sample(self, window: PixelWindow) -> tuple[np.ndarray, np.ndarray]:
        """Imagery of a window of the global grid.

        A pixel is valid if a raster has a valid pixel under its centre.

        Returns
        -------
        (rgb, valid) : uint8 (height, width, 3) and bool (height, width); invalid pixels are 0.

        Raises
        ------
        InputError : a raster cannot be read.
        """
        rgb = np.zeros((window.height, window.width, 3), np.uint8)
        valid = np.zeros((window.height, window.width), bool)
        west, south, east, north = self._grid.window_bounds(window)
        for path, (left, bottom, right, top) in self._bounds:
            if right < west or left > east or top < south or bottom > north:
                continue
            raster = self._raster(path)
            for part in parts(window, raster.scale):
                place = part.relative_to(window)
                found, there = raster.sample(part)
                new = there & ~valid[place]
                rgb[place][new] = found[new]
                valid[place] |= there
            if valid.all():
                break
        return rgb, valid

    def _raster(self, path: Path) -> _Raster:
        if path in self._open:
            self._open.move_to_end(path)
        else:
            self._open[path] = _Raster(path, self._source, self._grid, self._method)
            while len(self._open) > _OPEN_FILES:
                self._open.popitem(last=False)[1].dataset.close()
        return self._open[path]


class _Raster:
    """One open raster.

    Where it is four or more times finer than the grid, squares of `factor` pixels, counted from
    the raster's own corner, are averaged first: the kernel then has few taps. The factor is one
    of the file and the grid, so it is the same for every window.
    """

    def __init__(self, path: Path, source: RasterSource, grid: BlockGrid, method: Method) -> None:
        self._path = path
        self._source = source
        self._grid = grid
        self._method: Method = method
        self.dataset = open_raster(path)
        self._to_crs = Transformer.from_crs("EPSG:4326", self.dataset.crs.to_wkt(), always_xy=True)
        self._to_pixel = ~self.dataset.transform
        self.scale, smallest = self._scales()
        self._factor = 1 if method == "nearest" else max(1, int(smallest // 2))
        self._height = -(-self.dataset.height // self._factor)
        self._width = -(-self.dataset.width // self._factor)

    def _scales(self) -> tuple[float, float]:
        """Largest and smallest number of raster pixels a grid pixel, at the raster's centre."""
        x, y = self.dataset.xy(self.dataset.height // 2, self.dataset.width // 2)
        lon, lat = self._to_crs.transform(x, y, direction="INVERSE")
        size = self._grid.pixel_degrees
        col, row = self._locate(np.array([lon, lon + size, lon]), np.array([lat, lat, lat - size]))
        scales = [float(np.hypot(v[1] - v[0], v[2] - v[0])) for v in (col, row)]
        if not np.isfinite(scales).all():
            return 1.0, 1.0
        return max(scales), min(scales)

    def _locate(self, lon: np.ndarray, lat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x, y = self._to_crs.transform(lon, lat)
        t = self._to_pixel
        return t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f

    def sample(self, window: PixelWindow) -> tuple[np.ndarray, np.ndarray]:
        """(rgb, valid) of a window of the global grid."""
        col, row, scale_col, scale_row = positions(self._grid, window, self._locate)
        within = (col >= 0) & (row >= 0) & (col < self.dataset.width) & (row < self.dataset.height)
        if not within.any():
            return np.zeros((*col.shape, 3), np.uint8), within
        for array in (col, row, scale_col, scale_row):
            array /= self._factor
        # Pixels off the raster must not stretch the piece that is read.
        for array, outside in ((col, -1e9), (row, -1e9), (scale_col, 1.0), (scale_row, 1.0)):
            array[~within] = outside
        rows, cols = taps(row, scale_row, self._method), taps(col, scale_col, self._method)
        top, bottom = _extent(rows.first[within], len(rows.weights), self._height)
        left, right = _extent(cols.first[within], len(cols.weights), self._width)
        return sample_scattered(self._canvas(top, bottom, left, right), rows, cols)

    def _canvas(self, top: int, bottom: int, left: int, right: int) -> Canvas:
        """Rows top ... bottom - 1, columns left ... right - 1 of the raster, reduced by factor."""
        f = self._factor
        bands, valid = self._read(
            Window.from_slices(
                (top * f, min(bottom * f, self.dataset.height)),
                (left * f, min(right * f, self.dataset.width)),
            )
        )
        if f > 1:
            bands, valid = _reduced(bands, valid, f)
        rgb = np.ascontiguousarray(np.moveaxis(bands, 0, -1))
        return Canvas(top, left, rgb, None if valid.all() else valid)

    def _read(self, part: Window) -> tuple[np.ndarray, np.ndarray]:
        """Bands (3, rows, columns), uint8 or float32 of 0 to 255, and which pixels are valid."""
        source = self._source
        try:
            bands = self.dataset.read(source.bands, window=part)
            if source.nodata is None:
                valid = self.dataset.dataset_mask(window=part) > 0
            elif np.isnan(source.nodata):
                valid = ~np.isnan(bands).all(axis=0)
            else:
                valid = (bands != source.nodata).any(axis=0)
        except rasterio.errors.RasterioIOError as error:
            raise damaged(self._path, error) from None
        if source.value_range is None:
            return bands, valid
        low, high = source.value_range
        stretch = np.float32(255.0 / (high - low))
        stretched = (bands.astype(np.float32) - np.float32(low)) * stretch
        valid &= np.isfinite(stretched).all(axis=0)
        return np.clip(np.nan_to_num(stretched), 0.0, 255.0), valid


def _reduced(bands: np.ndarray, valid: np.ndarray, f: int) -> tuple[np.ndarray, np.ndarray]:
    """Means over f x f pixels, of the valid ones; valid where at least half of them are.

    The last row and column may be means over fewer pixels, where the raster ends.
    """
    height, width = valid.shape
    down, across = np.arange(0, height, f), np.arange(0, width, f)

    def squares(array: np.ndarray) -> np.ndarray:
        return np.add.reduceat(np.add.reduceat(array, down, axis=-2), across, axis=-1)

    there = squares(valid.astype(np.float32))
    present = squares(np.ones((height, width), np.float32))
    totals = squares(np.where(valid, bands, 0).astype(np.float32))
    return totals / np.maximum(there, 1.0), (there > 0) & (there * 2 >= present)


def _extent(first: np.ndarray, count: int, size: int) -> tuple[int, int]:
    """Source pixels that positions need along one axis, kept inside the raster."""
    return max(0, int(first.min())), min(size, int(first.max()) + count)


def _degrees(path: Path, dataset: rasterio.DatasetReader) -> tuple[float, float, float, float]:
    """(west, south, east, north) of a raster in degrees, a little more than it covers."""
    try:
        west, south, east, north = transform_bounds(
            dataset.crs, "EPSG:4326", *dataset.bounds, densify_pts=21
        )
    except rasterio.errors.CRSError as error:
        raise InputError(f"raster {path} cannot be brought to EPSG:4326", given=error) from None
    margin = 1e-4 + 1e-3 * max(east - west, north - south)
    return west - margin, south - margin, east + margin, north + margin
