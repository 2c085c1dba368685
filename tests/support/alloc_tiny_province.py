"""A generated province of two counties and 288 cells, for the built-in case in small."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio
import shapely

from cropalloc.settings.demo import AllocationDemoSettings

COUNTIES = {
    "1": shapely.box(112.0, 24.0, 112.1, 24.1),
    "2": shapely.box(112.1, 24.0, 112.2, 24.1),
}
_BOUNDS = (111.98, 23.98, 112.22, 24.12)
CROPLAND_SHARE = 0.4


def write_raster(path: Path, values: np.ndarray, bounds=_BOUNDS) -> None:
    """Write (rows, columns) as a plain GeoTIFF in EPSG:4326."""
    height, width = values.shape
    transform = rasterio.transform.from_bounds(*bounds, width, height)
    with rasterio.open(
        path, "w", driver="GTiff", height=height, width=width, count=1, dtype=values.dtype,
        crs="EPSG:4326", transform=transform,
    ) as dataset:  # fmt: skip
        dataset.write(values, 1)


def write_province(folder: Path, **settings) -> AllocationDemoSettings:
    """Write counties, a DEM that rises eastwards and a truth of 40 % cropland; the case's settings."""
    folder.mkdir(parents=True, exist_ok=True)
    names = {"county_id": list(COUNTIES), "county": ["Left", "Right"], "city": ["X", "X"]}
    frame = gpd.GeoDataFrame(names, geometry=list(COUNTIES.values()), crs=4326)
    frame.to_file(folder / "counties.gpkg")
    y, x = np.mgrid[0:56, 0:96]
    write_raster(folder / "dem.tif", (100 + 5 * x + 3 * y).astype(np.float32))
    drawn = np.random.default_rng(0).random((280, 480))
    write_raster(folder / "truth.tif", (drawn < CROPLAND_SHARE).astype(np.uint8))
    paths = {
        "counties": folder / "counties.gpkg",
        "elevation": folder / "dem.tif",
        "truth": folder / "truth.tif",
    }
    return AllocationDemoSettings(**{"towns_a_county": 2, "years": [2020], **paths, **settings})
