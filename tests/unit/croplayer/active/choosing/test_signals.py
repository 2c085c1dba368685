"""Uncertainty and disagreement by window beside numpy and scipy on whole arrays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from croplayer.active.choosing.signals import (
    entropy_bits,
    histograms,
    mean_uncertainty,
    share_where,
    smallness_of_margin,
)


def block(seed: int, edge: int = 24) -> np.ndarray:
    """Stored probabilities, a tenth of them nodata."""
    rng = np.random.default_rng(seed)
    stored = rng.integers(0, 251, (edge, edge), dtype=np.uint8)
    stored[rng.random((edge, edge)) < 0.1] = 255
    return stored


@given(st.floats(0, 1))
def test_entropy_is_that_of_scipy(p):
    assert entropy_bits(np.array(p)) == pytest.approx(stats.entropy([p, 1 - p], base=2), abs=1e-9)


@pytest.mark.parametrize("per_edge", [1, 2, 4])
@pytest.mark.parametrize("seed", range(3))
def test_means_of_windows_are_those_of_the_pixels(seed, per_edge):
    stored = block(seed)
    counts = histograms(stored, per_edge)
    step = 24 // per_edge
    for i in range(per_edge):
        for j in range(per_edge):
            part = stored[i * step : (i + 1) * step, j * step : (j + 1) * step]
            p = part[part != 255] / 250
            assert counts[i, j].sum() == p.size
            entropy = np.mean([stats.entropy([v, 1 - v], base=2) for v in p])
            assert mean_uncertainty(counts, "entropy")[i, j] == pytest.approx(entropy)
            margin = np.abs(p - (1 - p)).mean()
            assert mean_uncertainty(counts, "margin")[i, j] == pytest.approx(1 - margin)


def test_a_block_is_the_sum_of_its_windows():
    stored = block(7)
    parts = histograms(stored, 4).sum(axis=(0, 1))
    assert (parts == histograms(stored, 1)[0, 0]).all()


def test_a_window_without_imagery_is_missing_and_not_sure():
    stored = block(1)
    stored[:12, :12] = 255
    found = mean_uncertainty(histograms(stored, 2), "entropy")
    assert np.isnan(found[0, 0]) and np.isfinite(found[1, 1])


def test_uncertainty_is_largest_at_a_half_and_nothing_at_the_ends():
    p = np.array([0, 0.25, 0.5, 0.75, 1])
    for measure in (entropy_bits, smallness_of_margin):
        values = measure(p)
        assert values[[0, 4]] == pytest.approx([0, 0])
        assert values.argmax() == 2 and values[2] == pytest.approx(1)
        assert values[1] == pytest.approx(values[3])


def test_shares_count_valid_pixels_alone():
    rng = np.random.default_rng(3)
    differs, valid = rng.random((2, 24, 24)) < 0.5
    valid[:12, :12] = False
    found = share_where(differs, valid, 2)
    assert np.isnan(found[0, 0])
    assert found[0, 1] == pytest.approx(differs[:12, 12:][valid[:12, 12:]].mean())
    assert share_where(differs, valid, 1)[0, 0] == pytest.approx(differs[valid].mean())
