from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from pydantic import ValidationError
from pyproj import Geod, Transformer
from rasterio.transform import Affine, from_origin

from cropbase.errors import CompletenessError, InputError
from croplayer.grid import BlockGrid
from croplayer.settings.terrain import TerrainSettings
from croplayer.terrain import find_dem_files, measure_terrain
from croplayer.terrain.dem import open_layers
from croplayer.terrain.derivatives import roughness_m, ruggedness_m, slope_degrees

GRID = BlockGrid()
CELL = 1 / 1200  # 3 arc-seconds: 60 cells a block
WEST, NORTH = 20.05, 50.2
BLOCKS = GRID.blocks_touching(shapely.box(20.05, 50.1, 20.15, 50.2))  # 2 x 2
COLUMNS = ["elevation", "slope", "ruggedness", "roughness"]


def hills(lon, lat):
    """A smooth generated landscape, metres."""
    return (
        500
        + 120 * np.sin(lon * 190)
        + 90 * np.cos(lat * 230 + lon * 60)
        + 15 * np.sin(lon * 2100 + lat * 900)
    )


def write_dem(path, z, transform, *, crs="EPSG:4326", nodata=None, dtype="float32"):
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=z.shape[0],
        width=z.shape[1],
        count=1,
        dtype=dtype,
        crs=crs,
        transform=transform,
        nodata=nodata,
    ) as dataset:
        dataset.write(z.astype(dtype), 1)
    return path


def geographic(margin=10, cell=CELL):
    """(elevation, transform) of a DEM around the blocks; cell edges on block edges."""
    cells = round(0.1 / cell) + 2 * margin
    transform = from_origin(WEST - margin * cell, NORTH + margin * cell, cell, cell)
    rows, cols = np.mgrid[0:cells, 0:cells] + 0.5
    return hills(transform.c + cols * cell, transform.f - rows * cell), transform


def measure(dem, output, *, blocks=BLOCKS, **changes):
    measure_terrain(
        dem=dem, blocks=blocks, grid=GRID, settings=TerrainSettings(**changes), output=output
    )
    return pd.read_parquet(output)


@pytest.fixture
def dem(tmp_path):
    z, transform = geographic()
    return write_dem(tmp_path / "dem.tif", z, transform)


def test_medians_equal_a_brute_force(dem, tmp_path):
    z, transform = geographic()
    z = z.astype(np.float32).astype(float)
    table = measure([dem], tmp_path / "t.parquet", metres_per_degree="gdaldem")
    size = CELL * 111120
    rasters = {
        "elevation": z,
        "slope": slope_degrees(z, size, size),
        "ruggedness": ruggedness_m(z),
        "roughness": roughness_m(z),
    }
    assert table.columns.tolist() == ["block_id", *COLUMNS]
    assert table["block_id"].tolist() == [GRID.block_id(b) for b in BLOCKS]
    for block, row in zip(BLOCKS, table.itertuples(), strict=True):
        west, _, _, north = GRID.bounds(block)
        top, left = round((transform.f - north) / CELL), round((west - transform.c) / CELL)
        for name, raster in rasters.items():
            want = np.median(raster[top : top + 60, left : left + 60])
            assert getattr(row, name) == pytest.approx(want, rel=1e-9), name


def test_cells_on_the_ellipsoid_have_their_geodesic_size(dem):
    (layer,) = open_layers([dem], TerrainSettings())
    window = layer.window_around((20.05, 50.1, 20.15, 50.2), 0)
    size_x, size_y = layer.cell_size_m(window)
    top = layer.transform.f + window.row_off * layer.transform.e
    lat = top - CELL * (np.arange(len(size_x)) + 0.5)
    geod = Geod(ellps="WGS84")
    n = len(lat)
    _, _, want_x = geod.inv(np.full(n, 20.0), lat, np.full(n, 20 + CELL), lat)
    _, _, want_y = geod.inv(np.full(n, 20.0), lat - CELL / 2, np.full(n, 20.0), lat + CELL / 2)
    np.testing.assert_allclose(size_x, want_x, rtol=1e-6)
    np.testing.assert_allclose(size_y, want_y, rtol=1e-6)


