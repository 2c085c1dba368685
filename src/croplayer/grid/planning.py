"""The plan of a province: its blocks with their shard and county."""

from __future__ import annotations

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
    counties : county_id, county, city, geometry, EPSG:4326 (`grid.regions.read_counties`).

    Returns the table: block_id, row, col, shard_id, province, county_id, county, inside_ha (area of
    the block inside the province, hectares on the ellipsoid), geometry. A block belongs to the
    county that has most of it; a block without any county has empty names.
    """
    blocks = grid.blocks_touching(region)
    boxes = np.array([grid.polygon(block) for block in blocks])
    inside = shapely.intersection(boxes, region)
    owner = _largest_overlap(inside, counties.geometry.to_numpy())
    names = [("", ""), *zip(counties["county_id"], counties["county"], strict=True)]
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
