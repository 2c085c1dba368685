"""The generated province keeps its contract."""

from __future__ import annotations

import io
import json
import sqlite3

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
from PIL import Image
from rasterio import features
from rasterio.warp import Resampling, reproject

from cropbase.areas import mask_area_ha
from cropbase.errors import ConfigError
from croplayer.demo.canvas import Canvas
from croplayer.demo.generate import generate_province
from croplayer.demo.landcover import COLOURS, LandCover, is_cropland
from croplayer.demo.landscape import make_landscape
from croplayer.demo.province import make_province
from croplayer.demo.terrain import make_relief
from croplayer.grid import BlockGrid
from croplayer.settings.demo import DemoSettings


def read(path):
    with rasterio.open(path) as dataset:
        return dataset.read(1), dataset.transform


def read_mosaic(path, zoom):
    """All tiles of an MBTiles as one RGBA array, with its EPSG:3857 transform."""
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT tile_column, tile_row, tile_data FROM tiles").fetchall()
    tiles = {(x, 2**zoom - 1 - y): Image.open(io.BytesIO(d)).convert("RGBA") for x, y, d in rows}
    left, top = min(x for x, _ in tiles), min(y for _, y in tiles)
    wide, high = max(x for x, _ in tiles) - left + 1, max(y for _, y in tiles) - top + 1
    mosaic = np.zeros((high * 256, wide * 256, 4), np.uint8)
    for (x, y), tile in tiles.items():
        row, col = (y - top) * 256, (x - left) * 256
        mosaic[row : row + 256, col : col + 256] = np.asarray(tile)
    half = 20037508.342789244
    size = 2 * half / 2**zoom / 256
    transform = rasterio.Affine(
        size, 0, left * 256 * size - half, 0, -size, half - top * 256 * size
    )
    return mosaic, transform


def test_the_same_seed_gives_the_same_bytes(small, remake, tmp_path):
    remake(tmp_path)
    names = sorted(p.relative_to(small.folder) for p in small.folder.rglob("*") if p.is_file())
    assert len(names) == 18
    for name in names:
        assert (small.folder / name).read_bytes() == (tmp_path / name).read_bytes(), name


def test_another_seed_gives_another_truth():
    grid = BlockGrid(0.05, 144, 0.2)
    truths = []
    for seed in (7, 8):
        settings = DemoSettings(seed=seed, blocks_wide=2, blocks_high=2, margin_pixels=64, zoom=12)
        canvas = Canvas.from_settings(settings, grid)
        truths.append(make_landscape(canvas, make_relief(canvas, seed), seed).cropland)
    assert (truths[0] != truths[1]).mean() > 0.1


def test_truth_is_the_cropland_of_the_land_cover(small):
    truth, transform = read(small.folder / "truth.tif")
    cover, _ = read(small.folder / "landcover.tif")
    assert set(np.unique(cover)) <= {int(code) for code in LandCover}
    cropland = [1, 2, 3, 4, 5, 6]
    np.testing.assert_array_equal(truth, np.isin(cover, cropland))
    assert 0.2 < truth.mean() < 0.65
    assert transform.c == 112.0
    assert transform.f == pytest.approx(24.0 + 4 * 0.05, abs=1e-9)
    assert truth.shape == (4 * 144, 6 * 144)


def test_orchards_are_not_cropland_and_all_classes_have_a_colour():
    codes = np.array([int(code) for code in LandCover], np.uint8)
    cropland = {LandCover(c) for c in codes[is_cropland(codes)].tolist()}
    assert LandCover.ORCHARD not in cropland
    assert LandCover.GREENHOUSE in cropland
    assert LandCover.FALLOW in cropland
    assert set(COLOURS) == set(LandCover)


def test_mountain_blocks_are_without_cropland_and_the_plain_is_full_of_it(small):
    truth, _ = read(small.folder / "truth.tif")
    share = truth.reshape(4, 144, 6, 144).mean(axis=(1, 3))
    assert share[:, 0].min() < 0.001
    assert share[:, 0].max() < 0.2
    assert share[:, 4:].mean() > 0.5


def test_official_area_is_the_true_area_with_the_stated_deviation(small):
    truth, transform = read(small.folder / "truth.tif")
    province = gpd.read_file(small.folder / "province.gpkg").geometry[0]
    outside = features.geometry_mask([province], truth.shape, transform)
    area = mask_area_ha((truth == 1) & ~outside, transform)
    official = json.loads((small.folder / "official_area.json").read_text())
    deviation = official["official_area_ha"] / area - 1
    assert 0.0199 < abs(deviation) < 0.0301
    assert "GENERATED" in official["origin"]
    table = pd.read_csv(small.folder / "official_area.csv")
    assert table.loc[0, "province"] == "demo"
    assert table.loc[0, "area_ha"] == official["official_area_ha"]
    assert "generated" in table.loc[0, "source"]


def test_counties_share_the_province_without_gap_or_overlap(small):
    province = gpd.read_file(small.folder / "province.gpkg").geometry[0]
    counties = gpd.read_file(small.folder / "counties.gpkg")
    assert list(counties["county"]) == ["Westhill", "Eastfield"]
    assert set(counties["city"]) == {"Demo"}
    assert counties.is_valid.all()
    west, east = counties.geometry
    assert west.intersection(east).area == pytest.approx(0, abs=1e-12)
    assert west.union(east).symmetric_difference(province).area == pytest.approx(0, abs=1e-10)
    assert west.centroid.x < east.centroid.x