def test_slope_on_the_ellipsoid_is_that_of_the_ground(tmp_path):
    # A ramp to the east that rises 1 m in 10 m on the ground of latitude 50.15.
    z, transform = geographic()
    _, _, metres = Geod(ellps="WGS84").inv(20.0, 50.15, 20.001, 50.15)
    z = np.broadcast_to(np.arange(z.shape[1]) * CELL * metres / 0.001 / 10, z.shape)
    path = write_dem(tmp_path / "ramp.tif", z, transform, dtype="float64")
    table = measure([path], tmp_path / "t.parquet", min_elevation_m=-10)
    np.testing.assert_allclose(table["slope"], np.degrees(np.arctan(0.1)), rtol=2e-3)
    flat = measure([path], tmp_path / "t.parquet", metres_per_degree="gdaldem")
    assert (flat["slope"] < 0.7 * table["slope"]).all()


@pytest.mark.parametrize("overlap", [0, 1])
def test_tiles_of_a_dem_give_the_answer_of_the_whole(dem, tmp_path, overlap):
    z, t = geographic()
    cut = 70  # inside the first block: gradients need both tiles
    tiles = []
    for top, bottom in ((0, cut + overlap), (cut, len(z))):
        for left, right in ((0, cut + overlap), (cut, len(z))):
            shifted = Affine(t.a, 0, t.c + left * t.a, 0, t.e, t.f + top * t.e)
            path = tmp_path / f"tile_{top}_{left}.tif"
            tiles.append(write_dem(path, z[top:bottom, left:right], shifted))
    whole = measure([dem], tmp_path / "whole.parquet")
    pd.testing.assert_frame_equal(measure(tiles, tmp_path / "tiles.parquet"), whole)
    pattern = measure([tmp_path / "tile_*.tif"], tmp_path / "glob.parquet")
    pd.testing.assert_frame_equal(pattern, whole)


def test_a_block_does_not_depend_on_the_others(dem, tmp_path):
    whole = measure([dem], tmp_path / "all.parquet")
    alone = measure([dem], tmp_path / "one.parquet", blocks=[BLOCKS[2]])
    pd.testing.assert_frame_equal(alone, whole[2:3].reset_index(drop=True))


@pytest.mark.parametrize(("crs", "cell"), [("EPSG:32634", 60.0), ("EPSG:3857", 90.0)])
def test_a_projected_dem_tells_the_same_terrain(dem, tmp_path, crs, cell):
    forward = Transformer.from_crs(4326, crs, always_xy=True)
    west, south, east, north = forward.transform_bounds(20.0, 50.05, 20.2, 50.25)
    width, height = int((east - west) / cell), int((north - south) / cell)
    rows, cols = np.mgrid[0:height, 0:width] + 0.5
    lon, lat = forward.transform(west + cols * cell, north - rows * cell, direction="INVERSE")
    z = hills(np.asarray(lon), np.asarray(lat))
    path = write_dem(tmp_path / "p.tif", z, from_origin(west, north, cell, cell), crs=crs)
    got = measure([path], tmp_path / "p.parquet").set_index("block_id")
    want = measure([dem], tmp_path / "g.parquet").set_index("block_id")
    np.testing.assert_allclose(got["elevation"], want["elevation"], rtol=5e-3)
    # Web Mercator stretches by 1.56 here: taken at face value, slopes would be a third too gentle.
    np.testing.assert_allclose(got["slope"], want["slope"], rtol=0.05)


def test_feet_become_metres(dem, tmp_path):
    z, transform = geographic()
    feet = write_dem(tmp_path / "feet.tif", z / 0.3048, transform)
    got = measure([feet], tmp_path / "f.parquet", elevation_scale=0.3048, max_elevation_m=5000)
    want = measure([dem], tmp_path / "m.parquet")
    np.testing.assert_allclose(got[COLUMNS], want[COLUMNS], rtol=1e-4)


