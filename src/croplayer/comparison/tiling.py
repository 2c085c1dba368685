"""Which files of a product a region needs, by the tiling of the catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, floor

import shapely
from shapely.geometry.base import BaseGeometry

from cropbase.errors import InputError
from croplayer.settings.products import Product, Tiling

_BANDS = "CDEFGHJKLMNPQRSTUVWX"
"""Letters of the MGRS latitude bands from 80 S, eight degrees each, the last one twelve."""


def tile_names(product: Product, region: BaseGeometry) -> dict[str, tuple[float, ...]]:
    """{file name: nominal west, south, east, north in degrees} of the tiles that share area with
    `region` (EPSG:4326), sorted by name.

    A single file covers the world. Raises InputError for a product whose archives a user chooses.
    """
    tiling = product.tiling
    if tiling.kind == "single":
        return {tiling.name: (-180.0, -90.0, 180.0, 90.0)}
    if tiling.kind == "regions":
        raise InputError(
            f"{product.title} comes in archives of regions, which cannot be told from coordinates",
            remedy=f"fetch those of your province from {product.record} and give `files`",
        )
    found = {}
    for name, bounds in _CELLS[tiling.kind](tiling, region.bounds):
        box = shapely.box(*bounds)
        if shapely.intersects(region, box) and not shapely.touches(region, box):
            found[name] = bounds
    return dict(sorted(found.items()))


def _name(tiling: Tiling, west: int, south: int, north: int, **more: object) -> str:
    lat, lon = (north if tiling.corner == "nw" else south), west
    return tiling.name.format(
        ns="N" if lat >= 0 else "S",
        ew="E" if lon >= 0 else "W",
        lat=abs(lat),
        lon=abs(lon),
        y=lat,
        x=lon,
        **more,
    )


def _steps(low: float, high: float, step: int, start: int = 0) -> range:
    """Multiples of `step` (from `start`) whose cells cover low to high."""
    return range(
        floor((low - start) / step) * step + start, ceil((high - start) / step) * step + start, step
    )


def _degree_cells(tiling: Tiling, bounds) -> Iterator[tuple[str, tuple[float, ...]]]:
    west, south, east, north = bounds
    wide, high = tiling.width_degrees or 1, tiling.height_degrees or 1
    for y in _steps(south, north, high):
        for x in _steps(west, east, wide):
            yield _name(tiling, x, y, y + high), (x, y, x + wide, y + high)


def _utm_cells(tiling: Tiling, bounds) -> Iterator[tuple[str, tuple[float, ...]]]:
    """Zones cut by latitude; beyond 60 degrees two zones share a cell, named for the odd one."""
    west, south, east, north = bounds
    high = tiling.height_degrees or 1
    for y in _steps(south, north, high):
        wide = 12 if y >= 60 or y < -60 else 6
        for x in _steps(west, east, wide, -180):
            zone = (x + 180) // 6 + 1
            yield _name(tiling, x, y, y + high, zone=zone), (x, y, x + wide, y + high)


def _mgrs_cells(tiling: Tiling, bounds) -> Iterator[tuple[str, tuple[float, ...]]]:
    west, south, east, north = bounds
    for index, band in enumerate(_BANDS):
        low = -80 + 8 * index
        top = 84 if band == "X" else low + 8
        if top <= south or low >= north:
            continue
        for x in _steps(west, east, 6, -180):
            zone = (x + 180) // 6 + 1
            yield _name(tiling, x, low, top, zone=zone, band=band), (x, low, x + 6, top)


_CELLS = {"degrees": _degree_cells, "utm": _utm_cells, "mgrs": _mgrs_cells}
