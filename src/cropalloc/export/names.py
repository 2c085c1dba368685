"""File names of maps, and reading them back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rasterio.transform import Affine

from cropalloc.settings.maps import MapSettings
from cropbase.errors import InputError
from cropbase.rasters import open_raster

MAP_SYSTEMS = ("I", "H", "L", "A")


def map_name(maps: MapSettings, *, crop: str, system: str, year: int) -> str:
    """`ha_<crop>_<I|H|L|A>_30sec_<year>_CHN.tif`, words from the configuration."""
    return f"{maps.prefix}_{crop}_{system}_{maps.resolution_label}_{year}_{maps.country}.tif"


def find_maps(
    folder: str | Path, maps: MapSettings, *, year: int, system: str = "A"
) -> dict[str, Path]:
    """crop -> map of one system and year in `folder`, sorted by crop.

    Raises InputError if there is none.
    """
    start, end = f"{maps.prefix}_", map_name(maps, crop="", system=system, year=year)
    end = end.removeprefix(start)
    found = {
        path.name.removeprefix(start).removesuffix(end): path
        for path in sorted(Path(folder).glob(f"{start}*{end}"))
    }
    if not found:
        raise InputError(
            f"folder {folder} holds no map of system {system} and year {year}",
            allowed=map_name(maps, crop="<crop>", system=system, year=year),
            remedy="make the maps first, or check the key `maps` of the configuration",
        )
    return dict(sorted(found.items()))


def read_map(path: str | Path) -> tuple[np.ndarray, Affine]:
    """A map as (rows, columns) float64, hectares a cell, NaN outside, and its transform (degrees).

    Raises InputError for a raster that cannot be read or is not in EPSG:4326 and north-up.
    """
    with open_raster(path) as source:
        transform = source.transform
        if source.crs.to_epsg() != 4326 or transform.b or transform.d or transform.e >= 0:
            raise InputError(
                f"raster {path} is not north-up in EPSG:4326",
                given=source.crs.to_string(),
                remedy="areas do not survive warping: take the map in longitude and latitude",
            )
        values = source.read(1, masked=True).astype(np.float64).filled(np.nan)
    return values, transform
