"""The plan of a province: its blocks with shard and county, and a preview of what they will cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from cropbase.areas import polygon_area_ha
from cropbase.errors import CompletenessError
from cropbase.tables import read_geotable, write_table
from croplayer.grid.blocks import Block, BlockGrid


def plan_blocks(
    *,
    province: str,
    region: BaseGeometry,
    counties: gpd.GeoDataFrame,
    grid: BlockGrid,
    output: Path,
) -> gpd.GeoDataFrame:
    """Write the table of planned blocks: every block that shares area with the province.

    Parameters
    ----------
    province : its short name.
    region : its polygon, EPSG:4326.
    counties : county_id, county, city, geometry, EPSG:4326 (`croplayer.grid.regions.read_counties`).

    Returns the table: block_id, row, col, shard_id, province, county_id, county, inside_ha (area of
    the block inside the province, hectares on the ellipsoid), geometry. A block belongs to the
    county that has most of it; a block without any county has empty names.
    """
    blocks = grid.blocks_touching(region)
    boxes = np.array([grid.polygon(block) for block in blocks])
    inside = shapely.intersection(boxes, region)
    owner = _largest_overlap(inside, counties.geometry.to_numpy())
    names = [("", "")] + list(zip(counties["county_id"], counties["county"], strict=True))
    table = gpd.GeoDataFrame(
        {
            "block_id": [grid.block_id(block) for block in blocks],
            "row": [block.row for block in blocks],
            "col": [block.col for block in blocks],
            "shard_id": [grid.shard_id(block) for block in blocks],
            "province": province,
            "county_id": [names[i + 1][0] for i in owner],
            "county": [names[i + 1][1] for i in owner],
            "inside_ha": [polygon_area_ha(part) for part in inside],
        },
        geometry=boxes,
        crs=4326,
    )
    write_table(table, output)
    return table


def _largest_overlap(parts: np.ndarray, polygons: np.ndarray) -> list[int]:
    """For each part the index of the polygon that covers most of it, -1 where none does."""
    tree = shapely.STRtree(polygons)
    owner = [-1] * len(parts)
    for index, part in enumerate(parts):
        best = 0.0
        for candidate in sorted(int(i) for i in tree.query(part, predicate="intersects")):
            # Square degrees compare parts of one block well enough: the latitude is the same.
            shared = shapely.intersection(part, polygons[candidate]).area
            if shared > best:
                best, owner[index] = shared, candidate
    return owner


def read_plan(path: str | Path, *, shard_id: str | None = None) -> gpd.GeoDataFrame:
    """The plan table, or its rows of one shard.

    Raises CompletenessError if the shard is not in the plan.
    """
    table = read_geotable(path)
    if shard_id is not None:
        table = table[table["shard_id"] == shard_id].reset_index(drop=True)
        if table.empty:
            raise CompletenessError(
                f"shard {shard_id} is not in the plan {path}",
                remedy="run `snakemake plan` again after changing the province or the grid",
            )
    return table


def planned(table: gpd.GeoDataFrame) -> list[Block]:
    """The blocks of a plan table, sorted."""
    return sorted(Block(int(r), int(c)) for r, c in zip(table["row"], table["col"], strict=True))


@dataclass(frozen=True)
class Rates:
    """Measured rates behind a preview; units as in `croplayer.settings.grid.PlanSettings`."""

    bytes_per_tile: float
    mosaic_bytes_per_pixel: float
    mosaic_megapixels_per_second: float
    segmentation_megapixels_per_second: float
    blocks_per_second: float
    seconds_per_job: float


def preview(
    *,
    table: gpd.GeoDataFrame,
    grid: BlockGrid,
    halo_pixels: int,
    sources: dict[str, Callable[[list[Block]], int] | None],
    requests_per_second: dict[str, float | None],
    daily_quota: dict[str, int | None],
    rates: Rates,
) -> dict:
    """What a province will cost, before anything is fetched.

    Parameters
    ----------
    sources : for each source a function that counts the tile requests of a shard, or None where
        the imagery is a file already.
    requests_per_second, daily_quota : limits of each source, None where there is none.

    Returns a JSON-ready dict: blocks, shards, area_ha, and for each source the requests, bytes,
    hours of download (limited by rate and quota), mosaic bytes and hours of each stage.
    """
    shards = grid.shards(planned(table))
    pixels = sum(
        (w := grid.shard_window(s.blocks).buffered(halo_pixels)).height * w.width for s in shards
    )
    block_pixels = len(table) * grid.pixels_per_block**2
    per_source = {}
    for name, count in sources.items():
        requests = sum(count(list(s.blocks)) for s in shards) if count else 0
        rate, quota = requests_per_second[name], daily_quota[name]
        hours = requests / rate / 3600 if rate else 0.0
        if quota:
            # A day that has used up its quota waits for the next one.
            hours = max(hours, 24.0 * max(0, -(-requests // quota) - 1))
        per_source[name] = {
            "tile_requests": int(requests),
            "tile_bytes": int(requests * rates.bytes_per_tile),
            "download_hours": round(hours, 3),
            "mosaic_bytes": int(pixels * rates.mosaic_bytes_per_pixel),
            "mosaic_hours": round(pixels / 1e6 / rates.mosaic_megapixels_per_second / 3600, 3),
            "segmentation_hours": round(
                block_pixels / 1e6 / rates.segmentation_megapixels_per_second / 3600, 3
            ),
            "quality_and_features_hours": round(len(table) / rates.blocks_per_second / 3600, 3),
        }
    jobs = len(shards) * (2 + 4 * len(sources))
    return {
        "blocks": len(table),
        "shards": len(shards),
        "inside_ha": float(table["inside_ha"].sum()),
        "shard_jobs": jobs,
        "job_start_hours": round(jobs * rates.seconds_per_job / 3600, 3),
        "disk_bytes": sum(s["tile_bytes"] + s["mosaic_bytes"] for s in per_source.values()),
        "sources": per_source,
    }
