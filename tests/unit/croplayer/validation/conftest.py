"""A generated province: four blocks in four shards, masks of two sources and a final map."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from rasterio.transform import Affine
from rasterio.windows import Window
from scipy import ndimage

from cropbase.rasters import write_cog
from cropbase.tables import write_table
from croplayer.grid import Block, BlockGrid

N = 64
SIZE = 2 * N


@dataclass
class GeneratedProvince:
    """Arrays (128, 128) uint8 of the whole province, and the same as one raster a shard."""

    grid: BlockGrid
    blocks: list[Block]
    transform: Affine
    arrays: dict[str, np.ndarray]
    maps: dict[str, list[Path]]
    plan: Path

    def centres(self) -> tuple[np.ndarray, np.ndarray]:
        """Longitude and latitude of the pixel centres, each (128, 128)."""
        rows, cols = np.mgrid[:SIZE, :SIZE]
        t = self.transform
        return t.c + (cols + 0.5) * t.a, t.f + (rows + 0.5) * t.e

    def box(self, row: float, col: float, height: float, width: float):
        """A rectangle given in pixels, as a polygon in degrees."""
        t = self.transform
        return shapely.box(
            t.c + col * t.a,
            t.f + (row + height) * t.e,
            t.c + (col + width) * t.a,
            t.f + row * t.e,
        )


@pytest.fixture
def province(tmp_path: Path) -> GeneratedProvince:
    rng = np.random.default_rng(4)
    grid = BlockGrid(0.05, N, 0.05)
    corner = grid.block_at(124.51, 47.24)
    blocks = [Block(corner.row + r, corner.col + c) for r in range(2) for c in range(2)]
    arrays = {}
    for name in ("google", "mapbox"):
        noise = ndimage.gaussian_filter(rng.standard_normal((SIZE, SIZE)), 3)
        arrays[name] = (noise > 0).astype(np.uint8)
    arrays["google"][40:60, 10:90] = 255
    arrays["mapbox"][50:70, 70:120] = 255
    union = ((arrays["google"] == 1) | (arrays["mapbox"] == 1)).astype(np.uint8)
    none = (arrays["google"] == 255) & (arrays["mapbox"] == 255)
    arrays["integrated"] = np.where(none, 254, union).astype(np.uint8)
    maps: dict[str, list[Path]] = {}
    for name, array in arrays.items():
        maps[name] = []
        for k, block in enumerate(blocks):
            r, c = divmod(k, 2)
            path = tmp_path / name / f"{grid.block_id(block)}.tif"
            part = array[r * N : (r + 1) * N, c * N : (c + 1) * N]
            write_cog(
                path,
                [(Window(0, 0, N, N), part[np.newaxis])],
                height=N,
                width=N,
                bands=1,
                dtype="uint8",
                transform=grid.transform(grid.block_window(block)),
                nodata=255,
            )
            maps[name].append(path)
    plan = tmp_path / "blocks.parquet"
    write_table(
        gpd.GeoDataFrame(
            {
                "block_id": [grid.block_id(b) for b in blocks],
                "row": [b.row for b in blocks],
                "col": [b.col for b in blocks],
                "shard_id": [grid.shard_id(b) for b in blocks],
                "county_id": ["1", "2", "1", "2"],
                "county": ["West", "East", "West", "East"],
            },
            geometry=[grid.polygon(b) for b in blocks],
            crs=4326,
        ),
        plan,
    )
    transform = grid.transform(grid.shard_window(blocks))
    return GeneratedProvince(grid, blocks, transform, arrays, maps, plan)
