"""A generated shard of four small blocks with masks of two sources, quality and terrain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from rasterio.windows import Window
from scipy import ndimage

from cropbase.rasters import write_cog
from cropbase.tables import write_table
from croplayer.grid import Block, BlockGrid

COVERAGE = ("planting", "non_planting", "snow_ice", "cloudy", "nodata")


@dataclass
class GeneratedShard:
    """Paths and arrays of the generated shard; arrays cover the shard (rows, columns) uint8."""

    grid: BlockGrid
    blocks: list[Block]
    arrays: dict[str, np.ndarray]
    masks: dict[str, Path]
    quality: dict[str, Path]
    terrain: Path
    plan: Path


def write_mask(path: Path, array: np.ndarray, grid: BlockGrid, blocks: list[Block]) -> Path:
    """Write a uint8 array (rows, columns) that covers the shard of `blocks`."""
    height, width = array.shape
    write_cog(
        path,
        [(Window(0, 0, width, height), array[np.newaxis])],
        height=height,
        width=width,
        bands=1,
        dtype="uint8",
        transform=grid.transform(grid.shard_window(blocks)),
        nodata=255,
    )
    return path


@pytest.fixture
def write_shard_mask() -> Callable[[Path, np.ndarray, BlockGrid, list[Block]], Path]:
    return write_mask


@pytest.fixture
def shard(tmp_path: Path) -> GeneratedShard:
    rng = np.random.default_rng(7)
    grid = BlockGrid(0.05, 64, 0.1)
    first = grid.block_at(112.05, 24.09)
    shard_row, shard_col = first.row // 2 * 2, first.col // 2 * 2
    blocks = [Block(shard_row + r, shard_col + c) for r in range(2) for c in range(2)]
    arrays = {}
    for source in ("google", "mapbox"):
        noise = ndimage.gaussian_filter(rng.standard_normal((128, 128)), 2)
        arrays[source] = (noise > 0).astype(np.uint8)
    arrays["google"][:20, :30] = 255
    arrays["mapbox"][64:, :64] = 255  # The south-western block has no data.
    arrays["google"][64:, 64:] = 0  # The south-eastern block has no cropland.
    masks, quality = {}, {}
    ids = [grid.block_id(block) for block in blocks]
    for source, array in arrays.items():
        masks[source] = write_mask(tmp_path / f"mask_{source}.tif", array, grid, blocks)
        quality[source] = tmp_path / f"quality_{source}.parquet"
        table = pd.DataFrame(
            {
                "block_id": ids,
                "source": source,
                "coverage_type": COVERAGE[:4],
                "sharpness": rng.random(4),
                "hue": rng.random(4),
                "saturation": rng.random(4),
                "lightness": rng.random(4),
                "valid_fraction": 1.0,
            }
        )
        write_table(table, quality[source])
    terrain = tmp_path / "terrain.parquet"
    write_table(
        pd.DataFrame(
            {
                "block_id": ids[::-1],
                "elevation": [40.0, 30.0, 20.0, 10.0],
                "slope": [4.0, 3.0, 2.0, np.nan],
                "ruggedness": rng.random(4),
                "roughness": rng.random(4),
            }
        ),
        terrain,
    )
    plan = tmp_path / "blocks.parquet"
    write_table(
        gpd.GeoDataFrame(
            {
                "block_id": ids,
                "row": [block.row for block in blocks],
                "col": [block.col for block in blocks],
                "shard_id": [grid.shard_id(block) for block in blocks],
                "county_id": ["1", "1", "2", "2"],
                "county": ["North", "North", "South", "South"],
            },
            geometry=[grid.polygon(block) for block in blocks],
            crs=4326,
        ),
        plan,
    )
    return GeneratedShard(grid, blocks, arrays, masks, quality, terrain, plan)