@pytest.mark.parametrize("missing", [-32768.0, -9999.0, float("nan"), -3.4e38, 32767.0])
def test_undeclared_missing_cells_are_missing(tmp_path, missing):
    z, transform = geographic()
    holes = np.random.default_rng(0).random(z.shape) < 0.02
    sloppy = write_dem(tmp_path / "s.tif", np.where(holes, missing, z), transform)
    clean = write_dem(tmp_path / "c.tif", np.where(holes, -1e6, z), transform, nodata=-1e6)
    got = measure([sloppy], tmp_path / "s.parquet")
    pd.testing.assert_frame_equal(got, measure([clean], tmp_path / "c.parquet"))
    assert got[COLUMNS].notna().all(axis=None) and got["roughness"].max() < 200


def test_later_files_fill_the_holes_of_earlier_ones(dem, tmp_path):
    z, transform = geographic()
    holed = z.copy()
    holed[40:60, 40:60] = -32768
    first = write_dem(tmp_path / "first.tif", holed, transform, nodata=-32768)
    got = measure([first, dem], tmp_path / "a.parquet")
    pd.testing.assert_frame_equal(got, measure([dem], tmp_path / "b.parquet"))


def test_a_block_without_elevation_is_missing_and_told(tmp_path, caplog):
    z, transform = geographic()
    z[:, 70:] = -32768  # the eastern blocks
    path = write_dem(tmp_path / "west.tif", z, transform, nodata=-32768)
    with caplog.at_level(logging.WARNING):
        table = measure([path], tmp_path / "t.parquet").set_index("block_id")
    assert table.loc[["E02010N5010", "E02010N5015"], COLUMNS].isna().all(axis=None)
    assert table.loc[["E02005N5010", "E02005N5015"], COLUMNS].notna().all(axis=None)
    assert "2 blocks have no elevation" in caplog.text
    assert "E02010N5015, E02010N5010" in caplog.text


def test_a_block_planned_twice_is_refused(dem, tmp_path):
    with pytest.raises(CompletenessError, match="has twice or more block"):
        measure([dem], tmp_path / "t.parquet", blocks=BLOCKS[:1] * 2)
    assert not (tmp_path / "t.parquet").exists()


def test_a_dem_that_reaches_no_block_is_refused(dem, tmp_path):
    elsewhere = GRID.blocks_touching(shapely.box(112.0, 24.0, 112.1, 24.1))
    with pytest.raises(InputError, match="covers none of the 4 blocks"):
        measure([dem], tmp_path / "t.parquet", blocks=elsewhere)
    assert not (tmp_path / "t.parquet").exists()


def test_blocks_smaller_than_a_cell_take_the_cell_around_them(tmp_path, caplog):
    # Cells of 0.2 degrees: all blocks lie in the cell of row 1, column 2; one holds its centre.
    z = np.array([[5.0, 4, 3, 2, 1], [9, 8, 300, 6, 5], [1, 1, 1, 1, 1], [2, 2, 2, 2, 2]])
    path = write_dem(tmp_path / "coarse.tif", z, from_origin(19.63, 50.43, 0.2, 0.2))
    with caplog.at_level(logging.INFO):
        table = measure([path], tmp_path / "t.parquet")
    assert table["elevation"].tolist() == [300.0] * 4
    np.testing.assert_allclose(table["roughness"], 299.0)
    assert "3 blocks are smaller than a DEM cell" in caplog.text


def test_cell_centres_on_a_blocks_edge_belong_to_one_block(tmp_path):
    # SRTM's lattice: centres on whole arc-seconds, thus on block edges. Elevation tells the cell.
    cell = 1 / 120
    transform = from_origin(20.0 - cell / 2, 50.25 + cell / 2, cell, cell)
    z = np.zeros((31, 31))
    z[6, 6] = 700.0  # centre 20.05 E, 50.2 N: north-west corner of the north-west block
    path = write_dem(tmp_path / "srtm.tif", z, transform, dtype="int16")
    (layer,) = open_layers([path], TerrainSettings())
    from croplayer.terrain.measure import _cells_inside

    holders = []
    for block in GRID.blocks_touching(shapely.box(20.0, 50.0, 20.25, 50.25)):
        bounds = GRID.bounds(block)
        window = layer.window_around(bounds, 2)
        inside = _cells_inside(layer, window, bounds)
        assert inside.sum() == 36
        if np.nanmax(layer.read(window)[inside], initial=0) == 700:
            holders.append(GRID.block_id(block))
    assert holders == ["E02005N5015"]


