"""The province level: scenarios and counties against pixels as polygons on the ellipsoid."""

from __future__ import annotations

import json

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from pyproj import Geod

from cropbase.errors import ConfigError, InputError
from croplayer.validation.province import compare_area, validate_province


@pytest.fixture
def region(province):
    """A slanted province that leaves out parts of all blocks."""
    return shapely.affinity.rotate(province.box(12.3, 9.1, 99, 107), 11)


@pytest.fixture
def counties(province):
    """Two counties parted by a slanted line, and a strip without any county."""
    whole = province.box(25.3, -30, 150, 188)
    line = shapely.affinity.rotate(province.box(-200, 61.3, 600, 400), 8)
    return gpd.GeoDataFrame(
        {"county_id": ["1", "2"], "county": ["West", "East"], "city": ["", ""]},
        geometry=[whole.difference(line), whole.intersection(line)],
        crs=4326,
    )


def run(province, region, tmp_path, official=1000.0, masks=("google", "mapbox"), **changes):
    output = tmp_path / "province.json"
    given = {"maps": province.maps["integrated"]} | changes
    validate_province(
        masks={name: province.maps[name] for name in masks},
        blocks=province.plan,
        boundary=region,
        grid=province.grid,
        official_area_ha=official,
        output=output,
        **given,
    )
    return json.loads(output.read_text())


def pixel_hectares(province):
    """(128, 128) hectares of each pixel as a polygon on the WGS 84 ellipsoid."""
    t = province.transform
    geod = Geod(ellps="WGS84")
    column = []
    for r in range(128):
        north, south = t.f + r * t.e, t.f + (r + 1) * t.e
        lon = [t.c, t.c, t.c + t.a, t.c + t.a]
        area, _ = geod.polygon_area_perimeter(lon, [north, south, south, north])
        column.append(abs(area) / 10_000)
    return np.repeat(np.array(column)[:, np.newaxis], 128, axis=1)


def masks_of(province):
    a, b = province.arrays["google"], province.arrays["mapbox"]
    i = province.arrays["integrated"]
    return {
        "only_google": (a == 1, a == 255),
        "only_mapbox": (b == 1, b == 255),
        "merge_both": ((a == 1) | (b == 1), (a == 255) & (b == 255)),
        "integrated": (i == 1, i >= 254),
    }


def test_four_scenarios_equal_pixels_on_the_ellipsoid(province, region, tmp_path):
    result = run(province, region, tmp_path)
    inside = shapely.contains_xy(region, *province.centres())
    hectares = pixel_hectares(province)
    assert result["inside_ha"] == pytest.approx(hectares[inside].sum(), rel=1e-6)
    assert list(result["scenarios"]) == ["only_google", "only_mapbox", "merge_both", "integrated"]
    for name, (crop, unknown) in masks_of(province).items():
        found = result["scenarios"][name]
        area = hectares[inside & crop].sum()
        assert found["cropland_ha"] == pytest.approx(area, rel=1e-6)
        assert found["unusable_ha"] == pytest.approx(hectares[inside & unknown].sum(), rel=1e-6)
        assert found["ratio"] == pytest.approx(area / 1000)
        assert found["agreement"] == pytest.approx(min(area / 1000, 1000 / area))
        assert found["mapped_ha"] + found["unusable_ha"] == pytest.approx(result["inside_ha"])


def test_a_row_a_block_equals_its_pixels(province, region, tmp_path):
    run(province, region, tmp_path, blocks_output=tmp_path / "blocks.parquet")
    table = pd.read_parquet(tmp_path / "blocks.parquet").set_index("block_id")
    inside = shapely.contains_xy(region, *province.centres())
    hectares = pixel_hectares(province)
    crop, unknown = masks_of(province)["integrated"]
    n = province.grid.pixels_per_block
    for block_id, row in table.iterrows():
        block = province.grid.parse_block_id(block_id)
        window = province.grid.block_window(block)
        left, top = province.grid.window_bounds(window)[0], province.grid.window_bounds(window)[3]
        r = round((top - province.transform.f) / province.transform.e)
        c = round((left - province.transform.c) / province.transform.a)
        here = np.zeros_like(inside)
        here[r : r + n, c : c + n] = inside[r : r + n, c : c + n]
        assert row["inside_ha"] == pytest.approx(hectares[here].sum(), rel=1e-6)
        assert row["integrated_ha"] == pytest.approx(hectares[here & crop].sum(), rel=1e-6)
        assert row["integrated_unusable_ha"] == pytest.approx(hectares[here & unknown].sum())
    assert len(table) == 4


@pytest.mark.parametrize("by_pixel", [False, True])
def test_counties_sum_to_the_province(province, region, counties, tmp_path, by_pixel):
    result = run(province, region, tmp_path, counties=counties if by_pixel else None)
    assert result["counties_by"] == ("pixel" if by_pixel else "block")
    for name, scenario in result["scenarios"].items():
        parts = [c["scenarios"][name]["cropland_ha"] for c in result["counties"]]
        assert sum(parts) == pytest.approx(scenario["cropland_ha"])
    assert sum(c["inside_ha"] for c in result["counties"]) == pytest.approx(result["inside_ha"])


