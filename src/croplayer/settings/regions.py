"""The province's and the counties' polygons, as the key `province` describes them."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
from shapely.geometry.base import BaseGeometry

from croplayer.grid.regions import read_counties, read_region


def region_of(province: dict[str, Any]) -> BaseGeometry:
    """The polygon of the province, EPSG:4326 (see `read_region` for the errors).

    `province` is the section as plain values; keys that say nothing of polygons may be missing.
    """
    return read_region(
        province["boundary"],
        layer=province["boundary_layer"],
        query=_query_of(province["boundary_query"]),
    )


def counties_of(province: dict[str, Any], region: BaseGeometry | None = None) -> gpd.GeoDataFrame:
    """The counties that share area with `region`, EPSG:4326 (see `read_counties`)."""
    return read_counties(
        province["counties"],
        fields=_fields(province),
        layer=province["counties_layer"],
        query=_query_of(province["counties_query"]),
        repair=province["repair_counties"],
        region=region,
    )


def polygon_arguments(province: dict[str, Any]) -> dict[str, Any]:
    """How the two polygon files are read, as keyword arguments of export and figures."""
    return {
        "boundary_layer": province["boundary_layer"],
        "boundary_query": _query_of(province["boundary_query"]),
        "counties_layer": province["counties_layer"],
        "counties_query": _query_of(province["counties_query"]),
        "counties_fields": _fields(province),
        "repair_counties": province["repair_counties"],
    }


def _fields(province: dict[str, Any]) -> tuple[str, str, str]:
    return (
        province["county_id_field"],
        province["county_name_field"],
        province["city_name_field"],
    )


def _query_of(value: dict[str, Any] | None) -> tuple[str, str | int] | None:
    return (value["field"], value["value"]) if value else None
