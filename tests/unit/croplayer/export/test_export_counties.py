"""County files: areas balance, borders fit, nothing depends on shards, pixels and polygons agree."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import shapely
from county_case import (
    EXACT,
    GRID,
    PIXEL_HA,
    WINDOW,
    balance,
    landscape,
    overlap_ha,
    run,
    slanted_counties,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cropbase.areas import mask_area_ha, polygon_area_ha, polygon_areas_ha
from croplayer.grid import BlockGrid
from croplayer.settings.export import ExportSettings


# ------------------------------------------------------------------ areas
def test_a_rectangle_of_pixels_has_its_area_but_for_the_corners(tmp_path):
    codes = np.zeros((WINDOW.height, WINDOW.width), np.uint8)
    codes[10:50, 20:100] = 1  # across four blocks and two shards
    case = run(tmp_path, codes, counties=slanted_counties().dissolve().reset_index())
    # Each corner loses an eighth of a pixel.
    expected = mask_area_ha(codes, GRID.transform(WINDOW)) - 4 / 8 * PIXEL_HA
    assert len(case.polygons) == 1
    assert case.polygons["area_ha"].sum() == pytest.approx(expected, rel=1e-6)
    assert case.table["raster_ha"].sum() == pytest.approx(expected + PIXEL_HA / 2, rel=1e-6)


@pytest.mark.parametrize("smooth", [1.0, 1.5])
def test_every_hectare_is_accounted_for(tmp_path, smooth):
    codes = landscape(4, smooth)
    config = ExportSettings(min_area_ha=30 * PIXEL_HA, fill_holes_ha=20 * PIXEL_HA)
    case = run(tmp_path, codes, config=config)
    np.testing.assert_allclose(balance(case.table), 0, atol=5e-6)
    assert case.table["raster_ha"].sum() == pytest.approx(
        mask_area_ha(codes == 1, GRID.transform(WINDOW)), rel=1e-6
    )
    assert (case.table["removed_small_ha"] > 0).any()
    assert (case.table["filled_holes_ha"] > 0).any()
    sums = case.polygons.groupby("county_id")["area_ha"].sum()
    by_id = case.table.set_index("county_id")["polygon_ha"]
    np.testing.assert_allclose(sums[by_id.index], by_id, atol=1e-6)


def test_simplifying_changes_the_area_by_less_than_one_percent(tmp_path):
    config = ExportSettings(min_area_ha=0, fill_holes_ha=0)
    table = run(tmp_path, landscape(8, 4.0), config=config).table
    change = table["simplification_difference_ha"].sum() / table["raster_ha"].sum()
    assert abs(change) < 0.01


def test_areas_are_those_of_the_ellipsoid(tmp_path):
    counties = slanted_counties()  # short edges: a long one is no geodesic
    counties = counties.set_geometry(counties.geometry.segmentize(0.0005))
    case = run(tmp_path, landscape(1), counties=counties)
    expected = [polygon_area_ha(polygon) for polygon in case.polygons.geometry]
    np.testing.assert_allclose(case.polygons["area_ha"], expected, rtol=1e-6)


def test_unusable_and_unmapped_pixels_are_counted_apart(tmp_path):
    codes = landscape(2)
    codes[:20, :30] = 254
    codes[70:, 90:] = 255
    table = run(tmp_path, codes).table
    transform = GRID.transform(WINDOW)
    for column, code in (("unusable_ha", 254), ("unmapped_ha", 255), ("raster_ha", 1)):
        expected = mask_area_ha(codes == code, transform)
        assert table[column].sum() == pytest.approx(expected, rel=1e-6), column


def test_cropland_in_no_county_is_told_in_a_row_of_its_own(tmp_path, caplog):
    counties = slanted_counties().iloc[[0]]
    codes = landscape(2)
    case = run(tmp_path, codes, counties=counties)
    row = case.table[case.table["county"] == "(outside every county)"]
    assert len(row) == 1 and row["raster_ha"].item() > 0
    assert "lie in no county" in caplog.text
    total = mask_area_ha(codes == 1, GRID.transform(WINDOW))
    assert case.table["raster_ha"].sum() == pytest.approx(total, rel=1e-6)


# ------------------------------------------------------------------ geometry
@pytest.mark.parametrize("config", [EXACT, ExportSettings(), ExportSettings(tolerance_pixels=2)])
def test_polygons_are_valid_and_share_no_area(tmp_path, config):
    case = run(tmp_path, landscape(11, 1.0), config=config)
    geometry = case.polygons.geometry.to_numpy()
    assert len(geometry) > 20
    assert shapely.is_valid(geometry).all()
    assert (shapely.get_type_id(geometry) == shapely.GeometryType.POLYGON).all()
    assert overlap_ha(geometry) < 1e-9


def test_halves_of_a_field_on_a_county_border_fit_exactly(tmp_path):
    """The two counties' polygons together are those of both counties as one."""
    codes, config = landscape(6), ExportSettings(min_area_ha=PIXEL_HA * 25)
    two = run(tmp_path / "two", codes, config=config)
    one = run(
        tmp_path / "one", codes, config=config, counties=slanted_counties().dissolve().reset_index()
    )
    together = shapely.union_all(two.polygons.geometry.to_numpy())
    whole = shapely.union_all(one.polygons.geometry.to_numpy())
    assert polygon_areas_ha([together.symmetric_difference(whole)])[0] < 1e-7
    assert two.polygons["area_ha"].sum() == pytest.approx(one.polygons["area_ha"].sum(), rel=1e-9)


