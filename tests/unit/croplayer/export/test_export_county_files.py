"""County files: ids that stay, what the files hold, faults that can be read."""

from __future__ import annotations

import tarfile

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from county_case import (
    BLOCKS,
    COL,
    GRID,
    WINDOW,
    landscape,
    run,
    slanted_counties,
    write_map,
)

from cropbase.errors import CompletenessError, InputError
from croplayer.export.polygons import polygon_ids


# ------------------------------------------------------------------ ids
def test_ids_are_unique_and_say_where_the_polygon_lies(tmp_path):
    polygons = run(tmp_path, landscape(7, 1.0)).polygons
    assert polygons["polygon_id"].is_unique
    for row in polygons.head(20).itertuples():
        county, place = row.polygon_id.split("-")
        assert county == row.county_id
        lon, lat = int(place[1:10]) / 1e6, int(place[11:]) / 1e6
        assert row.geometry.distance(shapely.Point(lon, lat)) < 1e-6


def test_an_id_stays_when_other_cropland_changes(tmp_path):
    codes = landscape(7)
    codes[:, :40] = 0
    changed = codes.copy()
    changed[:, :30] = landscape(8)[:, :30]
    one = set(run(tmp_path / "one", codes).polygons["polygon_id"])
    other = set(run(tmp_path / "other", changed).polygons["polygon_id"])
    assert one < other


def test_two_slivers_at_one_place_keep_different_ids():
    square = shapely.box(100, 20, 100 + 1e-8, 20 + 1e-8)
    smaller = shapely.box(100, 20, 100 + 1e-9, 20 + 1e-9)
    ids = polygon_ids("7", np.array([smaller, square]), np.array([1.0, 2.0]))
    assert ids == ["7-E100000000N20000000-2", "7-E100000000N20000000"]


# ------------------------------------------------------------------ files
def test_each_county_is_a_shapefile_named_by_city_and_county(tmp_path):
    case = run(tmp_path, landscape(5))
    with tarfile.open(case.archive) as tar:
        names = tar.getnames()
        tar.extractall(tmp_path / "out", filter="data")
    suffixes = (".cpg", ".dbf", ".prj", ".shp", ".shx")
    stems = ["province/cf_Q_Lower_East", "province/cf_广州市_上山"]
    assert names == [stem + suffix for stem in stems for suffix in suffixes]
    shapes = gpd.read_file(tmp_path / "out" / "province" / "cf_广州市_上山.shp")
    expected = case.polygons[case.polygons["county_id"] == "12"]
    assert shapes["city"].unique().tolist() == ["广州市"]
    assert shapes["polygon_id"].tolist() == expected["polygon_id"].tolist()
    assert shapes.crs.to_epsg() == 4326
    np.testing.assert_allclose(shapes["area_ha"], expected["area_ha"], rtol=1e-9)
    assert all(len(name) <= 10 for name in shapes.columns)


def test_the_geoparquet_holds_every_county_and_its_columns(tmp_path):
    polygons = run(tmp_path, landscape(5)).polygons
    assert polygons.columns.tolist() == [
        "polygon_id",
        "county_id",
        "county",
        "city",
        "area_ha",
        "geometry",
    ]
    assert sorted(polygons["county_id"].unique()) == ["07", "12"]
    assert polygons.crs.to_epsg() == 4326


def test_the_same_map_gives_the_same_bytes(tmp_path):
    codes = landscape(13)
    first, second = run(tmp_path / "1", codes), run(tmp_path / "2", codes)
    assert first.archive.read_bytes() == second.archive.read_bytes()


def test_a_province_without_cropland_writes_empty_files_and_tells(tmp_path, caplog):
    case = run(tmp_path, np.zeros((WINDOW.height, WINDOW.width), np.uint8))
    assert case.polygons.empty and "polygon_id" in case.polygons.columns
    assert "no county has cropland" in caplog.text
    with tarfile.open(case.archive) as tar:
        assert len(tar.getnames()) == 10


# ------------------------------------------------------------------ faults
def test_a_map_beside_the_grid_is_refused(tmp_path):
    codes = np.zeros((WINDOW.height, WINDOW.width), np.uint8)
    t = GRID.transform(WINDOW)
    moved = rasterio.Affine(t.a, 0, t.c + t.a / 3, 0, t.e, t.f)
    path = write_map(tmp_path / "moved.tif", codes, WINDOW, transform=moved)
    with pytest.raises(InputError, match=r"moved.tif is not on the global pixel grid"):
        run(tmp_path, codes, maps=[path])


def test_unknown_codes_are_refused(tmp_path):
    codes = np.full((WINDOW.height, WINDOW.width), 7, np.uint8)
    with pytest.raises(InputError, match=r"holds unknown values\n  given: 7"):
        run(tmp_path, codes)


def test_overlapping_maps_are_refused(tmp_path):
    codes = np.zeros((WINDOW.height, WINDOW.width), np.uint8)
    paths = [write_map(tmp_path / f"{name}.tif", codes, WINDOW) for name in "ab"]
    with pytest.raises(InputError, match=r"a.tif and .*b.tif overlap"):
        run(tmp_path, codes, maps=paths)


def test_a_missing_shard_is_named_by_its_blocks(tmp_path):
    codes = np.zeros((WINDOW.height, WINDOW.width), np.uint8)
    half = GRID.shard_window([b for b in BLOCKS if b.col < COL + 2])
    path = write_map(tmp_path / "half.tif", codes[half.relative_to(WINDOW)], half)
    with pytest.raises(CompletenessError, match=r"lacks block E11202N2397 and 5 more"):
        run(tmp_path, codes, maps=[path])
    assert not (tmp_path / "counties.parquet").exists()


def test_a_missing_attribute_names_those_there_are(tmp_path):
    codes = np.zeros((WINDOW.height, WINDOW.width), np.uint8)
    with pytest.raises(InputError, match=r"no attribute district\n  allowed: code, name, town"):
        run(tmp_path, codes, fields=("code", "district", "town"))


def test_an_invalid_county_is_named(tmp_path):
    counties = slanted_counties()
    bow = shapely.Polygon([(112, 23.97), (112.01, 24), (112.01, 23.97), (112, 24)])
    counties = counties.set_geometry([bow, counties.geometry.iloc[1]])
    codes = np.zeros((WINDOW.height, WINDOW.width), np.uint8)
    with pytest.raises(InputError, match=r"county 12 \(上山\) is invalid"):
        run(tmp_path, codes, counties=counties)


def test_counties_without_crs_are_refused(tmp_path):
    codes = np.zeros((WINDOW.height, WINDOW.width), np.uint8)
    counties = slanted_counties().set_crs(None, allow_override=True)
    with pytest.raises(InputError, match="has no coordinate reference system"):
        run(tmp_path, codes, counties=counties)
