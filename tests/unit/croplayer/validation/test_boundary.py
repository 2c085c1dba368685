"""Boundary agreement against a pixel-by-pixel reading of its definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from croplayer.blocks.edges import edge_pixels
from croplayer.validation.boundary import BoundaryCounts, boundary


def random_maps(seed):
    rng = np.random.default_rng(seed)
    mapped, truth = (ndimage.gaussian_filter(rng.normal(size=(14, 17)), 1.2) > 0 for _ in range(2))
    return mapped, truth, rng.random((14, 17)) < 0.9


def brute_boundary(cropland, valid):
    found = set()
    rows, cols = cropland.shape
    for r in range(rows):
        for c in range(cols):
            for dr, dc in ((0, 1), (1, 0), (0, -1), (-1, 0)):
                a, b = r + dr, c + dc
                inside = 0 <= a < rows and 0 <= b < cols
                if inside and valid[r, c] and valid[a, b] and cropland[r, c] and not cropland[a, b]:
                    found.add((r, c))
    return found


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1.0, 1.5, 3.0]))
def test_counts_follow_the_definition(seed, tolerance):
    mapped, truth, valid = random_maps(seed)
    counts = BoundaryCounts.count(mapped, truth, valid, tolerance)
    ours, theirs = brute_boundary(mapped, valid), brute_boundary(truth, valid)

    def near(one, other):
        return sum(any(np.hypot(r - a, c - b) <= tolerance for a, b in other) for r, c in one)

    assert (counts.mapped, counts.truth) == (len(ours), len(theirs))
    assert counts.mapped == edge_pixels(mapped & valid, valid), "those of the edge density"
    assert counts.mapped_confirmed == near(ours, theirs)
    assert counts.truth_found == near(theirs, ours)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_maps_change_places_with_precision_and_recall(seed):
    mapped, truth, valid = random_maps(seed)
    one = BoundaryCounts.count(mapped, truth, valid, 2)
    other = BoundaryCounts.count(truth, mapped, valid, 2)
    assert (one.precision, one.recall) == (other.recall, other.precision)
    assert one.f1 == pytest.approx(other.f1)
    perfect = BoundaryCounts.count(truth, truth, valid, 2)
    assert perfect.f1 == 1
    total = one + other
    assert total.mapped == one.mapped + other.mapped


def test_no_boundary_has_no_ratio_and_a_missed_one_is_zero():
    nothing, everything = np.zeros((5, 5), bool), np.ones((5, 5), bool)
    assert np.isnan(BoundaryCounts.count(nothing, everything, everything, 2).f1)
    half = everything.copy()
    half[:, :2] = False
    assert BoundaryCounts.count(nothing, half, everything, 2).f1 == 0
    assert not boundary(everything, everything).any(), "the rim of the picture is no boundary"
