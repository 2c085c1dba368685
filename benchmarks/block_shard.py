"""A generated shard on disk; `block_shard.py FOLDER SIDE THREADS`: seconds and memory."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import rasterio
from block_masks import SIZE, generated_fields
from memory import peak_mib
from rasterio.windows import Window

from cropbase.tables import write_table
from croplayer.blocks.features import measure_features
from croplayer.blocks.tables import QUALITY_FEATURES, TERRAIN_FEATURES
from croplayer.grid import Block, BlockGrid

SOURCES = ("a", "b")
DRAWN = 3
"""Masks that are generated; the blocks of a shard are these, turned and shifted."""


@contextmanager
def write_shard(grid: BlockGrid, side: int, *, seed: int) -> Iterator[Path]:
    """A folder with the masks of two sources of side x side blocks, for as long as it is used."""
    with tempfile.TemporaryDirectory() as scratch:
        blocks = shard_blocks(grid, side)
        whole = grid.shard_window(blocks)
        drawn = [generated_fields(seed=seed + k) for k in range(DRAWN)]
        profile = {
            "driver": "GTiff", "height": whole.height, "width": whole.width, "count": 1,
            "dtype": "uint8", "crs": "EPSG:4326", "transform": grid.transform(whole),
            "nodata": 255, "tiled": True, "blockxsize": 512, "blockysize": 512,
            "compress": "deflate", "zlevel": 1,
        }  # fmt: skip
        for source, shift in zip(SOURCES, (0, 2), strict=True):
            with rasterio.open(Path(scratch) / f"{source}.tif", "w", **profile) as dataset:
                for k, block in enumerate(blocks):
                    place = grid.block_window(block)
                    mask = np.rot90(drawn[k % DRAWN], k // DRAWN % 4)
                    mask = np.roll(mask, (37 * k + shift, 23 * k + shift), (0, 1))
                    window = Window(
                        place.col - whole.col, place.row - whole.row, place.width, place.height
                    )
                    dataset.write(mask.astype(np.uint8), 1, window=window)
        yield Path(scratch)


def shard_blocks(grid: BlockGrid, side: int) -> list[Block]:
    """side x side blocks from the north-west corner of a shard on."""
    first = grid.block_at(112.02, 23.98)
    return [Block(first.row + r, first.col + c) for r in range(side) for c in range(side)]


def measure_shard(folder: Path, grid: BlockGrid, side: int, threads: int) -> dict[str, float]:
    """Seconds (of the clock, of all cores) of the features of side x side blocks of a shard."""
    blocks = shard_blocks(grid, side)
    with tempfile.TemporaryDirectory() as scratch:
        ids = [grid.block_id(block) for block in blocks]
        quality, terrain = Path(scratch) / "quality.parquet", Path(scratch) / "terrain.parquet"
        write_table(constant_table(ids, QUALITY_FEATURES), quality)
        write_table(constant_table(ids, TERRAIN_FEATURES), terrain)
        begin, cpu = time.perf_counter(), time.process_time()
        measure_features(
            masks={source: folder / f"{source}.tif" for source in SOURCES},
            quality=dict.fromkeys(SOURCES, quality),
            terrain=terrain,
            blocks=blocks,
            grid=grid,
            output=Path(scratch) / "features.parquet",
            sources=SOURCES,
            threads=threads,
        )
        return {
            "seconds": time.perf_counter() - begin,
            "cpu_seconds": time.process_time() - cpu,
        }


def constant_table(ids: list[str], columns: tuple[str, ...]) -> pd.DataFrame:
    """The same in every block: 1, and Planting imagery where the columns ask for a type."""
    table = pd.DataFrame({"block_id": ids} | {name: 1.0 for name in columns})
    return table.assign(coverage_type="planting") if "coverage_type" in columns else table


def main() -> None:
    folder, side, threads = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    found = measure_shard(folder, BlockGrid(0.05, SIZE, 1.0), side, threads)
    print(json.dumps(found | {"peak_mib": peak_mib()}))


if __name__ == "__main__":
    main()
