"""Vector layers: brought to degrees; written as GeoPackages, equal bytes for equal content."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pyogrio
from pyproj.exceptions import ProjError

from cropbase.atomic import atomic_path
from cropbase.errors import CropError, InputError

_DATE = "OGR_CURRENT_DATE"


def to_degrees(
    frame: gpd.GeoDataFrame, *, what: str, error: type[CropError] = InputError
) -> gpd.GeoDataFrame:
    """The frame in EPSG:4326; raises `error` if its CRS leads there by no road.

    `what` is what the frame is called in messages. The frame has a CRS.
    """
    try:
        return frame.to_crs("EPSG:4326")
    except ProjError as fault:
        raise error(
            f"{what}: its coordinate reference system cannot be brought to EPSG:4326",
            given=f"{frame.crs.name} ({fault})",
            remedy="set the right one (QGIS: Layer > Set CRS of Layer) and save it again",
        ) from None


def write_geopackage(
    frame: gpd.GeoDataFrame,
    path: str | Path,
    *,
    metadata: dict[str, str] | None = None,
    geometry_type: str | None = None,
) -> None:
    """Write a GeoPackage with one layer, named as the file.

    GDAL writes the time of writing into a GeoPackage; here it is always the same. `geometry_type`
    is that of the layer, by default that of the geometries.
    """
    path = Path(path)
    before = pyogrio.get_gdal_config_option(_DATE)
    pyogrio.set_gdal_config_options({_DATE: "2000-01-01T00:00:00.000Z"})
    try:
        with atomic_path(path) as temporary:
            pyogrio.write_dataframe(
                frame,
                temporary,
                driver="GPKG",
                layer=path.stem,
                layer_metadata=metadata,
                geometry_type=geometry_type,
            )
    finally:
        pyogrio.set_gdal_config_options({_DATE: before})