def test_counties_are_exact_to_the_pixel(province, region, counties, tmp_path):
    result = run(province, region, tmp_path, counties=counties)
    x, y = province.centres()
    inside = shapely.contains_xy(region, x, y)
    hectares = pixel_hectares(province)
    rest = inside.copy()
    for row in result["counties"][1:]:
        polygon = counties.set_index("county_id").geometry[row["county_id"]]
        part = inside & shapely.contains_xy(polygon, x, y)
        rest &= ~part
        area = hectares[part & (province.arrays["google"] == 1)].sum()
        assert row["scenarios"]["only_google"]["cropland_ha"] == pytest.approx(area, rel=1e-6)
    # What no county holds is told and not lost.
    assert result["counties"][0]["county_id"] == ""
    assert result["counties"][0]["inside_ha"] == pytest.approx(hectares[rest].sum()) != 0


def test_no_county_without_name_where_counties_cover_the_province(province, tmp_path, counties):
    result = run(province, province.box(40, 10, 60, 90), tmp_path, counties=counties)
    assert [c["county_id"] for c in result["counties"]] == ["1", "2"]


def test_blocks_give_their_county_without_polygons(province, region, tmp_path):
    result = run(province, region, tmp_path)
    inside = shapely.contains_xy(region, *province.centres())
    west = pixel_hectares(province)[:, :64][inside[:, :64]].sum()
    assert [c["county"] for c in result["counties"]] == ["West", "East"]
    assert result["counties"][0]["inside_ha"] == pytest.approx(west, rel=1e-6)


def test_one_source_has_one_scenario(province, region, tmp_path):
    result = run(province, region, tmp_path, masks=("google",), maps=[])
    assert list(result["scenarios"]) == ["only_google"]


def test_without_official_area_nothing_is_compared(province, region, tmp_path, caplog):
    result = run(province, region, tmp_path, official=None)
    assert result["assessed"] is False
    for scenario in result["scenarios"].values():
        assert scenario["cropland_ha"] > 0
        assert scenario["ratio"] is scenario["agreement"] is scenario["within_tolerance"] is None
    assert "not assessed" in caplog.text


@pytest.mark.parametrize("official", [0.0, -3.0, float("nan")])
def test_an_official_area_that_is_no_area_is_refused(province, region, tmp_path, official):
    with pytest.raises(ConfigError, match="official_area_ha is not a positive area"):
        run(province, region, tmp_path, official=official)
    assert not (tmp_path / "province.json").exists()


@pytest.mark.parametrize(
    ("area", "ratio", "agreement", "within"),
    [(80, 0.8, 0.8, False), (125, 1.25, 0.8, False), (109, 1.09, 1 / 1.09, True), (0, 0, 0, False)],
)
def test_too_large_and_too_small_disagree_alike(area, ratio, agreement, within):
    found = compare_area(area, 100.0, 0.1)
    assert found["ratio"] == pytest.approx(ratio)
    assert found["agreement"] == pytest.approx(agreement)
    assert found["within_tolerance"] is within


def test_files_of_boundary_and_counties_are_read(province, region, counties, tmp_path):
    direct = run(province, region, tmp_path, counties=counties)
    gpd.GeoDataFrame(geometry=[region], crs=4326).to_file(tmp_path / "province.gpkg")
    named = counties.rename(columns={"county_id": "code"})
    named.to_file(tmp_path / "counties.gpkg")
    again = run(
        province,
        tmp_path / "province.gpkg",
        tmp_path,
        counties=tmp_path / "counties.gpkg",
        county_fields=("code", "county", "city"),
    )
    assert again == direct


def test_an_absent_boundary_is_named(province, tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.gpkg does not exist"):
        run(province, tmp_path / "nowhere.gpkg", tmp_path)


def test_the_interval_of_the_agreement_is_that_of_blocks_drawn_again(province, region, tmp_path):
    result = run(province, region, tmp_path, official=1000.0)
    inside = shapely.contains_xy(region, *province.centres())
    hectares = np.where(inside & (province.arrays["google"] == 1), pixel_hectares(province), 0)
    # The four blocks are the quarters of the arrays.
    blocks = np.array([hectares[r : r + 64, c : c + 64].sum() for r in (0, 64) for c in (0, 64)])
    # All 256 ways to draw four blocks out of four.
    every = np.array(np.meshgrid(*[blocks] * 4)).reshape(4, -1).sum(axis=0) / 1000
    agreement = np.minimum(every, 1 / every)
    low, high = result["scenarios"]["only_google"]["agreement_interval_95"]
    found = result["scenarios"]["only_google"]["agreement"]
    assert low <= found <= 1
    # Between the percentiles next to 2.5 and 97.5, which 2000 drawings cannot leave.
    edges = np.quantile(agreement, [0.015, 0.035, 0.965, 0.985])
    assert edges[0] - 1e-9 <= low <= edges[1] + 1e-9
    assert edges[2] - 1e-9 <= high <= edges[3] + 1e-9


def test_without_official_area_there_is_no_interval(province, region, tmp_path):
    result = run(province, region, tmp_path, official=None)
    assert {s["agreement_interval_95"] for s in result["scenarios"].values()} == {None}
