"""Intervals by drawing with replacement, against exact quantiles and their laws."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from croplayer.validation.bootstrap import percentiles, resampled_sums, share_interval


@pytest.mark.parametrize(("share", "n"), [(0.9, 50), (0.5, 400), (0.02, 1000)])
def test_the_interval_of_a_share_is_that_of_the_binomial(share, n):
    found = share_interval(share, n, repeats=20_000, seed=1)
    exact = stats.binom(n, share).ppf([0.025, 0.975]) / n
    assert found == pytest.approx(exact, abs=1.01 / n)


def test_blocks_drawn_one_by_one_give_the_same_interval():
    correct = np.r_[np.ones(180), np.zeros(20)][:, np.newaxis]
    drawn = resampled_sums(correct, repeats=20_000, seed=2)[:, 0] / 200
    assert percentiles(drawn) == pytest.approx(
        share_interval(0.9, 200, repeats=20_000, seed=3), abs=0.006
    )


def test_sums_have_the_spread_of_the_theory_and_keep_rows_together():
    values = np.random.default_rng(0).gamma(2, size=(60, 1)) * [1.0, 3.0]
    sums = resampled_sums(values, repeats=20_000, seed=4)
    assert sums.shape == (20_000, 2)
    assert sums[:, 0].mean() == pytest.approx(values[:, 0].sum(), rel=0.01)
    assert sums[:, 0].std() == pytest.approx(values[:, 0].std() * np.sqrt(60), rel=0.03)
    np.testing.assert_allclose(sums[:, 1], 3 * sums[:, 0])


def test_one_unit_has_no_interval():
    assert share_interval(1.0, 1, repeats=100, seed=0) is None
    assert percentiles(resampled_sums(np.ones((1, 2)), repeats=100, seed=0)[:, 0]) is None


def test_one_seed_is_one_interval():
    assert share_interval(0.9, 50, repeats=100, seed=7) == share_interval(
        0.9, 50, repeats=100, seed=7
    )
