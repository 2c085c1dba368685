"""Agreement, area fraction, edge density, deviation and shift against brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from croplayer.comparison.codes import IN, STRANGE, UNCLEAR
from croplayer.comparison.measures import (
    best_shift,
    deviation,
    known,
    readings_of,
    structure,
    tabulate,
)

SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9)


def arrays(elements, dtype=np.uint8):
    return SHAPES.flatmap(
        lambda shape: st.tuples(*(hnp.arrays(dtype, shape, elements=e) for e in elements))
    )


@settings(deadline=None, max_examples=80)
@given(
    arrays([st.sampled_from([0, 1, 2, 254, 255]), st.integers(0, STRANGE), st.integers(0, 1)]),
    st.data(),
)
def test_every_pair_is_counted_once(maps, data):
    ours, states, inside = maps
    row_ha = np.array(
        data.draw(st.lists(st.floats(0.001, 9), min_size=len(ours), max_size=len(ours)))
    )
    pixels, hectares = tabulate(ours, states, inside.astype(bool), row_ha)
    expected, area = np.zeros((3, 5), int), np.zeros((3, 5))
    for row in range(ours.shape[0]):
        for col in range(ours.shape[1]):
            if inside[row, col]:
                at = min(int(ours[row, col]), 2), int(states[row, col])
                expected[at] += 1
                area[at] += row_ha[row]
    assert (pixels == expected).all()
    np.testing.assert_allclose(hectares, area, rtol=1e-12)


def edges_by_hand(cropland, valid):
    count = 0
    for row, col in zip(*np.nonzero(cropland), strict=True):
        around = [(row - 1, col), (row + 1, col), (row, col - 1), (row, col + 1)]
        count += any(
            0 <= r < cropland.shape[0]
            and 0 <= c < cropland.shape[1]
            and valid[r, c]
            and not cropland[r, c]
            for r, c in around
        )
    return count


@settings(deadline=None, max_examples=80)
@given(arrays([st.booleans(), st.booleans()], bool))
def test_structure_is_that_of_eq_5(maps):
    cropland, valid = maps[0] & maps[1], maps[1]
    af, ed = structure(cropland, valid)
    if valid.any():
        assert af == pytest.approx(cropland.sum() / valid.sum())
        assert ed == pytest.approx(edges_by_hand(cropland, valid) / valid.sum())
        assert ed <= af
    else:
        assert np.isnan(af) and np.isnan(ed)


def test_deviation_is_missing_where_the_final_map_has_nothing():
    found = deviation(np.array([2.0, 1.0, 3.0, np.nan]), np.array([1.0, 2.0, 0.0, 1.0]))
    assert found[:2].tolist() == [1.0, -0.5] and np.isnan(found[2:]).all()


@pytest.mark.parametrize("down", [-1, 0, 1])
@pytest.mark.parametrize("right", [-1, 0, 1])
def test_a_shifted_product_is_found_out(down, right):
    rng = np.random.default_rng(5)
    ours = np.kron(rng.random((20, 20)) > 0.5, np.ones((4, 4), bool))
    theirs = np.roll(ours, (-down * 4, -right * 4), (0, 1))
    assert best_shift(ours, theirs, np.ones_like(ours), (4, 4)) == (down, right)


def test_two_empty_maps_are_not_shifted():
    nothing = np.zeros((16, 16), bool)
    assert best_shift(nothing, nothing, ~nothing, (1, 1)) == (0, 0)


def test_readings_and_what_is_known():
    states = np.array([[0, 1, 2, 3, 4]], np.uint8)
    found = readings_of(states)
    assert found["strict"].tolist() == [[False, False, True, False, False]]
    assert found["lenient"].tolist() == [[False, True, True, False, False]]
    ours = np.array([[0, 1, 2, 1, 1]], np.uint8)
    assert known(ours, states, np.ones((1, 5), bool)).tolist() == [
        [True, True, False, False, False]
    ]
    assert (UNCLEAR, IN) == (1, 2)
