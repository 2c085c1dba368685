"""Eq. 17-19 against scipy and numpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cropalloc.validation import agreement
from cropalloc.validation.measures import placement

areas = st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)), min_size=3, max_size=40)


@given(areas)
def test_measures_agree_with_scipy(pairs):
    a, s = np.array(pairs).T
    found = agreement(a, s)
    assert found["rmse_ha"] == pytest.approx(np.sqrt(np.mean((a - s) ** 2)))
    if np.ptp(a) > 1e-3 and np.ptp(s) > 1e-3:
        assert found["r"] == pytest.approx(stats.pearsonr(a, s).statistic, abs=1e-9)
        assert found["r_squared"] == pytest.approx(found["r"] ** 2)
        assert found["r2"] == pytest.approx(1 - np.sum((a - s) ** 2) / (np.var(s) * len(s)))
        assert found["r2"] <= found["r_squared"] + 1e-9


def test_both_forms_of_r2_differ_for_a_biased_map():
    s = np.array([10.0, 20.0, 30.0, 40.0])
    found = agreement(2 * s, s)
    assert found["r_squared"] == pytest.approx(1.0)
    assert found["r2"] == pytest.approx(1 - (s @ s) / 500.0)
    assert found["bias_ha"] == pytest.approx(25.0)


def test_the_mean_of_the_statistics_scores_zero():
    s = np.array([1.0, 5.0, 9.0])
    assert agreement(np.full(3, 5.0), s)["r2"] == pytest.approx(0.0)
    assert agreement(np.full(3, 5.0), s)["r"] is None


def test_logarithms_use_the_units_that_have_both():
    a, s = np.array([0.0, 1.0, 10.0, 100.0]), np.array([5.0, 1.0, 10.0, 100.0])
    found = agreement(a, s)
    assert (found["n"], found["n_log"]) == (4, 3)
    assert found["r_log"] == pytest.approx(1.0)


def test_undefined_measures_are_none():
    found = agreement(np.array([1.0]), np.array([2.0]))
    assert (found["r"], found["r2"], found["rmse_ha"]) == (None, None, 1.0)


def test_area_in_its_unit_and_pairs_left_empty():
    found = placement(np.array([5.0, 0.0, 8.0, 3.0]), np.array([10.0, 4.0, 6.0, 0.0]))
    assert found["overlap_share"] == pytest.approx((5 + 0 + 6) / 20)
    assert found["empty_share"] == pytest.approx(1 / 3)
    assert found["empty_area_share"] == pytest.approx(4 / 20)
    assert placement(np.array([1.0]), np.array([0.0]))["overlap_share"] is None
