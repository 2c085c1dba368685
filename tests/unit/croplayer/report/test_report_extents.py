"""The figure of the validation extents: the colour of each case is where the case is."""

from __future__ import annotations

import geopandas as gpd
import matplotlib.image
import numpy as np
import pytest
import rasterio
import shapely
from rasterio.transform import from_origin

from croplayer.report.extents import COLOURS, _agreement, plot_extents
from croplayer.report.style import PAPER

EXTENT = shapely.box(10.0, 50.0, 10.01, 50.01)


def write(path, array):
    with rasterio.open(
        path, "w", driver="GTiff", height=100, width=100, count=len(array), dtype="uint8",
        crs="EPSG:4326", transform=from_origin(10.0, 50.01, 1e-4, 1e-4), nodata=255,
    ) as dataset:  # fmt: skip
        dataset.write(array)
    return path


@pytest.fixture
def case(tmp_path):
    """A mask of the west half, and cropland drawn in the south half."""
    mask = np.zeros((1, 100, 100), np.uint8)
    mask[:, :, :50] = 1
    imagery = np.full((3, 100, 100), 120, np.uint8)

    def run(split="validation", source=""):
        gpd.GeoDataFrame(
            {"polygon_id": ["1"], "source": [source]},
            geometry=[shapely.box(10.0, 50.0, 10.01, 50.005)],
            crs=4326,
        ).to_parquet(tmp_path / "polygons.parquet")
        gpd.GeoDataFrame(
            {"extent_id": ["a"], "split": [split], "source": [source]},
            geometry=[EXTENT],
            crs=4326,
        ).to_parquet(tmp_path / "extents.parquet")
        files = {name: [write(tmp_path / f"{name}.tif", mask)] for name in ("one", "two")}
        mosaic = write(tmp_path / "mosaic.tif", imagery)
        plot_extents(
            mosaics={name: [mosaic] for name in files},
            masks=files,
            polygons=tmp_path / "polygons.parquet",
            extents=tmp_path / "extents.parquet",
            output=tmp_path / "figure.png",
        )
        return tmp_path / "figure.png"

    return run


def colour(text):
    return np.array([int(text[k : k + 2], 16) for k in (1, 3, 5)]) / 255


def test_each_case_has_its_colour_in_its_place():
    codes = np.zeros((100, 100), np.uint8)
    codes[:, :50] = 1
    codes[:10] = 255
    drawn = shapely.box(10.0, 50.0, 10.01, 50.005)
    picture = _agreement(codes, drawn, EXTENT, EXTENT.bounds)
    both, mapped, only_drawn, neither = map(colour, COLOURS.values())
    assert np.allclose(picture[75, 25], both)
    assert np.allclose(picture[30, 25], mapped)
    assert np.allclose(picture[75, 75], only_drawn)
    assert np.allclose(picture[30, 75], neither)
    assert np.allclose(picture[5, 25], colour(PAPER))


def test_an_extent_of_one_source_is_shown_for_that_source_alone(case):
    every = matplotlib.image.imread(case()).shape
    one = matplotlib.image.imread(case(source="two")).shape
    assert every[1] > 1.5 * one[1]
    assert every[0] == one[0]


def test_the_same_input_gives_the_same_bytes(case):
    assert case().read_bytes() == case().read_bytes()


def test_without_validation_extents_the_figure_says_so(case):
    picture = matplotlib.image.imread(case(split="train"))
    assert picture.shape[0] < 300
    assert (picture[..., :3] < 0.5).any()
