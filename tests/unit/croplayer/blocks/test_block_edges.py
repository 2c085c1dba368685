"""Boundary pixels of Eq. 5 against scipy's dilation, and laws of the edge density."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from croplayer.blocks.edges import edge_density, edge_pixels

CODES = arrays(
    np.uint8,
    array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12),
    elements=st.integers(0, 2),
)
"""0 not cropland, 1 cropland, 2 nodata."""


@settings(max_examples=150, deadline=None)
@given(CODES)
def test_boundary_pixels_are_cropland_beside_valid_ground_without_it(codes):
    cross = ndimage.generate_binary_structure(2, 1)
    expected = ndimage.binary_dilation(codes == 0, cross) & (codes == 1)
    assert edge_pixels(codes == 1, codes != 2) == expected.sum()


@settings(max_examples=60, deadline=None)
@given(CODES)
def test_turning_a_block_changes_nothing(codes):
    turned = np.rot90(codes)
    found = edge_pixels(codes == 1, codes != 2)
    assert edge_pixels(turned == 1, turned != 2) == found
    assert found <= (codes == 1).sum()


def test_neither_the_frame_nor_nodata_is_a_boundary():
    crop, valid = np.ones((5, 7), dtype=bool), np.ones((5, 7), dtype=bool)
    assert edge_pixels(crop, valid) == 0
    valid[2, 3] = crop[2, 3] = False
    assert edge_pixels(crop, valid) == 0
    valid[2, 3] = True
    assert edge_pixels(crop, valid) == 4
    assert edge_density(crop, valid) == 4 / 35


def test_without_valid_pixels_there_is_no_density():
    nothing = np.zeros((3, 3), dtype=bool)
    assert math.isnan(edge_density(nothing, nothing))


@pytest.mark.parametrize("shapes", [((2, 2, 2), (2, 2, 2)), ((3, 4), (4, 3))])
def test_other_shapes_are_refused(shapes):
    with pytest.raises(ValueError, match="one shape"):
        edge_pixels(*(np.zeros(shape, dtype=bool) for shape in shapes))
