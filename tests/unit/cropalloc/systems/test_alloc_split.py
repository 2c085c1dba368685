"""I + H + L is the total, bit by bit, in whatever order it is summed."""

from __future__ import annotations

import itertools
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cropalloc.systems import split_exactly

share = st.floats(0, 1, allow_subnormal=False)


@given(st.floats(0, 1e9), share, share)
def test_parts_sum_to_the_total_in_every_order(total, irrigated, ratio):
    high = min(ratio, 1 - irrigated)
    shares = np.array([[irrigated, high, 1 - irrigated - high]])
    parts = split_exactly(np.array([total]), shares)[0]
    assert (parts >= 0).all()
    for a, b, c in itertools.permutations(parts):
        assert (a + b) + c == total
    assert math.fsum(parts) == total
    np.testing.assert_allclose(parts, shares[0] * total, rtol=1e-12, atol=1e-15 * max(total, 1) * 4)


def test_the_largest_part_takes_the_rounding():
    parts = split_exactly(np.array([10.0]), np.array([[1 / 3, 1 / 3 + 1e-3, 1 / 3 - 1e-3]]))[0]
    np.testing.assert_allclose(parts[[0, 2]], [10 / 3, 10 / 3 - 1e-2], atol=1e-15)
    assert parts[1] == 10.0 - (parts[0] + parts[2])
