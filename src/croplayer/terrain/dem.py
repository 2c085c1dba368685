"""Elevation from many files: tiles of one DEM read as one raster, window by window."""

from __future__ import annotations

import glob
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import rasterio
from pyproj import CRS, Geod, Transformer
from rasterio.transform import Affine
from rasterio.windows import Window

from cropbase.errors import InputError
from cropbase.rasters import damaged, open_raster
from croplayer.settings.terrain import TerrainSettings

log = logging.getLogger(__name__)

GDALDEM_METRES_PER_DEGREE = 111120.0
TOLERANCE_CELLS = 0.01
_WGS84 = CRS.from_epsg(4326)


def find_dem_files(patterns: Iterable[str | Path], root: str | Path = ".") -> list[Path]:
    """The files of glob patterns, relative to `root`, in the order of the patterns, each once.

    No pattern, no file. Raises InputError if a pattern finds none.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        path = Path(root) / pattern
        # A file of that very name first: brackets are legal in names.
        matches = [str(path)] if path.is_file() else sorted(glob.glob(str(path), recursive=True))
        if not matches:
            raise InputError(
                f"terrain.dem: no file matches {str(pattern)!r}",
                given=f"looked in {Path(root).resolve()}",
                remedy="check the name, and that the DEM was downloaded",
            )
        found.update(dict.fromkeys(Path(match) for match in matches))
    return list(found)


@dataclass
class DemLayer:
    """Files of one CRS and one lattice of cells, read as one raster.

    Cells are counted from the north-west corner of the first file; rows and columns may be
    negative.
    """

    crs: CRS
    transform: Affine
    settings: TerrainSettings
    files: list[tuple[Path, Window]] = field(default_factory=list)

    def offer(self, path: Path, dataset: rasterio.DatasetReader, crs: CRS) -> bool:
        """Add a file if its cells lie on this lattice; False if they do not."""
        t, own = dataset.transform, self.transform
        if crs != self.crs:
            return False
        span = max(dataset.width, dataset.height)
        drift = max(abs(t.a / own.a - 1), abs(t.e / own.e - 1)) * span
        col, row = (t.c - own.c) / own.a, (t.f - own.f) / own.e
        shift = max(abs(col - round(col)), abs(row - round(row)))
        if drift > TOLERANCE_CELLS or shift > TOLERANCE_CELLS:
            return False
        self.files.append((path, Window(round(col), round(row), dataset.width, dataset.height)))
        return True

    def reaches(self, window: Window) -> bool:
        """True if any file shares a cell with `window`."""
        return any(_overlap(window, place) for _, place in self.files)

    def read(self, window: Window) -> np.ndarray:
        """(rows, columns) float64 metres of a window of the lattice; NaN where missing."""
        out = np.full((window.height, window.width), np.nan)
        for path, place in self.files:
            part = _overlap(window, place)
            if part is None:
                continue
            values = self._read_file(
                path,
                Window(
                    part.col_off - place.col_off,
                    part.row_off - place.row_off,
                    part.width,
                    part.height,
                ),
            )
            top, left = part.row_off - window.row_off, part.col_off - window.col_off
            target = out[top : top + part.height, left : left + part.width]
            np.copyto(target, values, where=np.isnan(target))
            if not np.isnan(out).any():
                break
        return out

    def _read_file(self, path: Path, window: Window) -> np.ndarray:
        band, settings = self.settings.band, self.settings
        with open_raster(path) as dataset:
            try:
                stored = dataset.read(band, window=window)
                present = dataset.read_masks(band, window=window) > 0
            except rasterio.errors.RasterioIOError as error:
                raise damaged(path, error) from None
            scale, offset = dataset.scales[band - 1], dataset.offsets[band - 1]
        values = stored.astype(np.float64)
        for missing in settings.missing_values:
            present &= values != missing
        values = (values * scale + offset) * settings.elevation_scale
        # A comparison with NaN is False: NaN cells are missing as well.
        present &= (values >= settings.min_elevation_m) & (values <= settings.max_elevation_m)
        return np.where(present, values, np.nan)

    @cached_property
    def _to_wgs84(self) -> Transformer | None:
        same = self.crs.to_2d() == _WGS84 or self.crs.to_epsg() == 4326
        return None if same else Transformer.from_crs(self.crs, _WGS84, always_xy=True)

    def lon_lat(self, rows: np.ndarray, cols: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Longitude and latitude (EPSG:4326, degrees) of lattice points; 0.5, 0.5 is the centre
        of the first file's north-west cell. Two arrays of the shape of `rows` and `cols`."""
        x = self.transform.c + cols * self.transform.a
        y = self.transform.f + rows * self.transform.e
        if self._to_wgs84 is None:
            return x, y
        return self._to_wgs84.transform(x, y)

    def window_around(self, bounds: tuple[float, float, float, float], margin: int) -> Window:
        """The cells whose centres may lie in (west, south, east, north) degrees, and a margin."""
        west, south, east, north = bounds
        # Edges of a block are curves in a projected CRS: 21 points a side, and a cell to spare.
        along = np.linspace(0.0, 1.0, 21)
        lon, lat = west + along * (east - west), south + along * (north - south)
        edge_lon = np.concatenate([lon, lon, np.full(21, west), np.full(21, east)])
        edge_lat = np.concatenate([np.full(21, south), np.full(21, north), lat, lat])
        if self._to_wgs84 is not None:
            edge_lon, edge_lat = self._to_wgs84.transform(edge_lon, edge_lat, direction="INVERSE")
        cols = (np.asarray(edge_lon) - self.transform.c) / self.transform.a
        rows = (np.asarray(edge_lat) - self.transform.f) / self.transform.e
        if not (np.isfinite(rows).all() and np.isfinite(cols).all()):
            # Beyond the projection's domain: a window that no file reaches.
            return Window(2**40, 2**40, 1, 1)
        row0, col0 = int(np.floor(rows.min())) - margin, int(np.floor(cols.min())) - margin
        row1, col1 = int(np.ceil(rows.max())) + margin, int(np.ceil(cols.max())) + margin
        return Window(col0, row0, col1 - col0, row1 - row0)

    def cell_size_m(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Size on the ground of the cells of each row of `window`: two arrays (rows,) of metres.

        A geographic CRS: arcs of the meridian and of the row's parallel on the ellipsoid. A
        projected CRS: geodesic length of a cell's two axes at the centre of the window, so that
        the scale of the projection (2 at 60 N in Web Mercator) is undone. With
        `metres_per_degree: gdaldem` the numbers that gdaldem takes: 111120 m a degree, and the
        CRS's own units.
        """
        height = int(window.height)
        x, y = abs(self.transform.a), abs(self.transform.e)
        plain = self.settings.metres_per_degree == "gdaldem"
        if plain:
            factor = (
                GDALDEM_METRES_PER_DEGREE
                if self.crs.is_geographic
                else self.crs.axis_info[0].unit_conversion_factor
            )
            return np.full(height, x * factor), np.full(height, y * factor)
        if self.crs.is_geographic:
            rows = window.row_off + np.arange(height) + 0.5
            latitude = np.radians(self.transform.f + rows * self.transform.e)
            meridian, parallel = _radii_m(self.crs, latitude)
            unit = self.crs.axis_info[0].unit_conversion_factor  # radians in one unit of the CRS
            return parallel * x * unit, meridian * y * unit
        row, col = window.row_off + height / 2, window.col_off + window.width / 2
        lon, lat = self.lon_lat(
            np.array([row, row, row - 0.5, row + 0.5]), np.array([col - 0.5, col + 0.5, col, col])
        )
        _, _, lengths = Geod(ellps="WGS84").inv(lon[[0, 2]], lat[[0, 2]], lon[[1, 3]], lat[[1, 3]])
        return np.full(height, lengths[0]), np.full(height, lengths[1])


def _radii_m(crs: CRS, latitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Radii of the meridian's curve and of the parallel, metres (Snyder 1987, p. 24-25)."""
    ellipsoid = crs.ellipsoid
    a, b = ellipsoid.semi_major_metre, ellipsoid.semi_minor_metre
    e2 = 1 - (b / a) ** 2
    w = 1 - e2 * np.sin(latitude) ** 2
    return a * (1 - e2) / w**1.5, a * np.cos(latitude) / np.sqrt(w)


def open_layers(paths: list[Path], settings: TerrainSettings) -> list[DemLayer]:
    """Group DEM files into layers; files of another CRS or lattice begin a layer of their own.

    Raises InputError if a file is absent, damaged, rotated, or has no CRS or not enough bands.
    """
    layers: list[DemLayer] = []
    for path in paths:
        with open_raster(path) as dataset:
            if settings.band > dataset.count:
                raise InputError(
                    f"DEM {path} has no band {settings.band}", allowed=f"1 to {dataset.count}"
                )
            if dataset.transform.b or dataset.transform.d:
                raise InputError(
                    f"DEM {path} is rotated", remedy="warp it to north-up with `gdalwarp`"
                )
            crs = CRS.from_user_input(dataset.crs)
            if not (crs.is_geographic or crs.is_projected):
                raise InputError(
                    f"DEM {path}: its coordinate reference system is neither geographic nor "
                    "projected",
                    given=crs.name,
                    remedy="assign the right one, e.g. `gdal_edit.py -a_srs EPSG:4326 FILE`",
                )
            if not any(layer.offer(path, dataset, crs) for layer in layers):
                layer = DemLayer(crs, dataset.transform, settings)
                layer.offer(path, dataset, crs)
                layers.append(layer)
    if len(layers) > 1:
        log.info("the DEM files form %d rasters of different CRS or cell size", len(layers))
    return layers


def _overlap(a: Window, b: Window) -> Window | None:
    """The cells that two windows share, or None."""
    top, left = max(a.row_off, b.row_off), max(a.col_off, b.col_off)
    bottom = min(a.row_off + a.height, b.row_off + b.height)
    right = min(a.col_off + a.width, b.col_off + b.width)
    if bottom <= top or right <= left:
        return None
    return Window(int(left), int(top), int(right - left), int(bottom - top))
