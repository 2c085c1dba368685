"""Rule `analyse_change`: shares, ellipses and profiles of the maps of all years."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pyproj import Geod, Transformer
from rasterio.transform import Affine

from cropalloc.change.ellipse import Ellipse, deviational_ellipse
from cropalloc.change.projection import equal_area_crs
from cropalloc.export.names import find_maps, read_map
from cropalloc.settings.change import ChangeSettings
from cropalloc.settings.maps import MapSettings
from cropbase.atomic import atomic_path
from cropbase.errors import InputError
from cropbase.jobs import progress
from cropbase.tables import write_table

log = logging.getLogger(__name__)

_GEOD = Geod(ellps="WGS84")
PROFILE_COLUMNS = ["crop", "year", "axis", "low_degrees", "high_degrees", "harvested_ha"]


def analyse_change(
    *,
    folders: Mapping[int, Path],
    maps: MapSettings,
    change: ChangeSettings,
    shares_path: Path,
    ellipses_path: Path,
    profiles_path: Path,
) -> pd.DataFrame:
    """Measure how the crops' areas moved over the years, from the maps of system A.

    Parameters
    ----------
    folders : year -> folder of that year's maps (`write_maps`), all on one grid.
    shares_path : CSV, written: `year, crop, harvested_ha, share` of the year's total (Fig. 3).
    ellipses_path : CSV, written, a row a crop and year (Fig. 4): `crop, year, harvested_ha, cells,
        weights, center_lon, center_lat, semi_major_km, semi_minor_km, rotation_degrees, area_km2,
        shift_km, shift_azimuth_degrees, shift_from_first_km, center_x_m, center_y_m,
        grid_rotation_degrees, crs`. `rotation_degrees` is the direction of the long axis, clockwise
        from true north at the centre, 0-180; `grid_rotation_degrees` the same from the projection's
        y axis. Shifts are geodesics on WGS 84 from the year before and from the first year, and
        `shift_azimuth_degrees` the direction of the first, clockwise from north.
    profiles_path : Parquet, written: `crop, year, axis (longitude, latitude), low_degrees,
        high_degrees, harvested_ha`: area in bins; the bins of an axis sum to the map.

    A crop without area in a year has shares of zero and no ellipse. Returns the ellipses. Raises
    InputError for maps that are not there or not on one grid, ConfigError for a projection that
    does not keep areas.
    """
    found = {year: find_maps(folders[year], maps, year=year) for year in sorted(folders)}
    if not found:
        raise InputError("change needs the maps of at least one year")
    crops = sorted({crop for listed in found.values() for crop in listed})
    unknown = sorted(set(change.crops) - set(crops))
    if unknown:
        raise InputError(
            f"key change.crops: there is no map of {', '.join(unknown)}",
            allowed=", ".join(crops),
        )
    chosen = set(change.crops or crops)
    shape: tuple[tuple[int, int], Affine] | None = None
    crs, to_plane = None, None
    shares, ellipses, profiles = [], [], []
    tasks = [(crop, year) for crop in crops for year in found]
    for crop, year in progress(tasks, what="change", unit="maps"):
        if crop not in found[year]:
            log.warning("there is no map of %s in %d; its area counts as zero", crop, year)
            shares.append({"year": year, "crop": crop, "harvested_ha": 0.0})
            continue
        path = found[year][crop]
        values, transform = read_map(path)
        if shape is None:
            shape = (values.shape, transform)
            crs, to_plane = equal_area_crs(change.projection, _bounds(*shape))
        if values.shape != shape[0] or not transform.almost_equals(shape[1], 1e-9):
            raise InputError(f"map {path} is not on the grid of the other maps")
        values = np.nan_to_num(values)
        shares.append({"year": year, "crop": crop, "harvested_ha": float(values.sum())})
        if crop not in chosen:
            continue
        profiles += _profiles(values, transform, crop, year, change.profile_bin_degrees)
        if values.sum() > 0:
            row = _ellipse_row(values, transform, to_plane, change)
            ellipses.append({"crop": crop, "year": year} | row | {"crs": crs.to_string()})
        else:
            log.warning("%s has no area in %d, so no ellipse", crop, year)
    table = _shifts(pd.DataFrame(ellipses))
    _write_csv(_shares(shares), shares_path)
    _write_csv(table, ellipses_path)
    write_table(pd.DataFrame(profiles, columns=PROFILE_COLUMNS), profiles_path)
    return table


def _shares(rows: list[dict[str, Any]]) -> pd.DataFrame:
    table = pd.DataFrame(rows).sort_values(["year", "crop"], ignore_index=True)
    total = table.groupby("year")["harvested_ha"].transform("sum")
    table["share"] = table["harvested_ha"] / total.where(total > 0)
    return table


def _bounds(shape: tuple[int, int], transform: Affine) -> tuple[float, float, float, float]:
    height, width = shape
    west, north = transform.c, transform.f
    return west, north + transform.e * height, west + transform.a * width, north


def _ellipse_row(
    values: np.ndarray, transform: Affine, to_plane: Transformer, change: ChangeSettings
) -> dict[str, Any]:
    """One row of the table of ellipses, without its shifts."""
    rows, columns = np.nonzero(values > 0)
    lon = transform.c + transform.a * (columns + 0.5)
    lat = transform.f + transform.e * (rows + 0.5)
    x, y = to_plane.transform(lon, lat)
    area = values[rows, columns]
    ellipse = deviational_ellipse(
        np.asarray(x),
        np.asarray(y),
        area,
        weights=change.weights,
        standard_deviations=change.standard_deviations,
    )
    center_lon, center_lat = to_plane.transform(ellipse.x, ellipse.y, direction="INVERSE")
    true_rotation = (ellipse.rotation_degrees - _grid_azimuth_of_north(ellipse, to_plane)) % 180
    return {
        "harvested_ha": float(area.sum()),
        "cells": len(rows),
        "weights": change.weights,
        "center_lon": float(center_lon),
        "center_lat": float(center_lat),
        "semi_major_km": ellipse.semi_major / 1000,
        "semi_minor_km": ellipse.semi_minor / 1000,
        "rotation_degrees": true_rotation,
        "area_km2": np.pi * ellipse.semi_major * ellipse.semi_minor / 1e6,
        "center_x_m": ellipse.x,
        "center_y_m": ellipse.y,
        "grid_rotation_degrees": ellipse.rotation_degrees,
    }


def _grid_azimuth_of_north(ellipse: Ellipse, to_plane: Transformer) -> float:
    """Direction of true north at the centre, clockwise from the projection's y axis, degrees."""
    lon, lat = to_plane.transform(ellipse.x, ellipse.y, direction="INVERSE")
    step = 1e-4 if lat < 89 else -1e-4
    x, y = to_plane.transform([lon, lon], [lat, lat + step])
    return float(np.degrees(np.arctan2((x[1] - x[0]) / step, (y[1] - y[0]) / step)))


