"""Vector layers on disk: GeoPackages, written atomically, the same bytes for the same content."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pyogrio

from cropbase.atomic import atomic_path

_DATE = "OGR_CURRENT_DATE"


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
