"""A province of the ground that rasters have in common."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from pyproj import Transformer
from rasterio.transform import from_origin

from cropbase.areas import polygon_area_ha
from cropbase.errors import InputError
from croplayer.imports import naip_fields, rasters
from croplayer.imports.rasters import ground_of, import_rasters


def raster(path, west, north, width=200, height=100, crs="EPSG:32614", pixel=5.0):
    with rasterio.open(
        path, "w", driver="GTiff", height=height, width=width, count=1, dtype="uint8", crs=crs,
        transform=from_origin(west, north, pixel, pixel),
    ) as dataset:  # fmt: skip
        dataset.write(np.ones((1, height, width), np.uint8))
    return path


@pytest.fixture
def pair(tmp_path):
    """Two rasters of 1000 x 500 m in UTM, shifted against each other by 100 m and 50 m."""
    return [
        raster(tmp_path / "a.tif", 486000, 5209000),
        raster(tmp_path / "b.tif", 486100, 5208950),
    ]


def test_the_ground_follows_the_edges_of_the_raster(tmp_path):
    path = raster(tmp_path / "a.tif", 300000, 5209000, width=20_000, height=20_000)
    ground = ground_of(path, margin_pixels=0)
    back = Transformer.from_crs("EPSG:4326", "EPSG:32614", always_xy=True)
    x, y = back.transform(*shapely.get_coordinates(ground).T)
    # 100 km across: with corners alone the edges would bend away by more than a kilometre.
    turned = shapely.Polygon(np.c_[x, y])
    truth = shapely.box(300000, 5109000, 400000, 5209000)
    assert turned.symmetric_difference(truth).area / truth.area < 1e-9
    midway = shapely.segmentize(ground, 0.001)
    x, y = back.transform(*shapely.get_coordinates(midway).T)
    assert shapely.distance(shapely.points(x, y), truth.exterior).max() < 5


def test_the_province_is_the_common_ground_less_a_margin(pair, tmp_path):
    import_rasters(
        rasters=pair,
        name="place",
        province=tmp_path / "province.gpkg",
        counties=tmp_path / "counties.gpkg",
        county_count=3,
        margin_pixels=1,
    )
    province = gpd.read_file(tmp_path / "province.gpkg")
    counties = gpd.read_file(tmp_path / "counties.gpkg")
    # 900 x 450 m in common, less 5 m along every side; the UTM scale there is 0.9996.
    expected = 890 * 440 / 1e4 / 0.9996**2
    assert polygon_area_ha(province.geometry[0]) == pytest.approx(expected, rel=2e-4)
    assert counties["county_id"].tolist() == ["part_1", "part_2", "part_3"]
    union = shapely.union_all(counties.geometry)
    assert union.symmetric_difference(province.geometry[0]).area < 1e-12
    assert counties.bounds["minx"].is_monotonic_increasing


def test_the_same_rasters_give_the_same_bytes(pair, tmp_path):
    words = [*map(str, pair), "--name", "place", "--output"]
    for name in ("one", "two"):
        assert rasters.main([*words, str(tmp_path / name)]) == 0
    for layer in ("province.gpkg", "counties.gpkg"):
        assert (tmp_path / "one" / layer).read_bytes() == (tmp_path / "two" / layer).read_bytes()


def test_rasters_of_two_places_are_refused(tmp_path, capsys):
    paths = [
        raster(tmp_path / "a.tif", 486000, 5209000),
        raster(tmp_path / "b.tif", 586000, 5209000),
    ]
    words = [*map(str, paths), "--name", "place", "--output", str(tmp_path / "out")]
    assert rasters.main(words) == 1
    message = capsys.readouterr().err
    assert "no ground in common" in message
    assert "a.tif" in message
    assert "Traceback" not in message
    assert not (tmp_path / "out").exists()


def test_unusable_rasters_are_refused(tmp_path):
    small = raster(tmp_path / "s.tif", 486000, 5209000, width=2, height=2)
    with pytest.raises(InputError, match="smaller than its margins"):
        ground_of(small)
    with pytest.raises(InputError, match="cannot be opened"):
        ground_of(tmp_path / "absent.tif")


def test_importing_fields_without_data_is_one_message(tmp_path, capsys):
    words = ["--data-root", str(tmp_path), "--output", str(tmp_path / "out")]
    assert naip_fields.main(words) == 1
    message = capsys.readouterr().err
    assert "annotations" in message
    assert "does not exist" in message
    assert not (tmp_path / "out").exists()
