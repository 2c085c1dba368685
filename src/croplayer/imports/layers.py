"""Vector layers that importers write."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pyogrio

from cropbase.atomic import atomic_path


def write_layer(frame: gpd.GeoDataFrame, path: Path) -> None:
    """Write a GeoPackage with one layer, named as the file; same content, same bytes."""
    # GDAL writes the time into a GeoPackage; this option holds it still.
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": "2000-01-01T00:00:00.000Z"})
    try:
        with atomic_path(path) as temporary:
            frame.to_file(temporary, layer=path.stem, driver="GPKG", engine="pyogrio")
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})
