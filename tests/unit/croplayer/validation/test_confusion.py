"""Counts and ratios against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, jaccard_score, precision_score, recall_score

from croplayer.validation.confusion import Confusion

COUNTS = st.integers(0, 50)


@pytest.mark.parametrize("seed", range(3))
def test_ratios_equal_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    mapped, truth, valid = rng.random((3, 40, 50)) < [[[0.4]], [[0.3]], [[0.8]]]
    found = Confusion.count(mapped, truth, valid)
    pair = truth[valid], mapped[valid]
    assert found.total == valid.sum()
    assert found.iou == pytest.approx(jaccard_score(*pair))
    assert found.precision == pytest.approx(precision_score(*pair))
    assert found.recall == pytest.approx(recall_score(*pair))
    assert found.f1 == pytest.approx(f1_score(*pair))
    assert found.overall_accuracy == pytest.approx(accuracy_score(*pair))


@settings(max_examples=50)
@given(st.lists(st.tuples(COUNTS, COUNTS, COUNTS, COUNTS), max_size=6))
def test_sums_pool_counts_and_not_ratios(rows):
    pooled = sum((Confusion(*row) for row in rows), Confusion())
    sums = np.array(rows, dtype=int).reshape(-1, 4).sum(axis=0)
    assert (pooled.tp, pooled.fp, pooled.fn, pooled.tn) == tuple(sums)


def test_undefined_ratios_are_missing_and_not_perfect():
    empty = Confusion(tn=7)
    assert math.isnan(empty.iou)
    assert math.isnan(empty.f1)
    assert empty.as_dict()["iou"] is None
    assert empty.as_dict()["overall_accuracy"] == 1.0


def test_the_pixels_that_are_not_valid_count_nowhere():
    ones = np.ones((2, 2), dtype=bool)
    assert Confusion.count(ones, ones, ~ones) == Confusion()
