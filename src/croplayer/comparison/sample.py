"""The reference sample: read, checked, and put on the maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from shapely.geometry.base import BaseGeometry

from cropbase.errors import InputError
from cropbase.tables import read_csv
from croplayer.comparison.codes import FILL
from croplayer.comparison.measures import UNKNOWN
from croplayer.comparison.reader import ProductReader
from croplayer.grid import BlockGrid, PixelWindow
from croplayer.grid.regions import read_layer
from croplayer.settings.products import GROUPS
from croplayer.validation.maps import ShardedMap

CROPLAND, NOT_CROPLAND = "cropland", "not_cropland"
LEAST_POINTS = 2
"""A stratum with a single point has no variance."""


@dataclass(frozen=True)
class Sample:
    """A stratified random sample.

    lon, lat : (points,) float64, EPSG:4326. stratum : (points,) int, index into `strata`.
    reference : (points,) str: `not_cropland`, and `cropland` or a group of Fig. 4.
    strata : names; area_ha : (strata,) float64, hectares of the whole strata.
    """

    lon: np.ndarray
    lat: np.ndarray
    stratum: np.ndarray
    reference: np.ndarray
    strata: tuple[str, ...]
    area_ha: np.ndarray

    @property
    def grouped(self) -> bool:
        """True if the reference tells the groups of Fig. 4 apart."""
        return CROPLAND not in set(self.reference)


def read_sample(points: Path, strata: Path, boundary: BaseGeometry) -> Sample:
    """Read points and strata and check them against each other and the province.

    Parameters
    ----------
    points : CSV with columns lon, lat (EPSG:4326), stratum, reference, or a vector file of points
        with attributes stratum, reference, in any CRS.
    strata : CSV with columns stratum, area_ha.
    boundary : the province, EPSG:4326.

    Raises InputError for a missing column, an unknown class, `cropland` mixed with groups, a point
    outside the province, a stratum without an area or with fewer than two points.
    """
    table = _read_points(Path(points))
    areas = _read_strata(Path(strata))
    _check_reference(table, points)
    missing = sorted(set(table["stratum"]) - set(areas))
    if missing:
        raise InputError(
            f"sample {points}: stratum {missing[0]!r} has no area",
            allowed=f"the strata of {strata}: {', '.join(areas)}",
        )
    counts = table["stratum"].value_counts()
    for name in areas:
        if counts.get(name, 0) < LEAST_POINTS:
            raise InputError(
                f"sample {points}: stratum {name!r} has {counts.get(name, 0)} point(s)",
                allowed=f"at least {LEAST_POINTS}: one point has no variance",
                remedy="interpret more points there, or merge it with another stratum",
            )
    shapely.prepare(boundary)
    inside = shapely.intersects_xy(boundary, table["lon"], table["lat"])
    if not inside.all():
        first = table[~inside].iloc[0]
        raise InputError(
            f"sample {points}: {int((~inside).sum())} point(s) lie outside the province",
            given=f"longitude {first['lon']:g}, latitude {first['lat']:g}",
            remedy="check the order of longitude and latitude, and that the sample is of this "
            "province",
        )
    names = tuple(areas)
    return Sample(
        lon=table["lon"].to_numpy(),
        lat=table["lat"].to_numpy(),
        stratum=table["stratum"].map({n: k for k, n in enumerate(names)}).to_numpy(),
        reference=table["reference"].to_numpy(dtype=object),
        strata=names,
        area_ha=np.array(list(areas.values())),
    )


def _read_points(path: Path) -> pd.DataFrame:
    if path.suffix.lower() == ".csv":
        table = read_csv(path, ("lon", "lat", "stratum", "reference"), as_text=True)
        for column in ("lon", "lat"):
            table[column] = pd.to_numeric(table[column], errors="coerce")
    else:
        layer: gpd.GeoDataFrame = read_layer(path)
        for column in ("stratum", "reference"):
            if column not in layer.columns:
                raise InputError(f"sample {path} has no attribute {column!r}")
        table = layer[["stratum", "reference"]].astype(str)
        if set(layer.geom_type) != {"Point"}:
            raise InputError(f"sample {path} holds other geometries than points")
        table["lon"], table["lat"] = layer.geometry.x, layer.geometry.y
    bad = ~np.isfinite(table[["lon", "lat"]].to_numpy(dtype=np.float64)).all(axis=1)
    if bad.any():
        raise InputError(
            f"sample {path}: row {int(np.flatnonzero(bad)[0]) + 1} has no coordinates",
            allowed="lon, lat in degrees (EPSG:4326)",
        )
    for column in ("stratum", "reference"):
        table[column] = table[column].astype(str).str.strip()
    return table


def _read_strata(path: Path) -> dict[str, float]:
    table = read_csv(path, ("stratum", "area_ha"), as_text=True)
    names = table["stratum"].str.strip()
    areas = pd.to_numeric(table["area_ha"], errors="coerce")
    if names.duplicated().any():
        raise InputError(f"table {path}: stratum {names[names.duplicated()].iloc[0]!r} twice")
    if not (areas > 0).all():
        raise InputError(
            f"table {path}: stratum {names[~(areas > 0)].iloc[0]!r} has no area",
            allowed="hectares above zero",
        )
    return dict(zip(names, areas.astype(float), strict=True))


def _check_reference(table: pd.DataFrame, path: Path) -> None:
    found = set(table["reference"])
    allowed = {CROPLAND, NOT_CROPLAND, *GROUPS}
    if found - allowed:
        raise InputError(
            f"sample {path}: unknown reference class",
            given=sorted(found - allowed)[0],
            allowed=", ".join([CROPLAND, NOT_CROPLAND, *GROUPS]),
        )
    if CROPLAND in found and found & set(GROUPS):
        raise InputError(
            f"sample {path}: `cropland` and its groups are mixed",
            given=", ".join(sorted(found)),
            remedy="give every cropland point its group, or none",
        )


def _pixels(sample: Sample, grid: BlockGrid) -> list[PixelWindow]:
    size = grid.pixel_degrees
    rows = np.floor((90.0 - sample.lat) / size).astype(np.int64)
    cols = np.floor((sample.lon + 180.0) / size).astype(np.int64)
    return [PixelWindow(int(r), int(c), 1, 1) for r, c in zip(rows, cols, strict=True)]


def on_map(sample: Sample, maps: Sequence[Path], grid: BlockGrid) -> np.ndarray:
    """(points,) uint8: the final map at the points: 0, 1, and 2 where it says nothing."""
    with ShardedMap(maps, grid, name="final map") as reader:
        found = [int(reader.read(window)[0, 0]) for window in _pixels(sample, grid)]
    return np.minimum(np.array(found, dtype=np.uint8), UNKNOWN)


def on_product(sample: Sample, reader: ProductReader) -> np.ndarray:
    """(points,) uint8: states (`croplayer.comparison.codes`) of a product at the points."""
    states = np.full(len(sample.lon), FILL, dtype=np.uint8)
    for k, window in enumerate(_pixels(sample, reader.grid)):
        states[k] = reader.read(window)[1][0, 0]
    return states
