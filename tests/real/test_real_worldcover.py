"""Genuine ESA WorldCover tiles as products: read by windows, compared, told to be of another year."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from rasterio.windows import Window

from cropbase.areas import row_pixel_areas_ha
from cropbase.rasters import write_cog
from croplayer.comparison.catalogue import read_catalogue
from croplayer.comparison.reader import ProductReader
from croplayer.comparison.shard import compare_shard
from croplayer.comparison.tiling import tile_names
from croplayer.grid import BlockGrid
from croplayer.settings.products import ProductRaster

DATA = Path(
    os.environ.get("CROPLAYER_DATA_ROOT", Path(__file__).parents[2].parent / "shared" / "data")
)
FOLDER = DATA / "landcover" / "esa_worldcover_saotome"
TILE_2020 = FOLDER / "ESA_WorldCover_10m_2020_v100_N00E006_Map.tif"
TILE_2021 = FOLDER / "ESA_WorldCover_10m_2021_v200_N00E006_Map.tif"
pytestmark = pytest.mark.skipif(not TILE_2020.exists(), reason=f"no real data at {DATA}")

# São Tomé, two blocks with cropland; pixels of the tile itself, so that nothing is resampled.
GRID = BlockGrid(0.05, 600, 0.1)
BLOCKS = [GRID.block_at(6.63, 0.37), GRID.block_at(6.68, 0.37)]


@pytest.fixture(scope="module")
def product():
    path = Path(__file__).parents[2] / "config" / "products.yaml"
    return read_catalogue(path).products["worldcover"]


def tile_pixels(path, window):
    """The pixels of a block, straight from the file."""
    west, _, _, north = GRID.window_bounds(window)
    col, row = round((west - 6) * 12000), round((3 - north) * 12000)
    with rasterio.open(path) as dataset:
        return dataset.read(1, window=Window(col, row, 600, 600))


def test_the_tile_is_named_as_it_was_published(product):
    assert list(tile_names(product, shapely.box(6.4, 0.1, 6.8, 0.5))) == [TILE_2020.name]


def test_a_window_is_the_file_s_own_pixels(product):
    raster = ProductRaster(**product.raster())
    for block in BLOCKS:
        window = GRID.block_window(block)
        with ProductReader(raster, [TILE_2020], GRID) as reader:
            codes, _ = reader.read(window)
            assert reader.findings == {}
            assert reader.pixel(window) == (1, 1)
        assert (codes == tile_pixels(TILE_2020, window)).all()


def test_one_year_beside_the_other(product, tmp_path):
    """The map is WorldCover 2020 itself, the product the tile of 2021: only numpy may disagree."""
    window = GRID.shard_window(BLOCKS)
    first, second = (
        np.hstack([tile_pixels(path, GRID.block_window(block)) for block in BLOCKS])
        for path in (TILE_2020, TILE_2021)
    )
    ours = np.where(first == 0, 255, first == 40).astype(np.uint8)
    write_cog(
        tmp_path / "map.tif",
        [(Window(0, 0, 1200, 600), ours[None])],
        height=600, width=1200, bands=1, dtype="uint8", transform=GRID.transform(window), nodata=255,
    )  # fmt: skip
    compare_shard(
        maps=[tmp_path / "map.tif"], files=[TILE_2021], name="worldcover",
        product=ProductRaster(**product.raster()), blocks=BLOCKS,
        boundary=shapely.box(*GRID.window_bounds(window)), grid=GRID,
        output=tmp_path / "out.parquet", classes=tmp_path / "out.json",
    )  # fmt: skip
    table = pd.read_parquet(tmp_path / "out.parquet")
    known = (first > 0) & (second > 0)
    assert (ours[known] == 1).sum() > 100
    row_ha = row_pixel_areas_ha(GRID.transform(window), 600)[:, None]
    for column, mask in (
        ("crop_in", (first == 40) & (second == 40)),
        ("crop_out", (first == 40) & (second != 40)),
        ("other_in", (first != 40) & (second == 40)),
    ):
        assert table[f"px_{column}"].sum() == (mask & known).sum()
        assert table[f"ha_{column}"].sum() == pytest.approx(
            ((mask & known) * row_ha).sum(), rel=1e-9
        )
    findings = json.loads((tmp_path / "out.json").read_text())["findings"]
    assert list(findings) == ["another year: the file says 2021, the catalogue 2020"]
    assert (table["product_strange_ha"] == 0).all()
