"""Provinces and counties: polygons from vector files, in EPSG:4326, checked."""

from __future__ import annotations

import logging
from pathlib import Path

import geopandas as gpd
import pyogrio
import shapely
from shapely.geometry.base import BaseGeometry

from cropbase.areas import polygon_area_ha
from cropbase.errors import InputError
from cropbase.texts import nearest, require_file
from cropbase.vectors import to_degrees
from croplayer.grid.blocks import check_region

log = logging.getLogger(__name__)


def read_layer(
    path: str | Path,
    *,
    layer: str | None = None,
    query: tuple[str, str | int] | None = None,
) -> gpd.GeoDataFrame:
    """Read a vector layer and bring it to EPSG:4326.

    Parameters
    ----------
    path : shapefile, GeoPackage, GeoJSON or GeoParquet.
    layer : its layer, if it holds several.
    query : (attribute, value): only these features.

    Raises InputError if the file, the layer or the attribute is absent, if it has no CRS, if no
    feature is left, or if a geometry is missing.
    """
    path = Path(path)
    require_file(path, what="vector file")
    try:
        if path.suffix in (".parquet", ".geoparquet"):
            frame = gpd.read_parquet(path)
        else:
            frame = pyogrio.read_dataframe(path, layer=layer)
    except Exception as error:  # GDAL, Arrow and GEOS raise a dozen kinds for a damaged file
        raise InputError(
            f"vector file {path} cannot be read",
            given=error,
            allowed="a shapefile (with its .shx, .dbf and .prj), GeoPackage, GeoJSON, GeoParquet",
            remedy="open it in QGIS; if that works, export it to a GeoPackage",
        ) from None
    if not isinstance(frame, gpd.GeoDataFrame):
        raise InputError(
            f"vector file {path} has no geometries",
            given="a table of attributes",
            remedy="give the file of the polygons; of a shapefile the .shp, not the .dbf",
        )
    if frame.crs is None:
        raise InputError(
            f"vector file {path} has no coordinate reference system",
            remedy="assign the right one in QGIS (Assign projection) or with `ogr2ogr -a_srs`; a "
            "shapefile needs its .prj",
        )
    if query is not None:
        field, value = query
        if field not in frame.columns:
            raise InputError(
                f"vector file {path} has no attribute {field!r}",
                allowed=", ".join(str(c) for c in frame.columns if c != frame.geometry.name),
            )
        known = sorted(frame[field].astype(str).unique())
        frame = frame[frame[field].astype(str) == str(value)]
        if frame.empty:
            near = nearest(str(value), known)
            raise InputError(
                f"vector file {path} has no feature with {field} = {value!r}",
                allowed=", ".join(known[:20]) + (", ..." if len(known) > 20 else ""),
                remedy=f"did you mean {near!r}?" if near else None,
            )
    if frame.empty:
        raise InputError(
            f"vector file {path} holds no features", remedy="give the file or layer that holds them"
        )
    bare = frame.geometry.isna() | frame.geometry.is_empty
    if bare.any():
        raise InputError(
            f"vector file {path} has features without geometry",
            given=f"features {', '.join(map(str, frame.index[bare][:10]))} (counted from 0)",
            remedy="delete them, or draw their polygons",
        )
    if frame.crs.to_epsg() != 4326:
        log.warning("%s is in %s and is reprojected to EPSG:4326", path, frame.crs.to_string())
        frame = to_degrees(frame, what=f"vector file {path}")
    return frame.reset_index(drop=True)


def _read_polygons(
    path: str | Path, layer: str | None, query: tuple[str, str | int] | None
) -> gpd.GeoDataFrame:
    """As `read_layer`; raises InputError too for a feature that is no polygon."""
    frame = read_layer(path, layer=layer, query=query)
    other = ~frame.geom_type.isin(["Polygon", "MultiPolygon"])
    if other.any():
        raise InputError(
            f"vector file {path}, feature {frame.index[other][0]} is no polygon",
            given=frame.geom_type[other].iloc[0],
            allowed="Polygon, MultiPolygon",
            remedy="give the layer of the polygons",
        )
    return frame


