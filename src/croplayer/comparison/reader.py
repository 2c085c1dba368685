"""A product read by windows of the map's pixel grid, nearest neighbour, never a whole file."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import numpy as np
import rasterio
from pyproj import CRS, Transformer
from rasterio.windows import Window

from cropbase.rasters import damaged, open_raster
from croplayer.comparison.codes import FILL, KNOWN, state_table
from croplayer.comparison.files import ProductFile, findings_of, look_at
from croplayer.grid import BlockGrid, PixelWindow
from croplayer.settings.products import ProductRaster

LATTICE_DEGREES = 0.0015
"""Between points so far apart (about 150 m), which are projected exactly, coordinates are taken as
linear; that errs by less than a millimetre."""
_METRES_PER_DEGREE = 111_320.0


class ProductReader:
    """The files of one product as one map on the pixel grid; a context manager.

    Parameters
    ----------
    product : what its codes mean. paths : its files, in the order of precedence.
    grid : the global pixel grid.

    Where files overlap the first that says something wins; files in UTM come in the order of the
    distance of their central meridian from the window, as their publishers cut them.

    Attributes
    ----------
    findings : {what is odd: names of the files}, of the files that were read.
    """

    def __init__(self, product: ProductRaster, paths: Sequence[Path], grid: BlockGrid) -> None:
        self.product, self.grid = product, grid
        self._paths = [Path(path) for path in paths]
        self._stack = ExitStack()
        self._files: list[ProductFile] = []
        self._open: dict[str, _Layer] = {}
        self.findings: dict[str, list[str]] = {}

    def __enter__(self) -> ProductReader:
        self._files = look_at(self._paths)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._open = {}
        self._stack.close()

    def read(self, window: PixelWindow) -> tuple[np.ndarray, np.ndarray]:
        """(codes, states), each (window.height, window.width) uint8, at the pixels' centres.

        States are those of `croplayer.comparison.codes`; FILL where no file reaches.
        Raises InputError for a damaged file.
        """
        codes = np.zeros((window.height, window.width), dtype=np.uint8)
        states = np.full(codes.shape, FILL, dtype=np.uint8)
        for layer in self._layers(window):
            found = layer.read(self.grid, window)
            if found is None:
                continue
            place, values, covered = found
            state = layer.table[values]
            silent = states[place] >= KNOWN
            better = covered & silent & ((state < KNOWN) | (states[place] == FILL))
            codes[place][better] = values[better]
            states[place][better] = state[better]
            if (states < KNOWN).all():
                break
        return codes, states

    def pixel(self, window: PixelWindow) -> tuple[int, int] | None:
        """(rows, columns) of the map's pixel grid that a pixel of the product spans, at least 1;
        None where no file reaches."""
        for layer in self._layers(window):
            return layer.pixel(self.grid, window)
        return None

    def _layers(self, window: PixelWindow) -> list[_Layer]:
        west, south, east, north = self.grid.window_bounds(window)
        near = [
            self._layer(file.name)
            for file in self._files
            if file.bounds[0] < east
            and west < file.bounds[2]
            and file.bounds[1] < north
            and south < file.bounds[3]
        ]
        middle = (west + east) / 2
        return sorted(near, key=lambda layer: layer.distance(middle))

    def _layer(self, name: str) -> _Layer:
        if name not in self._open:
            dataset = self._stack.enter_context(open_raster(name))
            for text in findings_of(self.product, dataset):
                self.findings.setdefault(text, []).append(Path(name).name)
            self._open[name] = _Layer(dataset, state_table(self.product, dataset.nodata))
        return self._open[name]


class _Layer:
    """One open raster and what its codes mean."""

    def __init__(self, dataset: rasterio.DatasetReader, table: np.ndarray) -> None:
        self.dataset, self.table = dataset, table
        crs = CRS.from_user_input(dataset.crs)
        self.degrees = crs.is_geographic and crs.to_epsg() == 4326
        self._zone = crs.utm_zone
        self._project = Transformer.from_crs("EPSG:4326", crs, always_xy=True)

    def distance(self, longitude: float) -> float:
        """Degrees from the central meridian; 0 for what has no UTM zone."""
        if self._zone is None:
            return 0.0
        centre = int("".join(c for c in self._zone if c.isdigit())) * 6 - 183
        return abs((longitude - centre + 180) % 360 - 180)

    def pixel(self, grid: BlockGrid, window: PixelWindow) -> tuple[int, int]:
        """See `ProductReader.pixel`."""
        size = abs(self.dataset.transform.e)
        if self.degrees:
            rows, cols = size, self.dataset.transform.a
        else:
            _, south, _, north = grid.window_bounds(window)
            unit = CRS.from_user_input(self.dataset.crs).axis_info[0].unit_conversion_factor
            rows = size * unit / _METRES_PER_DEGREE
            cols = rows / np.cos(np.radians((south + north) / 2))
        return tuple(max(1, round(extent / grid.pixel_degrees)) for extent in (rows, cols))

    def read(
        self, grid: BlockGrid, window: PixelWindow
    ) -> tuple[tuple[slice, slice], np.ndarray, np.ndarray] | None:
        """(place in the window, codes, covered by this file); None where it does not reach."""
        rows, cols = self._separable(grid, window) if self.degrees else self._warped(grid, window)
        inside = (rows >= 0) & (rows < self.dataset.height)
        inside = inside & (cols >= 0) & (cols < self.dataset.width)
        if not inside.any():
            return None
        place = _hull(inside)
        inside = inside[place]
        rows = rows[place[0]] if rows.shape[1] == 1 else rows[place]
        cols = cols[:, place[1]] if cols.shape[0] == 1 else cols[place]
        rows = np.clip(rows, 0, self.dataset.height - 1)
        cols = np.clip(cols, 0, self.dataset.width - 1)
        top, left = int(rows.min()), int(cols.min())
        part = Window(left, top, int(cols.max()) - left + 1, int(rows.max()) - top + 1)
        try:
            values = self.dataset.read(1, window=part)
        except rasterio.errors.RasterioError as error:
            raise damaged(self.dataset.name, error) from None
        return place, values[rows - top, cols - left], inside

    def _separable(self, grid: BlockGrid, window: PixelWindow) -> tuple[np.ndarray, np.ndarray]:
        """(rows (height, 1), columns (1, width)) of this file at the centres of the window."""
        target, own = grid.transform(window), self.dataset.transform
        lats = target.f + (np.arange(window.height) + 0.5) * target.e
        lons = target.c + (np.arange(window.width) + 0.5) * target.a
        rows = np.floor((lats - own.f) / own.e).astype(np.int64)
        cols = np.floor((lons - own.c) / own.a).astype(np.int64)
        return rows[:, None], cols[None, :]

    def _warped(self, grid: BlockGrid, window: PixelWindow) -> tuple[np.ndarray, np.ndarray]:
        """(rows, columns), each (height, width), of this file at the centres of the window."""
        target, own = grid.transform(window), self.dataset.transform
        step = max(1, round(LATTICE_DEGREES / grid.pixel_degrees))
        down, across = (_weights(size, step) for size in (window.height, window.width))
        lats = target.f + (down[0] + 0.5) * target.e
        lons = target.c + (across[0] + 0.5) * target.a
        x, y = self._project.transform(*np.meshgrid(lons, lats))
        rows = down[1] @ ((y - own.f) / own.e) @ across[1].T
        cols = down[1] @ ((x - own.c) / own.a) @ across[1].T
        return np.floor(rows).astype(np.int32), np.floor(cols).astype(np.int32)


def _weights(size: int, step: int) -> tuple[np.ndarray, np.ndarray]:
    """(nodes, weights): indices of the lattice, and (size, nodes) linear weights between them."""
    nodes = np.append(np.arange(0, size - 1, step), max(size - 1, 0)).astype(np.float64)
    nodes = np.unique(nodes)
    weights = np.stack(
        [np.interp(np.arange(size), nodes, unit) for unit in np.eye(len(nodes))], axis=1
    )
    return nodes, weights


def _hull(mask: np.ndarray) -> tuple[slice, slice]:
    """The smallest rectangle that holds all True pixels."""
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(rows[0], rows[-1] + 1), slice(cols[0], cols[-1] + 1)
