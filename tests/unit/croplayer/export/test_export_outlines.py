"""Outlines and their simplification: laws on random masks, against scikit-image and shapely."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.measure import euler_number

from croplayer.export.outlines import trace
from croplayer.export.straighten import simplify


def random_mask(seed: int, size: int, smooth: float, share: float) -> np.ndarray:
    """A mask with a frame of background, from noise smoothed over `smooth` pixels."""
    noise = np.random.default_rng(seed).standard_normal((size, size))
    noise = ndimage.gaussian_filter(noise, smooth) if smooth else noise
    mask = noise > np.quantile(noise, 1 - share)
    mask[[0, -1]] = mask[:, [0, -1]] = False
    return mask


def rings_of(outlines) -> list[shapely.LinearRing]:
    assert outlines.closed.all()
    return [
        shapely.LinearRing(np.column_stack([outlines.x[a:b], outlines.y[a:b]]) / 2)
        for a, b in zip(outlines.starts[:-1], outlines.starts[1:], strict=True)
    ]


def simplified(mask: np.ndarray, tolerance: float = 0.8, offset: float = 0.2):
    outlines, heading = trace(mask)
    return simplify(
        outlines,
        heading,
        rows=mask.shape[0],
        cols=mask.shape[1],
        tolerance_pixels=tolerance,
        offset_pixels=offset,
    )


masks = st.builds(
    random_mask,
    seed=st.integers(0, 10**6),
    size=st.integers(6, 40),
    smooth=st.sampled_from([0.0, 0.7, 1.5, 3.0]),
    share=st.floats(0.1, 0.9),
)


@settings(max_examples=30, deadline=None)
@given(masks)
def test_there_is_a_ring_for_each_region_and_each_hole(mask):
    """4-connected regions, 8-connected holes: counted by scipy and scikit-image alone."""
    outlines, _ = trace(mask)
    regions = ndimage.label(mask)[1]
    holes = regions - euler_number(mask, connectivity=1)
    signed = [shapely.LinearRing(ring).is_ccw for ring in rings_of(outlines)]
    # y points southward, so rings with cropland on the left appear clockwise.
    assert signed.count(False) == regions
    assert signed.count(True) == holes


@settings(max_examples=30, deadline=None)
@given(masks)
def test_every_cropland_pixel_centre_is_inside_and_no_other(mask):
    """The traced outline parts pixel centres exactly as the mask does."""
    rings = rings_of(trace(mask)[0])
    rows, cols = np.indices(mask.shape)
    inside = np.zeros(mask.shape, dtype=int)
    for ring in rings:
        inside += shapely.contains_xy(shapely.Polygon(ring), cols + 0.5, rows + 0.5)
    np.testing.assert_array_equal(inside % 2 == 1, mask)


@settings(max_examples=60, deadline=None)
@given(masks, st.sampled_from([0.0, 0.5, 0.8, 1.5, 4.0]), st.sampled_from([0.1, 0.3, 1.0]))
def test_simplified_outlines_neither_cross_nor_touch(mask, tolerance, offset):
    rings = rings_of(simplified(mask, tolerance, offset))
    assert all(ring.is_simple for ring in rings)
    tree = shapely.STRtree(rings)
    a, b = tree.query(np.array(rings, dtype=object), predicate="intersects")
    assert (a == b).all()


@settings(max_examples=25, deadline=None)
@given(masks, st.sampled_from([0.5, 0.8, 1.5]))
def test_no_outline_moves_further_than_the_tolerance(mask, tolerance):
    before = rings_of(trace(mask)[0])
    after = rings_of(simplified(mask, tolerance))
    assert len(before) == len(after)
    for old, new in zip(before, after, strict=True):
        assert shapely.distance(shapely.points(old.coords), new).max() <= tolerance + 1e-9


@settings(max_examples=25, deadline=None)
@given(masks)
def test_simplifying_keeps_which_ring_lies_in_which(mask):
    def nesting(rings):
        polygons = np.array([shapely.Polygon(ring) for ring in rings], dtype=object)
        tree = shapely.STRtree(polygons)
        return sorted(zip(*tree.query(polygons, predicate="contains_properly"), strict=True))

    assert nesting(rings_of(trace(mask)[0])) == nesting(rings_of(simplified(mask)))


def test_a_slow_staircase_becomes_one_edge():
    """A straight edge that climbs one pixel in seven: the steps go, the corners stay."""
    rows, cols = np.indices((120, 160))
    mask = (cols > 20) & (cols < 140) & (rows > 20 + cols / 7) & (rows < 70 + cols / 7)
    ring = rings_of(simplified(mask))[0]
    assert len(ring.coords) - 1 <= 16
    assert shapely.Polygon(ring).area == pytest.approx(mask.sum(), rel=0.005)


def test_without_tolerance_only_vertices_on_straight_runs_go():
    mask = random_mask(3, 60, 1.5, 0.5)
    before, after = rings_of(trace(mask)[0]), rings_of(simplified(mask, tolerance=0))
    for old, new in zip(before, after, strict=True):
        assert shapely.Polygon(old).symmetric_difference(shapely.Polygon(new)).area == 0


def test_area_hardly_changes_on_fields_and_on_blobs():
    for smooth in (4, 8):
        mask = random_mask(5, 600, smooth, 0.5)
        area = sum(
            shapely.Polygon(ring).area * (-1 if shapely.LinearRing(ring).is_ccw else 1)
            for ring in rings_of(simplified(mask))
        )
        assert area == pytest.approx(mask.sum(), rel=0.01)


def test_an_outline_that_leaves_through_the_frame_stays_open_and_keeps_its_ends():
    mask = np.zeros((20, 20), dtype=bool)
    mask[5:15, 8:] = True
    outlines = simplified(mask, tolerance=4.0, offset=1.0)
    assert not outlines.closed.any()
    ends = {(outlines.x[0], outlines.y[0]), (outlines.x[-1], outlines.y[-1])}
    assert ends == {(39, 10), (39, 30)}
    assert len(outlines.x) >= 3  # it must not lie down on the frame


def test_an_array_without_cropland_has_no_outline():
    outlines = simplified(np.zeros((12, 12), dtype=bool))
    assert len(outlines.x) == 0 and len(outlines.closed) == 0
