"""Web Mercator arithmetic against pyproj, and the tiles that blocks need against brute force."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer

from cropbase.errors import InputError
from cropbase.webmercator import MAX_LATITUDE, TileMatrix, quadkey
from croplayer.grid import Block, BlockGrid
from croplayer.settings.sources import RasterSource, XyzSource
from croplayer.tiles.coverage import count_tiles, covering_tiles
from croplayer.tiles.datum import wgs84_to_gcj02

HALF_M = 20037508.342789244
TO_MERCATOR = Transformer.from_crs("EPSG:4326", "EPSG:3857", always_xy=True)


@settings(deadline=None)
@given(st.floats(-180, 180), st.floats(-85, 85), st.integers(0, 20))
def test_pixels_agree_with_pyproj(lon: float, lat: float, zoom: int) -> None:
    matrix = TileMatrix(zoom)
    east, north = TO_MERCATOR.transform(lon, lat)
    size = 2 * HALF_M / matrix.world_pixels
    assert float(matrix.x(lon)) == pytest.approx((east + HALF_M) / size, abs=1e-4)
    assert float(matrix.y(lat)) == pytest.approx((HALF_M - north) / size, abs=1e-4)


@settings(deadline=None)
@given(st.floats(-180, 180), st.floats(-85, 85))
def test_positions_come_back(lon: float, lat: float) -> None:
    matrix = TileMatrix(16)
    assert float(matrix.lon(matrix.x(lon))) == pytest.approx(lon, abs=1e-10)
    assert float(matrix.lat(matrix.y(lat))) == pytest.approx(lat, abs=1e-10)


def test_the_world_is_one_square() -> None:
    assert TileMatrix(0).tile_bounds(0, 0) == pytest.approx(
        (-180, -MAX_LATITUDE, 180, MAX_LATITUDE)
    )
    assert TileMatrix(3, 512).world_pixels == 4096


def test_quadkeys_are_those_of_the_published_example() -> None:
    assert quadkey(3, 3, 5) == "213"
    assert quadkey(0, 0, 0) == ""


GRID = BlockGrid(block_degrees=0.05, pixels_per_block=288, shard_degrees=0.1)


@pytest.mark.parametrize("datum", ["wgs84", "gcj02"])
@pytest.mark.parametrize("lat", [23.11, 50.02])
def test_every_pixel_of_blocks_and_halo_has_its_tile(datum: str, lat: float) -> None:
    blocks = [GRID.block_at(112.31, lat), GRID.block_at(112.41, lat - 0.05)]
    matrix = TileMatrix(14)
    xs, ys = covering_tiles(matrix, datum, GRID, blocks, 20)
    have = set(zip(xs.tolist(), ys.tolist(), strict=True))
    needed = set()
    for block in blocks:
        window = GRID.block_window(block).buffered(20)
        t = GRID.transform(window)
        lon = t.c + t.a * np.arange(0, window.width + 0.5, 0.5)
        lats = t.f + t.e * np.arange(0, window.height + 0.5, 0.5)
        lon, lats = np.meshgrid(lon, lats)
        if datum == "gcj02":
            lon, lats = wgs84_to_gcj02(lon, lats)
        tile = np.stack([matrix.x(lon) // 256, matrix.y(lats) // 256], axis=-1).astype(int)
        needed |= set(map(tuple, np.unique(tile.reshape(-1, 2), axis=0).tolist()))
    assert needed <= have
    # The reach of the kernel costs at most one more row and column a side.
    grown = {(x + i, y + j) for x, y in needed for i in (-1, 0, 1) for j in (-1, 0, 1)}
    assert have <= grown
    assert list(zip(ys, xs, strict=True)) == sorted(zip(ys.tolist(), xs.tolist(), strict=True))


def test_a_block_far_away_needs_no_tiles_between() -> None:
    near, far = GRID.block_at(112.31, 23.11), GRID.block_at(113.31, 22.11)
    matrix = TileMatrix(14)
    both = len(covering_tiles(matrix, "wgs84", GRID, [near, far], 0)[0])
    single = [len(covering_tiles(matrix, "wgs84", GRID, [b], 0)[0]) for b in (near, far)]
    assert both == sum(single)


def test_tiles_wrap_round_the_antimeridian() -> None:
    block = GRID.block_at(-179.99, 10.0)
    xs, _ = covering_tiles(TileMatrix(13), "wgs84", GRID, [block], 50)
    assert xs.min() == 0
    assert xs.max() == (1 << 13) - 1


def test_no_blocks_are_refused() -> None:
    with pytest.raises(InputError, match="no blocks"):
        covering_tiles(TileMatrix(13), "wgs84", GRID, [], 0)


@pytest.mark.parametrize("datum", ["wgs84", "gcj02"])
def test_a_full_shard_is_counted_in_milliseconds(datum: str) -> None:
    grid = BlockGrid()
    corner = grid.block_at(112.0, 24.0)
    blocks = [Block(corner.row + i, corner.col + j) for i in range(20) for j in range(20)]
    source = XyzSource(url="https://a.example/{z}/{x}/{y}", datum=datum)
    start = time.process_time()
    count = count_tiles(source, grid, blocks, 512)
    seconds = time.process_time() - start
    # One degree is 182.04 tiles wide at zoom 16 and, at 23.5 N, 198.5 high; the halo adds 4.
    assert 186 * 201 <= count <= 188 * 205
    assert seconds < 0.2


def test_a_source_on_disk_needs_no_requests() -> None:
    source = RasterSource(paths=("a.tif",))
    assert count_tiles(source, GRID, [GRID.block_at(112.31, 23.11)], 0) == 0
