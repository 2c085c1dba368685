"""The final map: every option, nodata, the province's edge."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from cropbase.errors import CompletenessError, ConfigError, InputError
from cropbase.tables import write_table
from croplayer.blocks.integrate import integrate, integrate_shard, pixels_inside
from croplayer.grid import BlockGrid, PixelWindow

SOURCES = ("google", "mapbox")


def expected(option, a, b):
    """The rule of one pixel, written out; a and b are 0, 1 or 255 (nodata)."""
    if option == "only_a":
        return 254 if a == 255 else a
    if option == "only_b":
        return 254 if b == 255 else b
    if a == b == 255:
        return 254
    return 0 if option == "neither" else int(1 in (a, b))


@pytest.mark.parametrize("option", ["neither", "only_a", "only_b", "both"])
def test_every_pair_of_values_under_every_option(option):
    a, b = (v.ravel() for v in np.meshgrid([0, 1, 255], [0, 1, 255]))
    a, b = a.reshape(3, 3), b.reshape(3, 3)
    found = integrate(option, a == 1, a != 255, b == 1, b != 255)
    assert found.dtype == np.uint8
    for place in np.ndindex(3, 3):
        assert found[place] == expected(option, a[place], b[place])


@pytest.fixture
def options(shard, tmp_path):
    path = tmp_path / "options.parquet"
    ids = [shard.grid.block_id(b) for b in shard.blocks]
    write_table(
        pd.DataFrame(
            {
                "block_id": [*ids, "E00000N0000"],
                "option": ["only_a", "both", "only_b", "neither", "both"],
            }
        ),
        path,
    )
    return path


@pytest.fixture
def boundary(shard, tmp_path):
    """A slanted province that cuts the shard, in a projected CRS."""
    west, south, east, north = shard.grid.window_bounds(shard.grid.shard_window(shard.blocks))
    polygon = shapely.Polygon(
        [
            (west - 1, north + 1),
            (east - 0.01, north + 1),
            (east - 0.04, south - 1),
            (west - 1, south),
        ]
    )
    path = tmp_path / "province.gpkg"
    gpd.GeoDataFrame(geometry=[polygon], crs=4326).to_crs(32649).to_file(path)
    return path


def run(shard, options, boundary, output, **changes):
    given = {"masks": shard.masks, "sources": SOURCES, "blocks": shard.blocks}
    integrate_shard(
        options=options, boundary=boundary, grid=shard.grid, output=output, **(given | changes)
    )
    with rasterio.open(output) as dataset:
        return dataset.read(1), dataset.transform, dataset.profile, dataset.colormap(1)


def test_the_map_equals_the_rules_pixel_by_pixel(shard, options, boundary, tmp_path):
    values, transform, profile, colours = run(shard, options, boundary, tmp_path / "map.tif")
    region = gpd.read_file(boundary).to_crs(4326).geometry.iloc[0]
    rows, cols = np.mgrid[:128, :128]
    inside = shapely.contains_xy(
        region, transform.c + (cols + 0.5) * transform.a, transform.f + (rows + 0.5) * transform.e
    )
    assert 0 < inside.sum() < inside.size
    names = np.array([["only_a", "both"], ["only_b", "neither"]])
    for r, c in np.ndindex(128, 128):
        wanted = 255
        if inside[r, c]:
            pair = (shard.arrays[s][r, c] for s in SOURCES)
            wanted = expected(names[r // 64, c // 64], *pair)
        assert values[r, c] == wanted, (r, c)
    assert set(np.unique(values)) == {0, 1, 254, 255}
    assert profile["nodata"] == 255
    assert transform == shard.grid.transform(shard.grid.shard_window(shard.blocks))
    assert colours[255][3] == 0
    assert len({colours[v] for v in (0, 1, 254)}) == 3


def test_blocks_that_are_not_planned_are_outside(shard, options, boundary, tmp_path):
    values, *_ = run(
        shard, options, boundary, tmp_path / "map.tif", blocks=[shard.blocks[0], shard.blocks[3]]
    )
    assert (values[:64, 64:] == 255).all()
    assert (values[64:, :64] == 255).all()
    assert (values[:64, :64] <= 1).any()


def test_swapped_sources_swap_the_meaning_of_a_and_b(shard, options, boundary, tmp_path):
    values, *_ = run(shard, options, boundary, tmp_path / "map.tif", sources=SOURCES[::-1])
    # The first block is `only_a`, and A is now mapbox.
    inside = values[:64, :64] != 255
    assert np.array_equal(values[:64, :64][inside], shard.arrays["mapbox"][:64, :64][inside])


def test_same_bytes_again(shard, options, boundary, tmp_path):
    run(shard, options, boundary, tmp_path / "map.tif")
    run(shard, options, boundary, tmp_path / "again.tif", blocks=shard.blocks[::-1])
    assert (tmp_path / "map.tif").read_bytes() == (tmp_path / "again.tif").read_bytes()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(-20, 84), st.floats(-20, 84)), min_size=3, max_size=9))
def test_pixels_inside_equal_point_in_polygon(points):
    grid = BlockGrid(0.05, 64, 0.1)
    window = PixelWindow(64 * 1318, 64 * 5841, 64, 64)
    t = grid.transform(window)
    # Odd fractions of a pixel keep vertices and edges off the centres.
    hull = shapely.convex_hull(
        shapely.MultiPoint([(t.c + (x + 0.137) * t.a, t.f + (y + 0.291) * t.e) for x, y in points])
    )
    if hull.geom_type != "Polygon":
        return
    rows, cols = np.mgrid[:64, :64]
    x, y = t.c + (cols + 0.5) * t.a, t.f + (rows + 0.5) * t.e
    clear = shapely.distance(shapely.points(x, y), hull.exterior) > 1e-3 * t.a
    found = pixels_inside(hull, grid, window)
    assert np.array_equal(found[clear], shapely.contains_xy(hull, x, y)[clear])


def test_a_block_without_option_is_named(shard, options, boundary, tmp_path):
    write_table(pd.read_parquet(options).iloc[1:], options)
    output = tmp_path / "map.tif"
    with pytest.raises(CompletenessError, match=shard.grid.block_id(shard.blocks[0])):
        run(shard, options, boundary, output)
    assert not output.exists()


def test_an_unknown_option_is_named(shard, options, boundary, tmp_path):
    write_table(pd.read_parquet(options).assign(option="merge"), options)
    with pytest.raises(InputError, match="unknown option\n  given: merge"):
        run(shard, options, boundary, tmp_path / "map.tif")


def test_a_source_without_mask_is_named(shard, options, boundary, tmp_path):
    with pytest.raises(ConfigError, match="source 'bing' has no mask"):
        run(shard, options, boundary, tmp_path / "map.tif", sources=("google", "bing"))


def test_a_boundary_without_crs_is_refused(shard, options, tmp_path):
    path = tmp_path / "bare.gpkg"
    gpd.GeoDataFrame(geometry=[shapely.box(0, 0, 1, 1)]).to_file(path)
    with pytest.raises(InputError, match="no coordinate reference system"):
        run(shard, options, path, tmp_path / "map.tif")


def test_a_mask_of_another_pixel_size_is_refused(
    shard, options, boundary, tmp_path, write_shard_mask
):
    path = write_shard_mask(
        tmp_path / "coarse.tif", shard.arrays["google"], BlockGrid(0.05, 32, 0.1), shard.blocks
    )
    with pytest.raises(InputError, match="pixel size"):
        run(shard, options, boundary, tmp_path / "map.tif", masks=shard.masks | {"google": path})
