"""Standard deviational ellipses against eigenvectors, analytic clouds and laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cropalloc.change import deviational_ellipse


def cloud(seed, n=60):
    rng = np.random.default_rng(seed)
    return rng.normal(0, 3e5, n), rng.normal(0, 1e5, n), rng.gamma(2, 50, n)


def axis_angle(a, b):
    """Smallest angle between two directions of axes, degrees."""
    return abs((a - b + 90) % 180 - 90)


@pytest.mark.parametrize("weights", ["area", "area_squared"])
@given(st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_axes_are_the_eigenvectors_of_the_weighted_covariance(weights, seed):
    x, y, area = cloud(seed)
    found = deviational_ellipse(x, y, area, weights=weights)
    centre = np.average(np.array([x, y]), axis=1, weights=area)
    w = area if weights == "area" else area**2
    off = np.array([x, y]) - centre[:, None]
    values, vectors = np.linalg.eigh((w * off) @ off.T / w.sum())
    assert (found.x, found.y) == pytest.approx(tuple(centre))
    assert found.semi_major == pytest.approx(np.sqrt(values[1]))
    assert found.semi_minor == pytest.approx(np.sqrt(values[0]))
    azimuth = np.degrees(np.arctan2(vectors[0, 1], vectors[1, 1])) % 180
    assert axis_angle(found.rotation_degrees, azimuth) < 1e-6


@given(st.integers(0, 10**6), st.floats(-180, 180))
@settings(max_examples=40, deadline=None)
def test_turning_the_cloud_turns_the_ellipse_and_nothing_else(seed, turn):
    x, y, area = cloud(seed)
    before = deviational_ellipse(x, y, area)
    t = np.radians(turn)  # clockwise
    after = deviational_ellipse(x * np.cos(t) + y * np.sin(t), -x * np.sin(t) + y * np.cos(t), area)
    assert after.semi_major == pytest.approx(before.semi_major)
    assert after.semi_minor == pytest.approx(before.semi_minor)
    assert axis_angle(after.rotation_degrees, before.rotation_degrees + turn) < 1e-5


@pytest.mark.parametrize("rotation", [0, 30, 90, 135, 179])
def test_a_gaussian_cloud_gives_back_its_axes_and_direction(rotation):
    # A product grid of Gauss-Hermite nodes has the moments of the Gaussian exactly.
    nodes, weight = np.polynomial.hermite_e.hermegauss(12)
    along, across = np.meshgrid(nodes * 500.0, nodes * 120.0)
    t = np.radians(rotation)
    x = 10 + along * np.sin(t) + across * np.cos(t)
    y = -7 + along * np.cos(t) - across * np.sin(t)
    found = deviational_ellipse(x.ravel(), y.ravel(), np.outer(weight, weight).ravel())
    assert (found.x, found.y) == pytest.approx((10, -7))
    assert (found.semi_major, found.semi_minor) == pytest.approx((500, 120))
    assert axis_angle(found.rotation_degrees, rotation) < 1e-6
    assert 0 <= found.rotation_degrees < 180


def test_squared_weights_are_those_of_the_printed_equations():
    """Eq. 22-23 with the signs of a rotation, evaluated as they stand."""
    x, y, area = cloud(5)
    found = deviational_ellipse(x, y, area, weights="area_squared")
    dx, dy = x - found.x, y - found.y
    t = np.radians(found.rotation_degrees)
    total = np.sum(area**2)
    along = np.sqrt(np.sum((area * (dx * np.sin(t) + dy * np.cos(t))) ** 2) / total)
    across = np.sqrt(np.sum((area * (dx * np.cos(t) - dy * np.sin(t))) ** 2) / total)
    assert (found.semi_major, found.semi_minor) == pytest.approx((along, across))


def test_a_round_cloud_has_no_direction_and_a_point_no_extent():
    turn = np.arange(8) * np.pi / 4
    found = deviational_ellipse(np.cos(turn), np.sin(turn), np.ones(8))
    assert found.semi_major == pytest.approx(np.sqrt(0.5))
    assert np.isnan(found.rotation_degrees)
    point = deviational_ellipse(np.array([3.0]), np.array([4.0]), np.array([2.0]))
    assert (point.x, point.y, point.semi_major, point.semi_minor) == (3, 4, 0, 0)


def test_the_outline_lies_on_the_ellipse():
    x, y, area = cloud(9)
    found = deviational_ellipse(x, y, area, standard_deviations=2)
    t = np.radians(found.rotation_degrees)
    off = found.outline(40) - [found.x, found.y]
    along = off @ [np.sin(t), np.cos(t)] / found.semi_major
    across = off @ [np.cos(t), -np.sin(t)] / found.semi_minor
    np.testing.assert_allclose(along**2 + across**2, 1)
    one = deviational_ellipse(x, y, area)
    assert found.semi_major == pytest.approx(2 * one.semi_major)


def test_a_cloud_without_area_is_refused():
    with pytest.raises(ValueError, match="points with area"):
        deviational_ellipse(np.zeros(2), np.zeros(2), np.zeros(2))