def read_region(
    path: str | Path,
    *,
    layer: str | None = None,
    query: tuple[str, str | int] | None = None,
) -> BaseGeometry:
    """The union of a layer's polygons, EPSG:4326, as one valid region of the global grid.

    Raises InputError as `read_layer`, and for an invalid geometry or one that leaves the grid.
    """
    frame = _read_polygons(path, layer, query)
    for index, polygon in enumerate(frame.geometry):
        if not polygon.is_valid:
            raise InputError(
                f"vector file {path}, feature {index}: invalid geometry",
                given=shapely.is_valid_reason(polygon),
                remedy="repair it (QGIS: Fix geometries) and save it again",
            )
    region = shapely.union_all(frame.geometry.to_numpy())
    try:
        check_region(region)
    except InputError as error:
        raise InputError(
            f"vector file {path}: {error.problem}",
            given=error.given,
            allowed=error.allowed,
            remedy=error.remedy,
        ) from None
    return region


def read_counties(
    path: str | Path,
    *,
    fields: tuple[str, str, str],
    layer: str | None = None,
    query: tuple[str, str | int] | None = None,
    repair: bool = False,
    region: BaseGeometry | None = None,
) -> gpd.GeoDataFrame:
    """County polygons with columns county_id, county, city, geometry (EPSG:4326), sorted by id.

    Parameters
    ----------
    fields : attributes of the file that hold the id, the county's name and the city's name.
    repair : mend invalid polygons, each with a warning that says by how many hectares its area
        changed; without it they are refused.
    region : keep only counties that share area with it.

    Raises InputError as `read_layer`, for a missing attribute, an empty or doubled id or an invalid
    polygon.
    """
    frame = _read_polygons(path, layer, query)
    missing = [field for field in fields if field not in frame.columns]
    if missing:
        raise InputError(
            f"county file {path} has no attribute {', '.join(missing)}",
            allowed=", ".join(str(c) for c in frame.columns if c != frame.geometry.name),
            remedy="set province.county_id_field, county_name_field, city_name_field; a shapefile "
            "needs its .dbf",
        )
    nameless = frame.index[frame[fields[0]].isna() | (frame[fields[0]].astype(str) == "")]
    if len(nameless):
        raise InputError(
            f"county file {path}: the attribute {fields[0]} is empty",
            given=f"features {', '.join(map(str, nameless[:10]))} (counted from 0)",
            allowed="an id of its own in every feature",
            remedy="fill it in, or choose another attribute under province.county_id_field",
        )
    counties = gpd.GeoDataFrame(
        {
            "county_id": frame[fields[0]].astype(str),
            "county": frame[fields[1]].fillna("").astype(str),
            "city": frame[fields[2]].fillna("").astype(str),
        },
        geometry=frame.geometry.to_numpy(),
        crs=4326,
    )
    if repair:
        _repair(counties, path)
    if region is not None:
        shapely.prepare(region)
        near = shapely.intersects(region, counties.geometry.to_numpy())
        near &= ~shapely.touches(region, counties.geometry.to_numpy())
        counties = counties[near]
        if counties.empty:
            raise InputError(
                f"county file {path}: no county lies in the province",
                remedy="check that province.counties and province.boundary are of one place, and "
                "the CRS of both",
            )
    doubled = counties["county_id"][counties["county_id"].duplicated()].unique().tolist()
    if doubled:
        raise InputError(
            f"county file {path}: county ids are not unique",
            given=", ".join(doubled[:10]),
            remedy="dissolve the parts of a county into one feature, or choose another id",
        )
    invalid = ~counties.geometry.is_valid
    if invalid.any():
        first = counties[invalid].iloc[0]
        raise InputError(
            f"county file {path}: county {first['county_id']} ({first['county']}) is invalid",
            given=shapely.is_valid_reason(first.geometry),
            remedy="repair it (QGIS: Fix geometries) and save it again, or set "
            "province.repair_counties: true",
        )
    return counties.sort_values("county_id", ignore_index=True)


def _repair(counties: gpd.GeoDataFrame, path: str | Path) -> None:
    """Mend invalid polygons in place; lines and points that this leaves over are dropped."""
    for index in counties.index[~counties.geometry.is_valid]:
        county, broken = counties.loc[index], counties.geometry[index]
        mended = shapely.make_valid(broken, method="structure", keep_collapsed=False)
        change = polygon_area_ha(mended) - polygon_area_ha(broken)
        log.warning(
            "%s: county %s (%s) is mended (%s); its area changes by %+.4f ha",
            path,
            county["county_id"],
            county["county"],
            shapely.is_valid_reason(broken),
            change,
        )
        counties.loc[index, "geometry"] = mended
