"""Regions of a mask against scikit-image, and laws of the Euler number."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage
from skimage.measure import euler_number, label, regionprops

from croplayer.blocks.regions import measure_regions

MASKS = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=14))


def assert_equal_to_skimage(mask: np.ndarray) -> None:
    found = measure_regions(mask)
    expected = regionprops(label(mask, connectivity=2))
    assert found.area.tolist() == [r.area for r in expected]
    assert found.hull_area.tolist() == [r.area_convex for r in expected]
    assert found.solidity.tolist() == [r.solidity for r in expected]
    assert found.euler.tolist() == [r.euler_number for r in expected]


def blobs(seed: int, size: int, sigma: float, level: float) -> np.ndarray:
    noise = ndimage.gaussian_filter(
        np.random.default_rng(seed).standard_normal((size, size)), sigma
    )
    return noise > level * noise.std()


@settings(max_examples=150, deadline=None)
@given(MASKS)
def test_every_region_equals_scikit_image(mask):
    assert_equal_to_skimage(mask)


@pytest.mark.parametrize("seed", range(6))
def test_smooth_blobs_with_holes_equal_scikit_image(seed):
    assert_equal_to_skimage(blobs(seed, 160, 1.0 + seed, 0.3 * (seed % 3) - 0.2))


@pytest.mark.parametrize("angle", [3, 17, 30, 45, 62, 88])
def test_slanted_fields_equal_scikit_image(angle):
    # Long straight edges at odd slopes: here a rounding in the hull would show.
    rows, cols = np.mgrid[:220, :220] - 110.0
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    u, v = c * rows + s * cols, c * cols - s * rows
    assert_equal_to_skimage((abs(u) < 100) & (abs(v) < 31) & ((abs(u) > 20) | (abs(v) > 9)))


@settings(max_examples=150, deadline=None)
@given(MASKS)
def test_euler_numbers_sum_to_that_of_the_mask(mask):
    assert measure_regions(mask).euler.sum() == euler_number(mask, connectivity=2)


@settings(max_examples=60, deadline=None)
@given(MASKS)
def test_turning_the_mask_changes_no_region(mask):
    def rows(m):
        r = measure_regions(m)
        return sorted(zip(r.area, r.hull_area, r.euler, strict=True))

    assert rows(mask) == rows(mask[::-1]) == rows(mask[:, ::-1]) == rows(mask.T)


@settings(max_examples=60, deadline=None)
@given(MASKS)
def test_solidity_lies_above_zero_and_at_most_one(mask):
    solidity = measure_regions(mask).solidity
    assert np.all((solidity > 0) & (solidity <= 1))


def test_diagonal_neighbours_are_one_region_and_a_diagonal_gap_is_closed():
    mask = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], dtype=bool)
    found = measure_regions(mask)
    assert found.area.tolist() == [4]
    assert found.euler.tolist() == [0]
    assert found.hull_area.tolist() == [5]


def test_summary_of_known_regions():
    mask = np.zeros((9, 20), dtype=bool)
    mask[1:6, 1:6] = True
    mask[2:4, 2:4] = False  # one hole
    mask[1:3, 10:14] = True
    summary = measure_regions(mask).summary()
    assert summary.n_regions == 2
    assert summary.solidity_total == pytest.approx(21 / 25 + 1)
    assert summary.solidity_mean == pytest.approx((21 / 25 + 1) / 2)
    assert (summary.en_mean, summary.en_total) == (0.5, 1)


def test_means_without_regions_are_missing_and_totals_zero():
    summary = measure_regions(np.zeros((5, 7), dtype=bool)).summary()
    assert math.isnan(summary.solidity_mean)
    assert math.isnan(summary.en_mean)
    assert (summary.n_regions, summary.solidity_total, summary.en_total) == (0, 0.0, 0)


def test_a_view_that_is_not_contiguous_is_measured_as_it_is():
    mask = blobs(3, 80, 2, 0)
    assert measure_regions(mask[::2, ::3]).area.tolist() == (
        measure_regions(mask[::2, ::3].copy()).area.tolist()
    )


def test_three_dimensions_are_refused():
    with pytest.raises(ValueError, match="rows and columns"):
        measure_regions(np.zeros((2, 2, 2), dtype=bool))