def test_pixels_are_cropland_exactly_where_polygons_are(tmp_path):
    """Without simplifying, every pixel centre agrees: no gap and no seam anywhere."""
    codes = landscape(9, 1.0)
    case = run(tmp_path, codes)
    rows, cols = np.indices(codes.shape)
    lon, lat = _centres(rows, cols)
    everything = shapely.union_all(case.polygons.geometry.to_numpy())
    shapely.prepare(everything)
    np.testing.assert_array_equal(shapely.contains_xy(everything, lon, lat), codes == 1)


def _centres(rows, cols):
    t = GRID.transform(WINDOW)
    return t.c + t.a * (cols + 0.5), t.f + t.e * (rows + 0.5)


def test_a_polygon_across_all_shards_is_one_polygon(tmp_path):
    codes = np.zeros((WINDOW.height, WINDOW.width), np.uint8)
    codes[40:44, :] = 1
    codes[:, 60:64] = 1
    case = run(tmp_path, codes, counties=slanted_counties().dissolve().reset_index())
    assert len(case.polygons) == 1


def test_cropland_that_meets_at_a_corner_is_two_valid_polygons(tmp_path):
    codes = np.zeros((WINDOW.height, WINDOW.width), np.uint8)
    codes[10:20, 10:20] = 1
    codes[20:30, 20:30] = 1
    case = run(tmp_path, codes)
    assert len(case.polygons) == 2
    assert case.polygons.is_valid.all()


def test_islands_in_a_filled_hole_are_not_counted_twice(tmp_path):
    codes = np.zeros((WINDOW.height, WINDOW.width), np.uint8)
    codes[5:45, 5:45] = 1
    codes[15:35, 15:35] = 0  # a hole of 400 pixels
    codes[20:30, 20:30] = 1  # with an island of 100 pixels
    config = ExportSettings(
        tolerance_pixels=0, min_area_ha=50 * PIXEL_HA, fill_holes_ha=500 * PIXEL_HA
    )
    whole = slanted_counties().dissolve().reset_index()
    case = run(tmp_path, codes, config=config, counties=whole)
    assert len(case.polygons) == 1
    assert shapely.get_num_interior_rings(case.polygons.geometry.iloc[0]) == 0
    np.testing.assert_allclose(balance(case.table), 0, atol=5e-6)
    assert case.polygons["area_ha"].sum() == pytest.approx(1600 * PIXEL_HA, rel=1e-3)


def test_no_polygon_inside_a_county_is_smaller_than_the_least_area(tmp_path):
    config = ExportSettings(min_area_ha=40 * PIXEL_HA, fill_holes_ha=0)
    whole = slanted_counties().dissolve().reset_index()
    case = run(tmp_path, landscape(3, 1.5), config=config, counties=whole)
    assert case.polygons["area_ha"].min() >= 40 * PIXEL_HA


@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    seed=st.integers(0, 10**6),
    smooth=st.sampled_from([0.0, 1.0, 3.0]),
    shard_degrees=st.sampled_from([0.01, 0.03, 0.05]),
)
def test_the_result_does_not_depend_on_the_shards(tmp_path_factory, seed, smooth, shard_degrees):
    codes = landscape(seed, smooth)
    other = BlockGrid(GRID.block_degrees, GRID.pixels_per_block, shard_degrees)
    config = ExportSettings()
    a = run(tmp_path_factory.mktemp("a"), codes, config=config)
    b = run(tmp_path_factory.mktemp("b"), codes, config=config, grid=other)
    pd.testing.assert_frame_equal(a.table, b.table)
    for name in ("counties.parquet", "province.tar.gz", "areas.csv"):
        assert (a.folder / name).read_bytes() == (b.folder / name).read_bytes(), name
