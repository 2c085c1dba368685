"""Web-map tiles cut from a generated image, stored as MBTiles."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from cropbase.atomic import atomic_path
from croplayer.demo.canvas import GENERATED, Canvas

TILE = 256


def tile_of(lon: float, lat: float, zoom: int) -> tuple[float, float]:
    """(x, y) of a point in tiles of the XYZ scheme, with fractions; degrees, EPSG:4326."""
    n = 2.0**zoom
    x = (lon + 180) / 360 * n
    y = (1 - np.arcsinh(np.tan(np.radians(lat))) / np.pi) / 2 * n
    return float(x), float(y)


def latitude_of(y: np.ndarray, zoom: int) -> np.ndarray:
    """Latitude (degrees) of tile rows with fractions; the inverse of `tile_of`."""
    return np.degrees(np.arctan(np.sinh(np.pi * (1 - 2 * np.asarray(y) / 2.0**zoom))))


def cut_tiles(
    canvas: Canvas, image: np.ndarray, valid: np.ndarray, zoom: int, shift: tuple[float, float]
) -> Iterator[tuple[int, int, np.ndarray]]:
    """Resample an image over the canvas to web-map tiles.

    Parameters
    ----------
    image : (rows, columns, 3) uint8. valid : (rows, columns) bool.
    shift : displacement of the image in pixels of the canvas.

    Yields
    ------
    (x, y, tile) by rows: tile (256, 256, 4) uint8 RGBA, alpha 0 without data. Tiles without any
    data are left out.
    """
    west, south, east, north = canvas.bounds
    left, top = (int(np.floor(v)) for v in tile_of(west, north, zoom))
    right, bottom = (int(np.ceil(v)) for v in tile_of(east, south, zoom))
    t = canvas.transform
    lon = (left + np.arange((right - left) * TILE + 1) / TILE) / 2.0**zoom * 360 - 180
    cols = _Axis.fit((lon - t.c) / t.a - shift[0], canvas.shape[1])
    picture = Image.fromarray(image)
    for ty in range(top, bottom):
        lat = latitude_of(ty + np.arange(TILE + 1) / TILE, zoom)
        rows = _Axis.fit((lat - t.f) / t.e - shift[1], canvas.shape[0])
        if rows.count == 0:
            continue
        # Within a tile Web Mercator is linear to a thousandth of a pixel.
        strip = picture.resize(
            (cols.count, rows.count),
            Image.Resampling.BILINEAR,
            box=(cols.low, rows.low, cols.high, rows.high),
        )
        seen = valid[np.ix_(rows.nearest, cols.nearest)]
        rgba = np.zeros((TILE, (right - left) * TILE, 4), np.uint8)
        part = rgba[rows.first : rows.first + rows.count, cols.first : cols.first + cols.count]
        part[..., :3] = np.asarray(strip)
        part[..., 3] = 255
        part[~seen] = 0
        for tx in range(left, right):
            tile = rgba[:, (tx - left) * TILE : (tx - left + 1) * TILE]
            if tile[..., 3].any():
                yield tx, ty, tile


@dataclass(frozen=True)
class _Axis:
    """Which target pixels of one axis lie on the canvas, and from where on it they come.

    first, count : the target pixels. low, high : canvas coordinates of their outer edges.
    nearest : (count,) canvas pixel under the centre of each.
    """

    first: int
    count: int
    low: float
    high: float
    nearest: np.ndarray

    @classmethod
    def fit(cls, edges: np.ndarray, size: int) -> _Axis:
        """`edges` (n + 1,) are the canvas coordinates of the edges of n target pixels."""
        inside = np.flatnonzero((edges[:-1] >= 0) & (edges[1:] <= size))
        if not len(inside):
            return cls(0, 0, 0.0, 0.0, np.zeros(0, np.intp))
        first, last = int(inside[0]), int(inside[-1])
        centres = (edges[first : last + 1] + edges[first + 1 : last + 2]) / 2
        nearest = np.clip(centres.astype(np.intp), 0, size - 1)
        return cls(first, last - first + 1, float(edges[first]), float(edges[last + 1]), nearest)


def encode_png(tile: np.ndarray) -> bytes:
    """(256, 256, 4) uint8 -> PNG, without an alpha channel where all pixels have data."""
    whole = bool((tile[..., 3] == 255).all())
    image = Image.fromarray(np.ascontiguousarray(tile[..., :3] if whole else tile))
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=2)
    return buffer.getvalue()


def write_mbtiles(
    path: Path,
    tiles: Iterator[tuple[int, int, np.ndarray]],
    *,
    name: str,
    canvas: Canvas,
    zoom: int,
) -> int:
    """Write tiles (from `cut_tiles`) as MBTiles 1.3 with PNG tiles; returns their number."""
    west, south, east, north = canvas.bounds
    metadata = {
        "name": f"{name} (generated)",
        "format": "png",
        "type": "baselayer",
        "minzoom": str(zoom),
        "maxzoom": str(zoom),
        "bounds": f"{west:.6f},{south:.6f},{east:.6f},{north:.6f}",
        "center": f"{(west + east) / 2:.6f},{(south + north) / 2:.6f},{zoom}",
        "description": GENERATED,
        "attribution": GENERATED,
    }
    count = 0
    with atomic_path(path) as temporary, ThreadPoolExecutor(2) as pool:
        connection = sqlite3.connect(temporary)
        try:
            connection.executescript(
                "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
                "CREATE TABLE metadata (name TEXT, value TEXT);"
                "CREATE TABLE tiles (zoom_level INTEGER, tile_column INTEGER, tile_row INTEGER,"
                " tile_data BLOB, PRIMARY KEY (zoom_level, tile_column, tile_row));"
            )
            connection.executemany("INSERT INTO metadata VALUES (?, ?)", metadata.items())

            def encoded(item: tuple[int, int, np.ndarray]) -> tuple[int, int, bytes]:
                return item[0], item[1], encode_png(item[2])

            for x, y, data in pool.map(encoded, tiles):
                # MBTiles counts rows from the south.
                connection.execute(
                    "INSERT INTO tiles VALUES (?, ?, ?, ?)", (zoom, x, 2**zoom - 1 - y, data)
                )
                count += 1
            connection.commit()
        finally:
            connection.close()
    return count
