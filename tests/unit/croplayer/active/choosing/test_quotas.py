"""Laws of quotas: they add up, follow the shares, and keep them in every beginning of the list."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from croplayer.active.choosing.quotas import apportion, shares_of_strata, spread_evenly

NAMES = ("flat", "hilly", "steep", "other")


@st.composite
def divisions(draw):
    names = NAMES[: draw(st.integers(1, 4))]
    shares = {n: draw(st.floats(0, 1)) for n in names}
    capacity = {n: draw(st.integers(0, 30)) for n in names}
    return shares, capacity, draw(st.integers(0, 80))


@given(divisions())
def test_quotas_sum_to_what_is_wanted_or_to_all_there_is(case):
    shares, capacity, total = case
    quota = apportion(shares, capacity, total)
    assert sum(quota.values()) == min(total, sum(capacity.values()))
    assert all(0 <= quota[name] <= capacity[name] for name in shares)


@given(st.dictionaries(st.sampled_from(NAMES), st.floats(0.01, 1), min_size=1), st.integers(0, 200))
def test_without_limits_every_quota_is_within_one_of_its_share(shares, total):
    quota = apportion(shares, dict.fromkeys(shares, 10_000), total)
    whole = sum(shares.values())
    for name, share in shares.items():
        assert abs(quota[name] - total * share / whole) < 1


@given(divisions())
def test_a_stratum_of_share_zero_gets_nothing_while_others_have_room(case):
    shares, capacity, total = case
    shares = {**shares, "zero": 0.0}
    capacity = {**capacity, "zero": 50}
    quota = apportion(shares, capacity, total)
    if quota["zero"]:
        assert all(quota[n] == capacity[n] for n in shares if shares[n] > 0)


@given(st.dictionaries(st.sampled_from(NAMES), st.integers(0, 40), min_size=1))
def test_any_beginning_keeps_the_shares(counts):
    order = spread_evenly(counts)
    assert Counter(order) == Counter({n: c for n, c in counts.items() if c})
    total = len(order)
    for length in range(1, total + 1):
        found = Counter(order[:length])
        for name, count in counts.items():
            # Sainte-Lague strays from the exact share by less than the number of names.
            assert abs(found[name] - length * count / total) < len(counts)


def test_shares_that_are_not_given_divide_the_rest_by_size():
    shares = shares_of_strata(
        {"flat": 0.4, "hilly": None, "steep": None}, {"flat": 100, "hilly": 30, "steep": 10}
    )
    assert shares == pytest.approx({"flat": 0.4, "hilly": 0.45, "steep": 0.15})
    assert np.isclose(sum(shares.values()), 1)


def test_what_a_stratum_cannot_take_goes_to_the_others():
    assert apportion({"a": 0.5, "b": 0.5}, {"a": 2, "b": 20}, 10) == {"a": 2, "b": 8}
