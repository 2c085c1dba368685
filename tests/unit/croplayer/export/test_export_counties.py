"""County files: areas balance, borders fit, nothing depends on shards, faults are readable."""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from cropbase.areas import mask_area_ha, polygon_area_ha, polygon_areas_ha
from cropbase.errors import CompletenessError, InputError
from croplayer.export import export_counties
from croplayer.export.polygons import polygon_ids
from croplayer.grid import Block, BlockGrid
from croplayer.settings.export import ExportSettings

GRID = BlockGrid(block_degrees=0.01, pixels_per_block=32, shard_degrees=0.02)
ROW, COL = (9000 - 2400), (18000 + 11200)
"""Blocks south and east of 24 N, 112 E."""
BLOCKS = [Block(ROW + r, COL + c) for r in range(3) for c in range(4)]
WINDOW = GRID.shard_window(BLOCKS)
PIXEL_HA = mask_area_ha(np.ones((1, 1)), GRID.transform(WINDOW))
EXACT = ExportSettings(tolerance_pixels=0, min_area_ha=0, fill_holes_ha=0)


def landscape(seed: int, smooth: float = 2.5, share: float = 0.5) -> np.ndarray:
    """Cropland codes of the whole window, made from smoothed noise."""
    noise = np.random.default_rng(seed).standard_normal((WINDOW.height, WINDOW.width))
    noise = ndimage.gaussian_filter(noise, smooth) if smooth else noise
    return (noise > np.quantile(noise, 1 - share)).astype(np.uint8)


def slanted_counties() -> gpd.GeoDataFrame:
    """Two counties that share a crooked border, together the whole window."""
    west, south, east, north = GRID.window_bounds(WINDOW)
    border = [(west, 23.983), (west + 0.011, 23.9862), (west + 0.027, 23.9817), (east, 23.9871)]
    return gpd.GeoDataFrame(
        {"code": ["12", "07"], "name": ["上山", "Lower/East"], "town": ["广州市", "Q"]},
        geometry=[
            shapely.Polygon([(west, north), *border, (east, north)]),
            shapely.Polygon([(west, south), *border, (east, south)]),
        ],
        crs=4326,
    )


@dataclass
class Case:
    folder: Path
    table: pd.DataFrame
    polygons: gpd.GeoDataFrame

    @property
    def archive(self) -> Path:
        return self.folder / "province.tar.gz"


def write_map(path: Path, codes: np.ndarray, window, *, grid: BlockGrid = GRID, **profile) -> Path:
    options = {
        "driver": "GTiff",
        "height": window.height,
        "width": window.width,
        "count": 1,
        "dtype": "uint8",
        "crs": "EPSG:4326",
        "transform": grid.transform(window),
    } | profile
    with rasterio.open(path, "w", **options) as dataset:
        dataset.write(codes.astype(options["dtype"]), 1)
    return path


def run(
    folder: Path,
    codes: np.ndarray,
    *,
    counties: gpd.GeoDataFrame | None = None,
    config: ExportSettings = EXACT,
    grid: BlockGrid = GRID,
    fields: tuple[str, str, str] = ("code", "name", "town"),
    maps: list[Path] | None = None,
    **more,
) -> Case:
    """Write the map in the shards of `grid`, export it, and read what was written."""
    folder.mkdir(parents=True, exist_ok=True)
    if maps is None:
        maps = []
        for shard in grid.shards(BLOCKS):
            window = grid.shard_window(shard.blocks)
            path = folder / f"{shard.shard_id}.tif"
            maps.append(write_map(path, codes[window.relative_to(WINDOW)], window, grid=grid))
    (slanted_counties() if counties is None else counties).to_file(folder / "counties.gpkg")
    gpd.GeoDataFrame(
        {"row": [b.row for b in BLOCKS], "col": [b.col for b in BLOCKS]},
        geometry=[GRID.polygon(b) for b in BLOCKS],
        crs=4326,
    ).to_parquet(folder / "blocks.parquet")
    table = export_counties(
        maps=maps,
        counties=folder / "counties.gpkg",
        counties_fields=fields,
        blocks=folder / "blocks.parquet",
        grid=grid,
        settings=config,
        parquet=folder / "counties.parquet",
        archive=folder / "province.tar.gz",
        table=folder / "areas.csv",
        **more,
    )
    return Case(folder, table, gpd.read_parquet(folder / "counties.parquet"))


def balance(table: pd.DataFrame) -> np.ndarray:
    return (
        table["raster_ha"]
        + table["simplification_difference_ha"]
        - table["removed_small_ha"]
        + table["filled_holes_ha"]
        - table["polygon_ha"]
    ).to_numpy()


def overlap_ha(polygons: np.ndarray) -> float:
    """Area that two polygons share, hectares, over all pairs."""
    a, b = shapely.STRtree(polygons).query(polygons, predicate="intersects")
    pairs = a < b
    return float(
        polygon_areas_ha(shapely.intersection(polygons[a[pairs]], polygons[b[pairs]])).sum()
    )


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
