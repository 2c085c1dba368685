"""The made products and the reference sample of the generated province keep their contract."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio

from cropbase.areas import mask_area_ha
from croplayer.comparison.catalogue import read_catalogue
from croplayer.comparison.files import look_at
from croplayer.comparison.reader import ProductReader
from croplayer.comparison.sample import read_sample
from croplayer.grid import PixelWindow
from croplayer.grid.regions import read_region

FILES = {
    "worldcover": "ESA_WorldCover_10m_2020_v100_N24E111_Map.tif",
    "clcd": "CLCD_v01_2020_albert.tif",
    "globeland30": "N49_20_2020LC030.zip",
}


@pytest.fixture(scope="module")
def catalogue():
    return read_catalogue(Path(__file__).parents[4] / "config" / "products.yaml")


@pytest.mark.parametrize("name", FILES)
def test_a_made_product_is_read_like_the_real_one_and_says_that_it_is_made(small, catalogue, name):
    path = small.folder / "products" / FILES[name]
    product, grid = catalogue.products[name], small.grid
    with rasterio.open(small.folder / "truth.tif") as dataset:
        truth, bounds = dataset.read(1), dataset.bounds
    window = grid.block_window(grid.block_at(bounds.left + 0.01, bounds.top - 0.01))
    window = PixelWindow(window.row, window.col, *truth.shape)
    with ProductReader(product, [path], grid) as reader:
        codes, states = reader.read(window)
        assert reader.findings == {}
    assert set(np.unique(codes)) <= {entry.code for entry in product.classes}
    agreement = (states == 2)[truth == 1].mean()
    assert 0.5 < agreement < 1
    assert (states == 2)[truth == 0].mean() < agreement / 2
    (file,) = look_at([path])
    with rasterio.open(file.name) as dataset:
        assert dataset.tags()["ORIGIN"].startswith("Made for the demo in the layout of")


def test_the_zip_holds_one_raster_in_a_folder(small):
    with zipfile.ZipFile(small.folder / "products" / FILES["globeland30"]) as archive:
        assert archive.namelist() == ["N49_20_2020LC030/n49_20_2020lc030.tif"]


def test_the_sample_is_of_the_province_and_knows_the_truth(small):
    folder = small.folder / "reference"
    region = read_region(small.folder / "province.gpkg")
    sample = read_sample(folder / "points.csv", folder / "strata.csv", region)
    assert sample.grouped and len(sample.lon) == 150 * len(sample.strata)
    with rasterio.open(small.folder / "truth.tif") as dataset:
        truth = np.array([v[0] for v in dataset.sample(zip(sample.lon, sample.lat, strict=True))])
        shape, transform = dataset.shape, dataset.transform
    cropland = ~pd.Series(sample.reference).isin(["not_cropland", "perennial_woody"])
    assert (cropland.to_numpy() == (truth == 1)).all()
    inside = ~rasterio.features.geometry_mask([region], shape, transform)
    assert sample.area_ha.sum() == pytest.approx(mask_area_ha(inside, transform), rel=1e-6)
