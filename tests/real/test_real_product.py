"""Genuine ESA WorldCover tiles as an existing product beside the map."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import rasterio

from croplayer.active.choosing.products import Product
from croplayer.grid import BlockGrid
from croplayer.settings.active import ProductSettings

ROOT = Path(os.environ.get("CROPLAYER_DATA_ROOT", Path(__file__).parents[3] / "shared" / "data"))
FOLDER = ROOT / "landcover" / "esa_worldcover_saotome"

pytestmark = pytest.mark.skipif(not FOLDER.exists(), reason=f"no real data: {FOLDER} is absent")


def test_cropland_of_worldcover_is_that_under_the_centres_of_our_pixels():
    path = sorted(FOLDER.rglob("*.tif"))[-1]
    grid = BlockGrid(0.05, 576, 1.0)
    with rasterio.open(path) as dataset:
        # Land lies there; the rest of the tile is mostly sea.
        lon, lat = dataset.xy(31500, 7000)
        window = grid.block_window(grid.block_at(lon, lat))
        t = grid.transform(window)
        x = t.c + t.a * (np.arange(window.width) + 0.5)
        y = t.f + t.e * (np.arange(window.height) + 0.5)
        cols = np.floor((x - dataset.transform.c) / dataset.transform.a).astype(int)
        rows = np.floor((y - dataset.transform.f) / dataset.transform.e).astype(int)
        part = rasterio.windows.Window(
            cols[0], rows[0], cols[-1] - cols[0] + 1, rows[-1] - rows[0] + 1
        )
        values = dataset.read(1, window=part)[np.ix_(rows - rows[0], cols - cols[0])]
    settings = ProductSettings(paths=[str(path)], cropland_values=[40], nodata_values=[0])
    with Product("worldcover", settings, grid) as product:
        cropland, known = product.read(window)
    assert 0 < (values == 40).mean() < 1
    # Places are interpolated between exact ones; only centres on an edge may fall to either side.
    assert (cropland != (values == 40)).mean() < 0.01
    assert (known != (values != 0)).mean() < 0.01
