"""A real aerial image (NAIP, EPSG:26914, 5 m) brought to the global grid, against GDAL's warper."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.warp import Resampling, reproject, transform_bounds

from croplayer.grid import Block, BlockGrid
from croplayer.settings.mosaic import MosaicSettings
from croplayer.settings.sources import RasterSource
from croplayer.tiles import build_mosaic

ROOT = Path(
    os.environ.get("CROPLAYER_DATA_ROOT", Path(__file__).resolve().parents[2] / "../shared/data")
)
IMAGE = ROOT / "naip_two_dates" / "m_4709963_se_14_1_20120731.tif"
LATER = ROOT / "naip_two_dates" / "m_4709963_se_14_1_20200831.tif"

pytestmark = pytest.mark.skipif(
    not (IMAGE.exists() and LATER.exists()),
    reason="the NAIP images of two dates are not there (see CROPLAYER_DATA_ROOT)",
)

# About 5 m at this latitude, so that no kernel has to widen much.
GRID = BlockGrid(block_degrees=0.01, pixels_per_block=224, shard_degrees=0.05)


def blocks_of(path: Path) -> list[Block]:
    with rasterio.open(path) as dataset:
        west, south, east, north = transform_bounds(dataset.crs, "EPSG:4326", *dataset.bounds)
    first, last = GRID.block_at(west, north), GRID.block_at(east, south)
    return [
        Block(row, col)
        for row in range(first.row, last.row + 1)
        for col in range(first.col, last.col + 1)
    ]


def build(path: Path, output: Path, blocks: list[Block]) -> tuple[np.ndarray, np.ndarray]:
    build_mosaic(
        source_name="naip",
        source=RasterSource(paths=(str(path),), attribution="USDA NAIP"),
        tiles=None,
        grid=GRID,
        blocks=blocks,
        mosaic=MosaicSettings(halo_pixels=32),
        output=output,
    )
    with rasterio.open(output) as dataset:
        return dataset.read(), dataset.dataset_mask() > 0


@pytest.mark.parametrize("path", [IMAGE, LATER], ids=["2012", "2020"])
def test_the_mosaic_agrees_with_gdal(path: Path, tmp_path: Path) -> None:
    ours, valid = build(path, tmp_path / "m.tif", blocks_of(path))
    with rasterio.open(path) as dataset, rasterio.open(tmp_path / "m.tif") as target:
        theirs = np.zeros_like(ours)
        reproject(
            dataset.read((1, 2, 3)),
            theirs,
            src_transform=dataset.transform,
            src_crs=dataset.crs,
            dst_transform=target.transform,
            dst_crs=target.crs,
            resampling=Resampling.bilinear,
        )
        covered = np.zeros(valid.shape, np.uint8)
        reproject(
            dataset.dataset_mask(),
            covered,
            src_transform=dataset.transform,
            src_crs=dataset.crs,
            dst_transform=target.transform,
            dst_crs=target.crs,
            resampling=Resampling.nearest,
        )
    # Warping rounds positions to a hundredth of a pixel: only edges may differ.
    assert np.mean(valid != (covered > 0)) < 1e-3
    assert valid.mean() > 0.3
    difference = np.abs(ours.astype(int) - theirs)[:, valid]
    assert difference.mean() < 1.0
    assert np.percentile(difference, 99) <= 5


def test_two_shards_agree_where_they_meet(tmp_path: Path) -> None:
    blocks = blocks_of(IMAGE)
    middle = sorted({block.col for block in blocks})[2]
    whole, _ = build(IMAGE, tmp_path / "all.tif", blocks)
    outer = GRID.shard_window(blocks).buffered(32)
    for part in (
        [block for block in blocks if block.col <= middle],
        [block for block in blocks if block.col > middle],
    ):
        pixels, _ = build(IMAGE, tmp_path / "part.tif", part)
        inside = GRID.shard_window(part).buffered(32).relative_to(outer)
        assert np.array_equal(pixels, whole[:, *inside])
