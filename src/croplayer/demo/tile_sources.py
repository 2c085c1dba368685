"""Where the tile server takes its tiles from: MBTiles, or any georeferenced RGB raster."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
import rasterio
from rasterio.enums import ColorInterp, Resampling
from rasterio.transform import Affine, from_bounds
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform_bounds

from cropbase.errors import InputError
from cropbase.rasters import open_raster
from croplayer.demo.tiling import TILE, encode_png

_HALF_WORLD = 20037508.342789244
"""Half the edge of the Web Mercator square, metres."""
MAX_ZOOM = 22


class TileSource(Protocol):
    """Something that has tiles. `tile` may be called from several threads."""

    def tile(self, zoom: int, x: int, y: int) -> bytes | None:
        """The encoded tile of the XYZ scheme, or None where there is no data."""

    def close(self) -> None:
        """Free files."""


class MbtilesTiles:
    """Tiles of an MBTiles file, as they are stored."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise InputError(f"MBTiles file {path} does not exist")
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode=ro", uri=True, check_same_thread=False
        )
        try:
            self._connection.execute("SELECT tile_data FROM tiles LIMIT 1").fetchone()
        except sqlite3.DatabaseError as error:
            self._connection.close()
            raise InputError(f"{path} is not an MBTiles file", given=error) from None

    def tile(self, zoom: int, x: int, y: int) -> bytes | None:
        with self._lock:
            row = self._connection.execute(
                "SELECT tile_data FROM tiles"
                " WHERE zoom_level = ? AND tile_column = ? AND tile_row = ?",
                (zoom, x, 2**zoom - 1 - y),
            ).fetchone()
        return bytes(row[0]) if row else None

    def close(self) -> None:
        self._connection.close()


class RasterTiles:
    """Tiles warped from the first three bands of a georeferenced uint8 raster, at any zoom.

    Pixels outside the raster, in its nodata or under its mask are transparent.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._dataset = open_raster(path)
        if self._dataset.count < 3 or self._dataset.dtypes[0] != "uint8":
            given = f"{self._dataset.count} bands of {self._dataset.dtypes[0]}"
            self._dataset.close()
            raise InputError(
                f"raster {path} is no RGB image", given=given, allowed="3 or more bands of uint8"
            )
        self._bounds = transform_bounds(
            self._dataset.crs, "EPSG:3857", *self._dataset.bounds, densify_pts=21
        )

    def tile(self, zoom: int, x: int, y: int) -> bytes | None:
        edge = 2 * _HALF_WORLD / 2**zoom
        west, north = x * edge - _HALF_WORLD, _HALF_WORLD - y * edge
        left, bottom, right, top = self._bounds
        if west >= right or west + edge <= left or north <= bottom or north - edge >= top:
            return None
        with self._lock:
            rgba = self._warp(from_bounds(west, north - edge, west + edge, north, TILE, TILE))
        return encode_png(rgba) if rgba[..., 3].any() else None

    def _warp(self, transform: Affine) -> np.ndarray:
        """(256, 256, 4) uint8, alpha 0 without data."""
        source = self._dataset
        has_alpha = ColorInterp.alpha in source.colorinterp
        options = {
            "crs": "EPSG:3857",
            "transform": transform,
            "width": TILE,
            "height": TILE,
            "resampling": Resampling.bilinear,
        }
        if not has_alpha:
            options["add_alpha"] = True
        with WarpedVRT(source, **options) as warped:
            bands = warped.read([1, 2, 3])
            alpha_band = source.colorinterp.index(ColorInterp.alpha) + 1 if has_alpha else None
            alpha = warped.read(alpha_band or warped.count)
        # Bilinear weights leave half-transparent rims: a pixel has data or it has not.
        rgba = np.dstack([*bands, np.where(alpha >= 128, 255, 0).astype(np.uint8)])
        rgba[rgba[..., 3] == 0] = 0
        return rgba

    def close(self) -> None:
        self._dataset.close()


def open_sources(where: Path | str | Mapping[str, Path | str]) -> dict[str, TileSource]:
    """Sources by name: of a mapping name -> file, or all MBTiles and GeoTIFFs of a folder.

    In a folder of the generated province the files lie in `imagery/`. Raises InputError if there
    is nothing to serve or a file cannot be served.
    """
    if isinstance(where, Mapping):
        files = {name: Path(path) for name, path in where.items()}
    else:
        folder = Path(where)
        if (folder / "imagery").is_dir():
            folder = folder / "imagery"
        if not folder.is_dir():
            raise InputError(f"folder {folder} does not exist")
        found = [p for p in sorted(folder.iterdir()) if p.suffix in (".mbtiles", ".tif", ".tiff")]
        files = {path.stem: path for path in found}
    if not files:
        raise InputError(f"{where} has nothing to serve", allowed="*.mbtiles, *.tif")
    return {name: _open(path) for name, path in files.items()}


def _open(path: Path) -> TileSource:
    if path.suffix == ".mbtiles":
        return MbtilesTiles(path)
    with rasterio.Env():
        return RasterTiles(path)
