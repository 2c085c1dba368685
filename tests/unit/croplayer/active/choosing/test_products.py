"""A product beside the map: nearest pixels in another coordinate reference system."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from choosing_case import BLOCKS, GRID, make_case
from pyproj import Transformer

from cropbase.errors import InputError
from croplayer.active.choosing.product_files import product_files
from croplayer.active.choosing.products import Product
from croplayer.settings.active import ActiveSettings, ProductSettings


def write_product(path, bounds, epsg=32649, size=400, dtype="uint8", nodata=0):
    """Random classes 0, 10, 40 in UTM."""
    rng = np.random.default_rng(5)
    values = rng.choice([0, 10, 40], (size, size), p=[0.1, 0.5, 0.4]).astype(dtype)
    to_utm = Transformer.from_crs(4326, epsg, always_xy=True)
    west, south, east, north = to_utm.transform_bounds(*bounds)
    transform = rasterio.transform.from_bounds(west, south, east, north, size, size)
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path, "w", driver="GTiff", height=size, width=size, count=1, dtype=dtype,
        crs=f"EPSG:{epsg}", transform=transform, nodata=nodata,
    ) as dataset:  # fmt: skip
        dataset.write(values, 1)
    return values, transform


def test_each_pixel_has_the_class_under_its_centre(tmp_path):
    block = BLOCKS[3]
    path = tmp_path / "p" / "product.tif"
    values, transform = write_product(path, GRID.bounds(block))
    settings = ProductSettings(paths=[str(path)], cropland_values=[40])
    window = GRID.block_window(block)
    with Product("p", settings, GRID) as product:
        cropland, known = product.read(window)
    to_utm = Transformer.from_crs(4326, 32649, always_xy=True)
    t = GRID.transform(window)
    lon = t.c + t.a * (np.arange(64) + 0.5)
    lat = t.f + t.e * (np.arange(64) + 0.5)
    x, y = to_utm.transform(*np.meshgrid(lon, lat))
    col, row = (~transform).a * (x - transform.c), (~transform).e * (y - transform.f)
    expected = values[np.floor(row).astype(int), np.floor(col).astype(int)]
    # Places are interpolated between exact ones: near an edge a centre may fall to either side.
    clear = (np.abs(row % 1 - 0.5) < 0.45) & (np.abs(col % 1 - 0.5) < 0.45)
    assert clear.mean() > 0.75
    assert (known == (expected != 0))[clear].all()
    assert (cropland == (expected == 40))[clear].all()


def test_the_share_that_differs_is_a_sign_and_is_told(tmp_path):
    case = make_case(tmp_path)
    path = tmp_path / "p" / "product.tif"
    write_product(path, (112.2, 24.0, 112.7, 24.2), size=3000)
    settings = ActiveSettings(
        blocks=6, random_share=0, diversity=0, chips_per_edge=1,
        weights={"product": 1, "alarm": 0, "disagreement": 0, "uncertainty": 0},
        products={"old": {"paths": [str(path)], "cropland_values": [40], "nodata_values": [10]}},
    )  # fmt: skip
    chosen = case.choose(settings)
    assert set(chosen["reason"]) == {"product"}
    assert chosen["reasons"].str.contains("differs from old").all()
    with Product("old", settings.products["old"], GRID) as product:
        for row in chosen.itertuples():
            block = GRID.parse_block_id(row.block_id)
            shard = GRID.shard_id(block)
            with rasterio.open(case.home / f"mask/{row.source}/{shard}.tif") as dataset:
                west, _, _, north = GRID.bounds(block)
                r, c = dataset.index(west + 1e-6, north - 1e-6)
                mask = dataset.read(1, window=rasterio.windows.Window(c, r, 64, 64))
            crop, known = product.read(GRID.block_window(block))
            both = known & (mask != 255)
            assert row.product_old == pytest.approx((crop != (mask == 1))[both].mean())


def test_files_that_cannot_be_used_are_named(tmp_path):
    with pytest.raises(InputError, match=r"active.products.wc.paths[\s\S]*none"):
        product_files("wc", ProductSettings(paths=["data/none*.tif"], cropland_values=[40]))
    path = tmp_path / "p" / "wide.tif"
    write_product(path, GRID.bounds(BLOCKS[0]), dtype="int16")
    with pytest.raises(InputError, match="not uint8"):
        Product("wc", ProductSettings(paths=[str(path)], cropland_values=[40]), GRID)
