from __future__ import annotations

import colorsys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage
from skimage import filters

from croplayer.quality.features import (
    circular_median_degrees,
    image_features,
    rgb_to_hsl,
    sobel_magnitude,
)

COLOURS = hnp.arrays(np.uint8, st.tuples(st.just(3), st.integers(1, 40)))
ANGLES = hnp.arrays(np.float64, st.integers(1, 40), elements=st.integers(-85, 85))


def circular_distance(a, b):
    return abs((a - b + 180) % 360 - 180)


def random_image(seed=0, shape=(30, 40)):
    return np.random.default_rng(seed).integers(0, 256, (3, *shape), dtype=np.uint8)


def test_sobel_equals_scipy():
    rgb = random_image()
    bands = rgb / 255
    want = np.mean(
        [np.hypot(ndimage.sobel(band, axis=0), ndimage.sobel(band, axis=1)) for band in bands],
        axis=0,
    )[1:-1, 1:-1]
    np.testing.assert_allclose(sobel_magnitude(rgb), want, rtol=1e-5, atol=1e-6)


def test_sobel_equals_skimage_up_to_its_scale():
    rgb = random_image(1)
    # skimage divides the kernels by 4 and the magnitude by the root of 2.
    want = np.mean([filters.sobel(band / 255) for band in rgb], axis=0)[1:-1, 1:-1]
    np.testing.assert_allclose(sobel_magnitude(rgb), 4 * np.sqrt(2) * want, rtol=1e-5, atol=1e-6)


@settings(deadline=None)
@given(COLOURS)
def test_hsl_equals_colorsys(rgb):
    hue, saturation, lightness = rgb_to_hsl(rgb)
    for i, pixel in enumerate(rgb.T / 255):
        h, v, s = colorsys.rgb_to_hls(*pixel)
        assert lightness[i] == pytest.approx(v, abs=1e-6)
        assert saturation[i] == pytest.approx(s, abs=1e-5)
        if pixel.max() == pixel.min():
            assert np.isnan(hue[i])
        else:
            assert circular_distance(hue[i], 360 * h) < 1e-3


@settings(deadline=None)
@given(COLOURS)
def test_cycling_the_channels_turns_the_hue_by_120_degrees(rgb):
    hue, saturation, lightness = rgb_to_hsl(rgb)
    turned = rgb_to_hsl(np.roll(rgb, 1, axis=0))
    coloured = np.isfinite(hue)
    assert np.all(circular_distance(turned[0][coloured], hue[coloured] + 120) < 1e-3)
    np.testing.assert_array_equal(turned[1], saturation)
    np.testing.assert_array_equal(turned[2], lightness)


@given(ANGLES, st.floats(-720, 720))
def test_within_a_half_circle_the_circular_median_is_the_ordinary_one_turned(angles, turn):
    got = circular_median_degrees(angles + turn)
    assert 0 <= got < 360
    assert circular_distance(got, np.median(angles) + turn) < 1e-6


def test_circular_median_across_north_is_not_in_the_south():
    assert circular_median_degrees(np.array([350.0, 355.0, 5.0, 20.0, 1.0])) == pytest.approx(1.0)
    assert np.isnan(circular_median_degrees(np.array([])))


def test_gradients_at_the_edge_of_a_block_use_the_real_neighbours():
    rgb = np.zeros((3, 5, 5), dtype=np.uint8)
    valid = np.ones((5, 5), dtype=bool)
    assert image_features(rgb, valid).sharpness == 0
    rgb[:, :, -1] = rgb[:, :, 0] = 255  # the columns outside the block of 3 x 3
    np.testing.assert_allclose(sobel_magnitude(rgb), [[4, 0, 4]] * 3)
    assert image_features(rgb, valid).sharpness == 4


def test_features_equal_a_brute_force_over_valid_pixels():
    # More rows than one strip, so that strips must join without a seam.
    rng = np.random.default_rng(5)
    rgb = rng.integers(0, 256, (3, 600, 19), dtype=np.uint8)
    # Hues on one side of the circle, so that the ordinary median is the oracle.
    rgb[0] = 200 + rgb[0] // 8
    rgb[1] = 100 + rgb[1] // 8
    rgb[2] //= 4
    valid = rng.random(rgb.shape[1:]) > 0.02
    got = image_features(rgb, valid)
    sharpness, colours = [], []
    gradient = np.mean(
        [np.hypot(ndimage.sobel(b / 255, axis=0), ndimage.sobel(b / 255, axis=1)) for b in rgb], 0
    )
    for r in range(1, rgb.shape[1] - 1):
        for c in range(1, rgb.shape[2] - 1):
            if valid[r, c]:
                colours.append(colorsys.rgb_to_hls(*(rgb[:, r, c] / 255)))
            if valid[r - 1 : r + 2, c - 1 : c + 2].all():
                sharpness.append(gradient[r, c])
    h, v, s = np.median(np.array(colours), axis=0)
    assert got.sharpness == pytest.approx(np.median(sharpness), rel=1e-5)
    assert got.hue == pytest.approx(360 * h, abs=1e-2)
    assert got.saturation == pytest.approx(s, abs=1e-5)
    assert got.lightness == pytest.approx(v, abs=1e-6)
    assert got.valid_fraction == valid[1:-1, 1:-1].mean()


def test_a_block_without_valid_pixels_has_no_features():
    got = image_features(random_image(), np.zeros((30, 40), dtype=bool))
    assert got.valid_fraction == 0
    assert all(np.isnan([got.sharpness, got.hue, got.saturation, got.lightness]))


def test_a_grey_block_has_lightness_but_no_hue():
    rgb = np.full((3, 8, 8), 90, dtype=np.uint8)
    got = image_features(rgb, np.ones((8, 8), dtype=bool))
    assert np.isnan(got.hue) and got.saturation == 0 and got.sharpness == 0
    assert got.lightness == pytest.approx(90 / 255)


def test_values_of_invalid_pixels_do_not_matter():
    rgb, rng = random_image(2), np.random.default_rng(9)
    valid = rng.random(rgb.shape[1:]) > 0.1
    other = np.where(valid, rgb, rng.integers(0, 256, rgb.shape, dtype=np.uint8)).astype(np.uint8)
    assert image_features(rgb, valid) == image_features(other, valid)


def test_thin_cloud_lowers_sharpness_and_saturation_and_raises_lightness():
    rgb, valid = random_image(4), np.ones((30, 40), dtype=bool)
    hazy = (0.4 * rgb + 0.6 * 240).astype(np.uint8)
    clear, veiled = image_features(rgb, valid), image_features(hazy, valid)
    assert veiled.sharpness < 0.5 * clear.sharpness
    assert veiled.lightness > clear.lightness