def test_declared_scale_and_offset_are_applied(dem, tmp_path):
    z, transform = geographic()
    path = write_dem(tmp_path / "s.tif", (z + 1000) * 10, transform, dtype="int32")
    with rasterio.open(path, "r+") as dataset:
        dataset.scales, dataset.offsets = (0.1,), (-1000.0,)
    got = measure([path], tmp_path / "s.parquet")
    want = measure([dem], tmp_path / "d.parquet")
    np.testing.assert_allclose(got["elevation"], want["elevation"], atol=0.1)


def test_faulty_dems_are_refused(tmp_path):
    z, transform = geographic()
    bare = write_dem(tmp_path / "bare.tif", z, transform, crs=None)
    with pytest.raises(InputError, match="no coordinate reference system"):
        measure([bare], tmp_path / "t.parquet")
    turned = Affine(CELL, CELL / 9, WEST, CELL / 9, -CELL, NORTH)
    with pytest.raises(InputError, match="is rotated"):
        measure([write_dem(tmp_path / "r.tif", z, turned)], tmp_path / "t.parquet")
    whole = write_dem(tmp_path / "whole.tif", z, transform)
    with pytest.raises(InputError, match="has no band 3"):
        measure([whole], tmp_path / "t.parquet", band=3)
    (tmp_path / "page.tif").write_text("<html>login</html>")
    with pytest.raises(InputError, match="cannot be opened"):
        measure([tmp_path / "page.tif"], tmp_path / "t.parquet")
    with pytest.raises(InputError, match="no file matches"):
        measure([tmp_path / "absent_*.tif"], tmp_path / "t.parquet")


def test_without_a_dem_the_terrain_is_missing_and_told_once(tmp_path, caplog):
    got = measure([], tmp_path / "t.parquet")
    assert len(got) > 1
    assert got[["elevation", "slope", "ruggedness", "roughness"]].isna().all(axis=None)
    told = [r for r in caplog.records if r.levelname == "WARNING"]
    assert len(told) == 1
    assert "names no elevation file" in told[0].message


def test_dem_files_are_found_once_in_the_order_given(tmp_path):
    for name in ("b.tif", "a.tif", "c.tif"):
        (tmp_path / name).touch()
    (tmp_path / "d[1].tif").touch()
    found = find_dem_files(["c.tif", "d[1].tif", "*.tif"], root=tmp_path)
    assert [path.name for path in found] == ["c.tif", "d[1].tif", "a.tif", "b.tif"]


def test_files_of_two_lattices_cover_each_its_part(tmp_path):
    z, transform = geographic()
    fine = write_dem(tmp_path / "fine.tif", z[:, :70], transform)  # western blocks
    coarse_z, coarse_t = geographic(margin=4, cell=2 * CELL)
    coarse = write_dem(tmp_path / "coarse.tif", coarse_z, coarse_t)
    got = measure([fine, coarse], tmp_path / "t.parquet")
    one, two = measure([fine], tmp_path / "f.parquet"), measure([coarse], tmp_path / "c.parquet")
    west = got["block_id"].str.startswith("E02005")
    pd.testing.assert_frame_equal(got[west], one[west])
    pd.testing.assert_frame_equal(got[~west], two[~west])


def test_settings_are_checked():
    with pytest.raises(ValidationError, match="must be lower than"):
        TerrainSettings(min_elevation_m=100, max_elevation_m=50)
    with pytest.raises(ValidationError, match="'riley' or 'wilson'"):
        TerrainSettings(ruggedness="reily")
