"""k-centre greedy beside a brute-force version."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from croplayer.active.choosing.kcentre import CentreSet, farthest, standardised


def greedy(points, start, count):
    """The package's k-centre greedy: every candidate equally promising."""
    centres = CentreSet(points, start)
    free, chosen = np.ones(len(points), bool), []
    for _ in range(count):
        best = farthest(centres.distance, free, np.ones(len(points)))
        chosen.append(best)
        centres.add(best)
        free[best] = False
    return chosen


def brute(points, start, count):
    """Each time the point whose nearest centre is farthest, all distances anew."""
    centres, chosen = [tuple(p) for p in start], []
    for _ in range(count):
        gaps = [
            -1.0
            if i in chosen
            else min((np.linalg.norm(p - np.array(c)) for c in centres), default=np.inf)
            for i, p in enumerate(points)
        ]
        best = int(np.argmax(gaps))
        chosen.append(best)
        centres.append(tuple(points[best]))
    return chosen


@pytest.mark.parametrize("seed", range(20))
def test_greedy_choice_is_that_of_brute_force(seed):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(rng.integers(6, 25), rng.integers(1, 6)))
    start = rng.normal(size=(rng.integers(0, 4), points.shape[1]))
    count = int(rng.integers(1, len(points)))
    assert greedy(points, start, count) == brute(points, start, count)


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_greedy_radius_is_at_most_twice_the_best(seed):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(9, 2))
    first = points[:1]

    def radius(members):
        return cdist(points, np.vstack([first, points[list(members)]])).min(axis=1).max()

    best = min(radius(members) for members in itertools.combinations(range(9), 2))
    assert radius(greedy(points, first, 2)) <= 2 * best + 1e-12


def test_of_candidates_equally_far_the_more_promising_is_taken():
    priority = np.array([0.2, 0.9, 0.8])
    every = np.ones(3, bool)
    assert farthest(np.array([1.0, 1.0, 2.0]), every, priority) == 2
    assert farthest(np.array([2.0, 2.0, 1.0]), every, priority) == 1
    assert farthest(np.full(3, np.inf), every, priority) == 1, "before anything is labelled"
    assert farthest(np.full(3, np.inf), np.array([1, 0, 1], bool), priority) == 2


def test_standardised_columns_have_one_scale_and_constant_ones_none():
    rng = np.random.default_rng(0)
    table = np.column_stack([rng.normal(5, 100, 400), rng.normal(0, 0.01, 400), np.full(400, 7.0)])
    scaled = standardised(table)
    assert scaled.mean(axis=0) == pytest.approx([0, 0, 0], abs=1e-12)
    assert scaled.std(axis=0) == pytest.approx([3**-0.5, 3**-0.5, 0])
    assert standardised(np.zeros((0, 4))).shape == (0, 4)
