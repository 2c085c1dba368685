"""Polygons of one block: what they cover before and after simplifying, against rasterio and scipy."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.features import rasterize
from scipy import ndimage
from skimage.measure import euler_number

from cropbase.areas import mask_area_ha, polygon_area_ha, ring_areas_ha
from croplayer.export.polygons import CountyPolygons, build_polygons
from croplayer.export.rings import county_rings, degrees
from croplayer.grid import BlockGrid
from croplayer.settings.export import ExportSettings

SIZE = 24
GRID = BlockGrid(block_degrees=0.01, pixels_per_block=SIZE, shard_degrees=0.02)
BLOCK = GRID.block_at(112.02, 24.02)
WINDOW = GRID.block_window(BLOCK)
COUNTY = GRID.polygon(BLOCK).buffer(3 * GRID.pixel_degrees, join_style="mitre")


def random_mask(seed: int, smooth: float, share: float) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal((SIZE, SIZE))
    noise = ndimage.gaussian_filter(noise, smooth) if smooth else noise
    return noise > np.quantile(noise, 1 - share)


MASKS = st.builds(
    random_mask,
    seed=st.integers(0, 10**6),
    smooth=st.sampled_from([0.0, 0.7, 1.5]),
    share=st.floats(0.05, 0.95),
)


def rings_of(mask: np.ndarray, tolerance: float):
    def read(window):
        crop = np.zeros((window.height, window.width), dtype=bool)
        crop[WINDOW.relative_to(window)] = mask
        return crop

    return county_rings([BLOCK], read, GRID, ExportSettings(tolerance_pixels=tolerance))


def polygons_of(mask: np.ndarray, tolerance: float) -> CountyPolygons:
    wanted = ExportSettings(tolerance_pixels=tolerance, min_area_ha=0, fill_holes_ha=0)
    return build_polygons(rings_of(mask, tolerance), COUNTY, GRID, wanted)


def in_pixels(polygons: np.ndarray) -> np.ndarray:
    """The polygons in pixels east and south of the block's corner."""
    t = GRID.transform(WINDOW)
    return shapely.transform(polygons, lambda p: (p - [t.c, t.f]) / [t.a, t.e])


@settings(max_examples=60, deadline=None)
@given(MASKS)
def test_before_simplifying_the_polygons_are_the_mask(mask):
    found = in_pixels(polygons_of(mask, 0).polygons)
    burnt = (
        rasterize(found, out_shape=mask.shape, fill=0, default_value=1) if len(found) else 0 * mask
    )
    np.testing.assert_array_equal(burnt == 1, mask)
    # An eighth of a pixel is cut from each corner, and added in each nook: an outline has four
    # more of the one than of the other, a hole four fewer.
    rings = euler_number(np.pad(mask, 1), connectivity=1)  # regions less holes
    assert shapely.area(found).sum() == pytest.approx(mask.sum() - rings / 2, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(MASKS, st.sampled_from([0.5, 0.8, 2.0]))
def test_polygons_stay_valid_apart_and_as_many(mask, tolerance):
    """4-connected regions, counted by scipy; no two polygons share even a point."""
    found = polygons_of(mask, tolerance).polygons
    assert len(found) == ndimage.label(mask)[1]
    assert shapely.is_valid(found).all()
    a, b = shapely.STRtree(found).query(found, predicate="intersects")
    np.testing.assert_array_equal(a, b)


@settings(max_examples=40, deadline=None)
@given(MASKS, st.sampled_from([0.0, 0.8]))
def test_cropland_and_the_rest_share_every_edge_and_leave_no_gap(mask, tolerance):
    """GEOS makes faces of the outlines alone: together they fill the county, each is on one side."""
    found = polygons_of(mask, tolerance).polygons
    lines = shapely.union_all([*shapely.boundary(found), COUNTY.exterior])
    faces = np.array(shapely.polygonize([lines]).geoms, dtype=object)
    assert shapely.area(faces).sum() == pytest.approx(COUNTY.area, rel=1e-12)
    cropland = shapely.union_all(found)
    assert shapely.area(found).sum() == pytest.approx(cropland.area, rel=1e-12)
    inside = shapely.contains_xy(cropland, *_places(faces))
    assert shapely.area(faces[inside]).sum() == pytest.approx(cropland.area, rel=1e-9, abs=1e-15)


def _places(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    points = shapely.point_on_surface(faces)
    return shapely.get_x(points), shapely.get_y(points)


@settings(max_examples=30, deadline=None)
@given(MASKS)
def test_hectares_are_those_of_each_polygon_and_account_for_the_mask(mask):
    found = polygons_of(mask, 0.8)
    expected = [polygon_area_ha(polygon) for polygon in found.polygons]
    # Geodesics bow out from straight edges: little at this size of pixels (45 m).
    np.testing.assert_allclose(found.area_ha, expected, rtol=1e-5)
    assert found.area_ha.sum() == pytest.approx(found.outlined_ha, rel=1e-12)
    assert found.removed_small_ha == found.filled_holes_ha == 0


def test_small_polygons_go_and_small_holes_are_filled_with_what_lies_in_them():
    mask = np.zeros((SIZE, SIZE), dtype=bool)
    mask[2:12, 2:12] = True
    mask[4:10, 4:10] = False
    mask[6:8, 6:8] = True  # an island in the hole
    mask[18:20, 18:20] = True
    pixel = mask_area_ha(np.ones((1, 1)), GRID.transform(WINDOW))
    rings = rings_of(mask, 0)
    ring_ha = np.sort(ring_areas_ha(degrees(rings, GRID), rings.starts)) / pixel
    np.testing.assert_allclose(ring_ha, [3.5, 3.5, 35.5, 99.5], rtol=5e-3)
    keep = ExportSettings(tolerance_pixels=0, min_area_ha=3 * pixel, fill_holes_ha=40 * pixel)
    found = build_polygons(rings, COUNTY, GRID, keep)
    assert np.allclose(np.sort(found.area_ha) / pixel, [3.5, 99.5], rtol=5e-3)
    assert found.filled_holes_ha / pixel == pytest.approx(32, rel=5e-3)
    drop = ExportSettings(tolerance_pixels=0, min_area_ha=4 * pixel, fill_holes_ha=0)
    found = build_polygons(rings, COUNTY, GRID, drop)
    assert np.allclose(found.area_ha / pixel, [64], rtol=5e-3)
    assert found.removed_small_ha / pixel == pytest.approx(7, rel=5e-3)
