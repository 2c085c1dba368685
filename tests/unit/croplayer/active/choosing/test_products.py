"""Existing products as a sign of a wrong map; how they are read is test_product_reader's."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from choosing_case import BLOCKS, GRID, make_case
from pyproj import Transformer

from croplayer.active.choosing.measure import measure_blocks
from croplayer.settings.active import ActiveSettings
from croplayer.settings.products import ProductRaster

OTHER, CROPLAND, MIXED, SILENT, NOWHERE = 10, 40, 30, 0, 99
RASTER = ProductRaster(
    classes=[
        {"code": OTHER, "name": "other"},
        {"code": CROPLAND, "name": "cropland", "cropland": "in"},
        {"code": MIXED, "name": "cropland and more", "cropland": "unclear"},
    ],
    fill_codes=[SILENT],
    grid={"crs": "UTM", "pixel_size": 20, "pixel_unit": "metre"},
    year=2020,
)
ONLY_PRODUCT = {
    "random_share": 0,
    "diversity": 0,
    "chips_per_edge": 1,
    "windows_per_edge": 8,
    "weights": {"product": 1, "alarm": 0, "disagreement": 0, "uncertainty": 0},
}


@pytest.fixture(scope="module")
def product(tmp_path_factory):
    """(path, codes) of a made raster in UTM: random classes, one pixel some 20 m."""
    path = tmp_path_factory.mktemp("product") / "made.tif"
    bounds = (112.2, 24.0, 112.7, 24.2)
    to_utm = Transformer.from_crs(4326, 32649, always_xy=True)
    size = 3000
    codes = np.random.default_rng(5).choice(
        np.array([SILENT, OTHER, MIXED, CROPLAND], dtype=np.uint8), (size, size)
    )
    transform = rasterio.transform.from_bounds(*to_utm.transform_bounds(*bounds), size, size)
    with rasterio.open(
        path, "w", driver="GTiff", height=size, width=size, count=1, dtype="uint8",
        crs="EPSG:32649", transform=transform, nodata=SILENT,
    ) as dataset:  # fmt: skip
        dataset.write(codes, 1)
    return path, codes, transform


def codes_at_centres(product, block):
    """(codes, clear), each (64, 64): what lies under our pixels' centres, each one projected;
    clear where the centre is not near the edge of a pixel of the product."""
    _, codes, transform = product
    to_utm = Transformer.from_crs(4326, 32649, always_xy=True)
    west, _, east, north = GRID.bounds(block)
    step = (east - west) / 64
    lon = west + step * (np.arange(64) + 0.5)
    lat = north - step * (np.arange(64) + 0.5)
    cols, rows = ~transform @ to_utm.transform(*np.meshgrid(lon, lat))
    clear = (np.abs(rows % 1 - 0.5) < 0.499) & (np.abs(cols % 1 - 0.5) < 0.499)
    return codes[np.floor(rows).astype(int), np.floor(cols).astype(int)], clear


def mask_of(case, source, block):
    """(64, 64) uint8, straight from the file."""
    with rasterio.open(case.home / f"mask/{source}/{GRID.shard_id(block)}.tif") as dataset:
        west, _, _, north = GRID.bounds(block)
        row, col = dataset.index(west + 1e-6, north - 1e-6)
        return dataset.read(1, window=rasterio.windows.Window(col, row, 64, 64))


def test_the_share_that_differs_is_a_sign_and_is_told(tmp_path, product):
    case = make_case(tmp_path)
    settings = ActiveSettings(blocks=6, **ONLY_PRODUCT)
    chosen = case.choose(settings, products={"old": (RASTER, [product[0]])})
    assert set(chosen["reason"]) == {"product"}
    assert chosen["reasons"].str.contains("differs from old").all()
    for row in chosen.itertuples():
        block = GRID.parse_block_id(row.block_id)
        codes, clear = codes_at_centres(product, block)
        mask = mask_of(case, row.source, block)
        both = np.isin(codes, [OTHER, CROPLAND]) & (mask != 255) & clear
        share = ((codes == CROPLAND) != (mask == 1))[both].mean()
        assert row.product_old == pytest.approx(share, abs=(~clear).mean() + 1e-9)


def test_where_the_product_is_silent_or_unclear_nothing_is_compared(tmp_path, product):
    case = make_case(tmp_path)
    says_nothing = {
        "classes": [
            {"code": CROPLAND, "name": "all kinds of land", "cropland": "unclear"},
            {"code": NOWHERE, "name": "nowhere", "cropland": "in"},
        ],
        "fill_codes": [SILENT, OTHER, MIXED],
    }
    silent = ProductRaster(**RASTER.model_dump() | says_nothing)
    measured = measure_blocks(
        blocks={GRID.shard_id(BLOCKS[3]): [BLOCKS[3]]},
        probability=_by_shard(case, "probability"),
        masks=_by_shard(case, "mask"),
        grid=GRID,
        products={"old": (silent, [product[0]])},
    )
    assert measured["product_old"].isna().all()


def _by_shard(case, stage):
    return {s: {path.stem: path for path in files} for s, files in case.files(stage).items()}