def _shifts(table: pd.DataFrame) -> pd.DataFrame:
    """The table with geodesic shifts of the centre, from the year before and from the first."""
    if table.empty:
        raise InputError("no crop has any area on the maps, so there is no change to measure")
    table = table.sort_values(["crop", "year"], ignore_index=True)
    for name in ("shift_km", "shift_azimuth_degrees", "shift_from_first_km"):
        table[name] = np.nan
    for _, rows in table.groupby("crop"):
        lon, lat = rows["center_lon"].to_numpy(), rows["center_lat"].to_numpy()
        azimuth, _, metres = _GEOD.inv(lon[:-1], lat[:-1], lon[1:], lat[1:])
        table.loc[rows.index[1:], "shift_km"] = np.asarray(metres) / 1000
        table.loc[rows.index[1:], "shift_azimuth_degrees"] = np.asarray(azimuth) % 360
        n = len(rows) - 1
        _, _, metres = _GEOD.inv([lon[0]] * n, [lat[0]] * n, lon[1:], lat[1:])
        table.loc[rows.index[1:], "shift_from_first_km"] = np.asarray(metres) / 1000
    front = list(table.columns)
    last = ["center_x_m", "center_y_m", "grid_rotation_degrees", "crs"]
    return table[[name for name in front if name not in last] + last]


def _profiles(
    values: np.ndarray, transform: Affine, crop: str, year: int, width: float
) -> list[dict[str, Any]]:
    """Area in bins of longitude and of latitude; a cell counts where its centre lies."""
    rows = []
    for axis, sums, start, step in (
        ("longitude", values.sum(axis=0), transform.c, transform.a),
        ("latitude", values.sum(axis=1), transform.f, transform.e),
    ):
        centre = start + step * (np.arange(len(sums)) + 0.5)
        index = np.floor(centre / width + 1e-9).astype(np.int64)
        first = int(index.min())
        binned = np.bincount(index - first, sums)
        for k, area in enumerate(binned):
            rows.append(
                {
                    "crop": crop,
                    "year": year,
                    "axis": axis,
                    "low_degrees": (first + k) * width,
                    "high_degrees": (first + k + 1) * width,
                    "harvested_ha": float(area),
                }
            )
    return rows


def _write_csv(table: pd.DataFrame, path: Path) -> None:
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n", float_format="%.9g")
