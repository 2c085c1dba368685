"""Twelve blocks of made cropland in two counties, exported."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import rasterio
import shapely
from scipy import ndimage

from cropbase.areas import mask_area_ha, polygon_areas_ha
from croplayer.export import export_counties
from croplayer.grid import Block, BlockGrid
from croplayer.settings.export import ExportSettings

GRID = BlockGrid(block_degrees=0.01, pixels_per_block=32, shard_degrees=0.02)
ROW, COL = (9000 - 2400), (18000 + 11200)
"""Blocks south and east of 24 N, 112 E."""
BLOCKS = [Block(ROW + r, COL + c) for r in range(3) for c in range(4)]
WINDOW = GRID.shard_window(BLOCKS)
PIXEL_HA = mask_area_ha(np.ones((1, 1)), GRID.transform(WINDOW))
EXACT = ExportSettings(tolerance_pixels=0, min_area_ha=0, fill_holes_ha=0)


def landscape(seed: int, smooth: float = 2.5, share: float = 0.5) -> np.ndarray:
    """Cropland codes of the whole window, made from smoothed noise."""
    noise = np.random.default_rng(seed).standard_normal((WINDOW.height, WINDOW.width))
    noise = ndimage.gaussian_filter(noise, smooth) if smooth else noise
    return (noise > np.quantile(noise, 1 - share)).astype(np.uint8)


def slanted_counties() -> gpd.GeoDataFrame:
    """Two counties that share a crooked border, together the whole window."""
    west, south, east, north = GRID.window_bounds(WINDOW)
    border = [(west, 23.983), (west + 0.011, 23.9862), (west + 0.027, 23.9817), (east, 23.9871)]
    return gpd.GeoDataFrame(
        {"code": ["12", "07"], "name": ["上山", "Lower/East"], "town": ["广州市", "Q"]},
        geometry=[
            shapely.Polygon([(west, north), *border, (east, north)]),
            shapely.Polygon([(west, south), *border, (east, south)]),
        ],
        crs=4326,
    )


@dataclass
class Case:
    folder: Path
    table: pd.DataFrame
    polygons: gpd.GeoDataFrame

    @property
    def archive(self) -> Path:
        return self.folder / "province.tar.gz"


def write_map(path: Path, codes: np.ndarray, window, *, grid: BlockGrid = GRID, **profile) -> Path:
    options = {
        "driver": "GTiff",
        "height": window.height,
        "width": window.width,
        "count": 1,
        "dtype": "uint8",
        "crs": "EPSG:4326",
        "transform": grid.transform(window),
    } | profile
    with rasterio.open(path, "w", **options) as dataset:
        dataset.write(codes.astype(options["dtype"]), 1)
    return path


def run(
    folder: Path,
    codes: np.ndarray,
    *,
    counties: gpd.GeoDataFrame | None = None,
    config: ExportSettings = EXACT,
    grid: BlockGrid = GRID,
    fields: tuple[str, str, str] = ("code", "name", "town"),
    maps: list[Path] | None = None,
    **more,
) -> Case:
    """Write the map in the shards of `grid`, export it, and read what was written."""
    folder.mkdir(parents=True, exist_ok=True)
    if maps is None:
        maps = []
        for shard in grid.shards(BLOCKS):
            window = grid.shard_window(shard.blocks)
            path = folder / f"{shard.shard_id}.tif"
            maps.append(write_map(path, codes[window.relative_to(WINDOW)], window, grid=grid))
    (slanted_counties() if counties is None else counties).to_file(folder / "counties.gpkg")
    gpd.GeoDataFrame(
        {"row": [b.row for b in BLOCKS], "col": [b.col for b in BLOCKS]},
        geometry=[GRID.polygon(b) for b in BLOCKS],
        crs=4326,
    ).to_parquet(folder / "blocks.parquet")
    table = export_counties(
        maps=maps,
        counties=folder / "counties.gpkg",
        counties_fields=fields,
        blocks=folder / "blocks.parquet",
        grid=grid,
        settings=config,
        parquet=folder / "counties.parquet",
        archive=folder / "province.tar.gz",
        table=folder / "areas.csv",
        **more,
    )
    return Case(folder, table, gpd.read_parquet(folder / "counties.parquet"))


def balance(table: pd.DataFrame) -> np.ndarray:
    return (
        table["raster_ha"]
        + table["simplification_difference_ha"]
        - table["removed_small_ha"]
        + table["filled_holes_ha"]
        - table["polygon_ha"]
    ).to_numpy()


def overlap_ha(polygons: np.ndarray) -> float:
    """Area that two polygons share, hectares, over all pairs."""
    a, b = shapely.STRtree(polygons).query(polygons, predicate="intersects")
    pairs = a < b
    return float(
        polygon_areas_ha(shapely.intersection(polygons[a[pairs]], polygons[b[pairs]])).sum()
    )