@pytest.mark.parametrize("seed", [1, 2, 3, 20])
def test_default_province_lies_in_its_bounds_and_has_the_blocks_of_a_demo(seed):
    grid = BlockGrid(0.05, 576, 0.2)
    province = make_province(Canvas.from_settings(DemoSettings(seed=seed), grid), seed)
    west, south, east, north = province.polygon.bounds
    assert (west > 112.0, south > 24.0, east < 112.4, north < 24.3) == (True,) * 4
    assert 36 <= len(province.blocks) <= 48
    assert len(grid.shards(province.blocks)) == 4


def test_dem_covers_the_imagery_with_a_margin(small):
    with rasterio.open(small.folder / "dem.tif") as dem:
        height, bounds = dem.read(1), dem.bounds
        assert dem.nodata == -32768
        assert dem.crs.to_epsg() == 4326
        assert dem.transform.a == pytest.approx(1 / 3600)
    margin = 64 * 0.05 / 144
    assert bounds.left < 112.0 - margin
    assert bounds.bottom < 24.0 - margin
    assert bounds.right > 112.3 + margin
    assert bounds.top > 24.2 + margin
    assert 10 < height.min() < 40
    assert 600 < height.max() < 1200


def test_every_block_and_source_has_one_coverage_type(small):
    table = pd.read_csv(small.folder / "labels" / "coverage.csv")
    province = gpd.read_file(small.folder / "province.gpkg").geometry[0]
    blocks = {small.grid.block_id(b) for b in small.grid.blocks_touching(province)}
    assert not table.duplicated(["block_id", "source"]).any()
    assert set(table["block_id"]) == blocks
    assert len(table) == 2 * len(blocks)
    counts = table.groupby(["source", "coverage_type"]).size()
    assert counts["summer", "cloudy"] == 2
    assert counts["winter", "cloudy"] == 1
    assert counts["winter", "snow_ice"] == 1
    assert counts["summer", "nodata"] == 1
    assert counts["winter", "nodata"] == 1
    bad = table[~table["coverage_type"].isin(["planting", "non_planting"])]
    assert not bad["block_id"].duplicated().any(), "a block is disturbed in both sources"


def test_disturbances_cover_most_of_their_blocks(small):
    table = pd.read_csv(small.folder / "labels" / "coverage.csv")
    for source in small.settings.sources:
        mosaic, mercator = read_mosaic(small.folder / "imagery" / f"{source}.mbtiles", 12)
        for row in table[table["source"] == source].itertuples():
            image = np.zeros((4, 144, 144), np.uint8)
            window = small.grid.block_window(small.grid.parse_block_id(row.block_id))
            reproject(
                np.moveaxis(mosaic, 2, 0),
                image,
                src_transform=mercator,
                src_crs="EPSG:3857",
                dst_transform=small.grid.transform(window),
                dst_crs="EPSG:4326",
                resampling=Resampling.nearest,
            )
            missing = (image[3] == 0).mean()
            white = (image[:3].min(axis=0) > 150).mean()
            if row.coverage_type == "nodata":
                assert missing > 0.6
            elif row.coverage_type in ("cloudy", "snow_ice"):
                assert white > 0.6, row
            else:
                assert missing < 0.4
                assert white < 0.4, row


def test_imagery_lies_where_the_truth_lies(small):
    """Water is dark and blue in the planting season: warped back, it must fall on water."""
    cover, transform = read(small.folder / "landcover.tif")
    mosaic, mercator = read_mosaic(small.folder / "imagery" / "summer.mbtiles", 12)
    image = np.zeros((4, *cover.shape), np.uint8)
    reproject(
        np.moveaxis(mosaic, 2, 0),
        image,
        src_transform=mercator,
        src_crs="EPSG:3857",
        dst_transform=transform,
        dst_crs="EPSG:4326",
        resampling=Resampling.bilinear,
    )
    red, green, blue, alpha = image.astype(np.int16)
    blueness = np.where(alpha > 0, blue - (red + green) / 2, 0)
    water = (cover == LandCover.WATER).astype(np.float64)
    best, found = -1.0, None
    for dy in range(-3, 4):
        for dx in range(-3, 4):
            moved = np.roll(water, (dy, dx), (0, 1))
            score = np.corrcoef(moved[8:-8, 8:-8].ravel(), blueness[8:-8, 8:-8].ravel())[0, 1]
            if score > best:
                best, found = score, (dy, dx)
    assert found == (0, 0)


def test_mbtiles_say_that_they_are_generated(small):
    with sqlite3.connect(small.folder / "imagery" / "winter.mbtiles") as connection:
        metadata = dict(connection.execute("SELECT name, value FROM metadata").fetchall())
    assert "generated" in metadata["name"]
    assert "Generated" in metadata["attribution"]
    assert metadata["format"] == "png"
    assert metadata["minzoom"] == metadata["maxzoom"] == "12"
    with rasterio.open(small.folder / "truth.tif") as truth:
        assert "Generated" in truth.tags()["ORIGIN"]


def test_settings_that_do_not_fit_are_refused_by_name(tmp_path):
    with pytest.raises(ConfigError, match=r"demo\.zoom does not fit"):
        generate_province(tmp_path, settings=DemoSettings(zoom=17), grid=BlockGrid(0.05, 576, 0.2))
    with pytest.raises(ConfigError, match="corner of a block"):
        generate_province(
            tmp_path, settings=DemoSettings(west_degrees=112.01), grid=BlockGrid(0.05, 576, 0.2)
        )
    with pytest.raises(ConfigError, match="pixels_per_block is too small"):
        generate_province(tmp_path, settings=DemoSettings(zoom=10), grid=BlockGrid(0.05, 36, 0.2))
    assert not any(tmp_path.iterdir())


def test_two_sources_of_one_name_are_refused():
    with pytest.raises(ValueError, match="two names"):
        DemoSettings(sources=("one", "one"))
