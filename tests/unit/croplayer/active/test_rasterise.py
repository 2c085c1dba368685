"""Polygons to pixels: against shapely's point-in-polygon, pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from cropbase.errors import InputError
from croplayer.active.rasterise import extent_window, rasterise_labels
from croplayer.grid import Block, BlockGrid, PixelWindow

GRID = BlockGrid(block_degrees=0.05, pixels_per_block=96, shard_degrees=0.2)
BLOCK = Block(1300, 1700)


def centres(window: PixelWindow) -> np.ndarray:
    """Pixel centres (height, width) as points."""
    t = GRID.transform(window)
    lon = t.c + t.a * (np.arange(window.width) + 0.5)
    lat = t.f + t.e * (np.arange(window.height) + 0.5)
    return shapely.points(*np.meshgrid(lon, lat))


def brute_force(polygons, extent, window: PixelWindow) -> np.ndarray:
    points = centres(window)
    crop = np.zeros(points.shape, dtype=bool)
    for polygon in polygons:
        crop |= shapely.contains(polygon, points)
    return np.where(shapely.contains(extent, points), crop.astype(np.uint8), 255).astype(np.uint8)


def blob(rng: np.random.Generator, bounds) -> shapely.Polygon:
    """A star-shaped polygon with irrational corners inside or across `bounds`."""
    west, south, east, north = bounds
    angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 12)))
    radius = rng.uniform(0.05, 0.5, angles.size)
    x = west + (east - west) * (rng.uniform(0, 1) + radius * np.cos(angles))
    y = south + (north - south) * (rng.uniform(0, 1) + radius * np.sin(angles))
    return shapely.make_valid(shapely.Polygon(np.c_[x, y]))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_equals_point_in_polygon(seed):
    rng = np.random.default_rng(seed)
    window = GRID.block_window(BLOCK)
    polygons = [blob(rng, GRID.bounds(BLOCK)) for _ in range(4)]
    extent = shapely.union_all([blob(rng, GRID.bounds(BLOCK)), blob(rng, GRID.bounds(BLOCK))])
    got = rasterise_labels(polygons, extent, GRID, window)
    np.testing.assert_array_equal(got, brute_force(polygons, extent, window))


def test_overlapping_parts_of_one_feature_do_not_cancel():
    west, south, east, _north = GRID.bounds(BLOCK)
    step = (east - west) / 10
    first = shapely.box(west + step, south + step, west + 6 * step, south + 6 * step)
    second = shapely.box(west + 4 * step, south + 4 * step, west + 9 * step, south + 9 * step)
    window = GRID.block_window(BLOCK)
    extent = GRID.polygon(BLOCK)
    together = rasterise_labels([shapely.MultiPolygon([first, second])], extent, GRID, window)
    apart = rasterise_labels([shapely.union(first, second)], extent, GRID, window)
    np.testing.assert_array_equal(together, apart)
    assert 0 < (together == 1).sum() < together.size


def test_holes_are_not_cropland():
    west, south, _east, _north = GRID.bounds(BLOCK)
    hole = shapely.box(west + 0.02, south + 0.02, west + 0.03, south + 0.03)
    field = shapely.difference(GRID.polygon(BLOCK), hole)
    window = GRID.block_window(BLOCK)
    got = rasterise_labels([field], GRID.polygon(BLOCK), GRID, window)
    np.testing.assert_array_equal(got == 0, shapely.contains(hole, centres(window)), strict=False)


def test_extent_without_polygons_is_a_negative_sample():
    window = GRID.block_window(BLOCK)
    assert (rasterise_labels([], GRID.polygon(BLOCK), GRID, window) == 0).all()


def test_window_beyond_the_extent_is_ignored():
    window = GRID.block_window(Block(BLOCK.row, BLOCK.col + 1))
    got = rasterise_labels([GRID.polygon(BLOCK)], GRID.polygon(BLOCK), GRID, window)
    assert (got == 255).all()


@pytest.mark.parametrize("split", [1, 7, 40, 95])
def test_does_not_depend_on_where_windows_begin(split):
    rng = np.random.default_rng(split)
    polygons = [blob(rng, GRID.bounds(BLOCK)) for _ in range(5)]
    extent = GRID.polygon(BLOCK)
    whole = GRID.block_window(BLOCK)
    left = PixelWindow(whole.row, whole.col, whole.height, split)
    right = PixelWindow(whole.row, whole.col + split, whole.height, whole.width - split)
    halves = [rasterise_labels(polygons, extent, GRID, part) for part in (left, right)]
    np.testing.assert_array_equal(
        np.hstack(halves), rasterise_labels(polygons, extent, GRID, whole)
    )


@pytest.mark.parametrize("pixels", [96, 250, 2304])
@pytest.mark.parametrize("block", [Block(0, 0), Block(1317, 4711), Block(3599, 7199)])
def test_window_of_a_block_is_exact(pixels, block):
    grid = BlockGrid(pixels_per_block=pixels)
    assert extent_window(grid.polygon(block), grid) == grid.block_window(block)


def test_window_holds_the_geometry_and_nothing_more():
    window = GRID.block_window(BLOCK)
    west, south, east, north = GRID.bounds(BLOCK)
    size = GRID.pixel_degrees
    inner = shapely.box(
        west + 3.2 * size, south + 4.7 * size, east - 5.5 * size, north - 1.1 * size
    )
    expected = PixelWindow(window.row + 1, window.col + 3, 96 - 1 - 4, 96 - 3 - 5)
    assert extent_window(inner, GRID) == expected


def test_empty_extent_is_refused():
    with pytest.raises(InputError, match="label extent is empty"):
        extent_window(shapely.Polygon(), GRID)
