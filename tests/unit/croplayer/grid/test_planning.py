"""The plan: every block once, the county with most of it, areas that add up."""

import geopandas as gpd
import pytest
import shapely

from cropbase.areas import polygon_area_ha
from cropbase.errors import CompletenessError, InputError
from croplayer.grid import BlockGrid
from croplayer.grid.planning import plan_blocks, planned, read_plan
from croplayer.grid.regions import read_counties, read_layer, read_region

GRID = BlockGrid(shard_degrees=0.1)
REGION = shapely.box(112.0, 24.0, 112.17, 24.13)


@pytest.fixture
def counties():
    return gpd.GeoDataFrame(
        {"county_id": ["1", "2"], "county": ["West", "East"], "city": ["C", "C"]},
        geometry=[shapely.box(111.9, 23.9, 112.08, 24.3), shapely.box(112.08, 23.9, 112.3, 24.3)],
        crs=4326,
    )


@pytest.fixture
def table(tmp_path, counties):
    output = tmp_path / "blocks.parquet"
    return plan_blocks(
        province="p", region=REGION, counties=counties, grid=GRID, output=output
    ), output


def test_plan_holds_every_block_once(table):
    frame, output = table
    assert len(frame) == 4 * 3
    assert frame["block_id"].is_unique
    assert planned(read_plan(output)) == GRID.blocks_touching(REGION)


def test_areas_inside_add_up_to_the_province(table):
    # A densified outline: parallels are no geodesics.
    whole = polygon_area_ha(shapely.segmentize(REGION, 0.001))
    assert table[0]["inside_ha"].sum() == pytest.approx(whole, rel=1e-6)


def test_a_block_belongs_to_the_county_with_most_of_it(table):
    frame = table[0].set_index("block_id")
    # 112.05-112.10 is cut at 112.08: three fifths lie in the west.
    assert frame.loc["E11205N2405", "county"] == "West"
    assert frame.loc["E11210N2405", "county"] == "East"


def test_a_shard_that_is_not_planned_is_named(table):
    with pytest.raises(CompletenessError, match="E00000N0000"):
        read_plan(table[1], shard_id="E00000N0000")


def write(frame, path):
    frame.to_file(path)
    return path


def test_counties_without_the_attribute_are_refused(tmp_path, counties):
    path = write(counties, tmp_path / "c.gpkg")
    with pytest.raises(InputError, match="no attribute NAME") as caught:
        read_counties(path, fields=("county_id", "NAME", "city"))
    assert "county_id, county, city" in str(caught.value)


def test_doubled_counties_are_refused(tmp_path, counties):
    path = write(counties.assign(county_id="1"), tmp_path / "c.gpkg")
    with pytest.raises(InputError, match="not unique"):
        read_counties(path, fields=("county_id", "county", "city"))


def test_a_file_without_crs_is_refused(tmp_path, counties):
    path = write(counties.set_crs(None, allow_override=True), tmp_path / "c.gpkg")
    with pytest.raises(InputError, match="no coordinate reference system"):
        read_layer(path)


def test_another_crs_is_reprojected_and_told(tmp_path, counties, caplog):
    path = write(counties.to_crs(3857), tmp_path / "c.gpkg")
    frame = read_layer(path)
    assert "reprojected" in caplog.text
    assert frame.total_bounds == pytest.approx([111.9, 23.9, 112.3, 24.3], abs=1e-9)


def test_an_invalid_province_names_the_file_and_the_place(tmp_path):
    bow = shapely.Polygon([(112, 24), (112.1, 24.1), (112.1, 24), (112, 24.1)])
    frame = gpd.GeoDataFrame(geometry=[bow], crs=4326)
    path = write(frame, tmp_path / "p.gpkg")
    with pytest.raises(InputError, match=r"p\.gpkg.*invalid geometry") as caught:
        read_region(path)
    assert "Self-intersection" in str(caught.value)


def test_an_invalid_county_is_refused_or_mended_as_asked(tmp_path, counties, caplog):
    # A spike out of the east side: it holds no area.
    spiked = [(111.9, 23.9), (112.08, 23.9), (112.08, 24), (112.2, 24), (112.08, 24), (112, 24.3)]
    counties.loc[0, "geometry"] = shapely.Polygon(spiked)
    path = write(counties, tmp_path / "c.gpkg")
    fields = ("county_id", "county", "city")
    with pytest.raises(InputError, match=r"county 1 \(West\) is invalid") as caught:
        read_counties(path, fields=fields)
    assert "repair_counties" in str(caught.value)
    mended = read_counties(path, fields=fields, repair=True)
    assert mended.geometry.is_valid.all() and mended.geometry[0].geom_type == "Polygon"
    assert "county 1 (West) is mended" in caplog.text
    plain = shapely.Polygon([*spiked[:3], (112, 24.3)])
    assert mended.geometry[0].equals(plain)


def test_a_query_without_a_match_is_refused(tmp_path, counties):
    path = write(counties, tmp_path / "c.gpkg")
    with pytest.raises(InputError, match="no feature with county = 'North'"):
        read_region(path, query=("county", "North"))
