from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from rasterio.transform import Affine
from scipy import ndimage

from croplayer.terrain.derivatives import roughness_m, ruggedness_m, slope_degrees

DEMS = hnp.arrays(
    np.float64,
    st.tuples(st.integers(3, 9), st.integers(3, 9)),
    elements=st.one_of(st.integers(-400, 9000).map(float), st.just(float("nan"))),
)
needs_gdaldem = pytest.mark.skipif(
    shutil.which("gdaldem") is None, reason="the program gdaldem is not installed"
)


def all_three(elevation, cell_x=30.0, cell_y=30.0):
    return {
        "slope": slope_degrees(elevation, cell_x, cell_y),
        "riley": ruggedness_m(elevation),
        "wilson": ruggedness_m(elevation, "wilson"),
        "roughness": roughness_m(elevation),
    }


def random_dem(seed, dtype, shape=(61, 47)):
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.normal(size=shape), 3)
    z = 600 + 4000 * smooth + rng.normal(0, 3, shape)
    return z.astype(dtype)


@needs_gdaldem
@pytest.mark.parametrize("dtype", ["int16", "float32"])
@pytest.mark.parametrize("cell", [(30.0, 30.0), (21.5, 30.9)])
@pytest.mark.parametrize("missing", [-32768.0, float("nan")])
def test_equal_to_gdaldem(tmp_path, dtype, cell, missing):
    if dtype == "int16" and np.isnan(missing):
        missing = -9999.0
    z = random_dem(4, dtype)
    holes = np.random.default_rng(8).random(z.shape) < 0.01
    holes[:2, :3] = holes[-1, -1] = True
    z[holes] = missing
    source = tmp_path / "dem.tif"
    with rasterio.open(
        source,
        "w",
        driver="GTiff",
        height=z.shape[0],
        width=z.shape[1],
        count=1,
        dtype=dtype,
        crs="EPSG:32633",
        transform=Affine(cell[0], 0, 500000, 0, -cell[1], 5500000),
        nodata=missing,
    ) as dataset:
        dataset.write(z, 1)
    ours = all_three(np.where(holes, np.nan, z.astype(float)), *cell)
    calls = {
        "slope": ["slope"],
        "riley": ["TRI", "-alg", "Riley"],
        "wilson": ["TRI", "-alg", "Wilson"],
        "roughness": ["roughness"],
    }
    for name, (mode, *options) in calls.items():
        target = tmp_path / f"{name}.tif"
        subprocess.run(["gdaldem", mode, source, target, "-q", *options], check=True)
        with rasterio.open(target) as dataset:
            theirs = dataset.read(1, masked=True).filled(np.nan)
        np.testing.assert_array_equal(np.isnan(ours[name]), np.isnan(theirs), err_msg=name)
        np.testing.assert_allclose(ours[name], theirs, rtol=2e-5, atol=2e-4, err_msg=name)


def test_against_scipy():
    z = random_dem(1, float)
    got = all_three(z)
    inner = (slice(1, -1), slice(1, -1))
    gx, gy = (ndimage.sobel(z, axis=axis) / (8 * 30) for axis in (1, 0))
    slope = np.degrees(np.arctan(np.hypot(gx, gy)))
    np.testing.assert_allclose(got["slope"][inner], slope[inner], atol=1e-9)
    roughness = ndimage.maximum_filter(z, 3) - ndimage.minimum_filter(z, 3)
    np.testing.assert_allclose(got["roughness"][inner], roughness[inner], atol=1e-9)
    riley = ndimage.generic_filter(z, lambda w: np.sqrt(np.sum((w - w[4]) ** 2)), 3)
    np.testing.assert_allclose(got["riley"][inner], riley[inner], atol=1e-9)
    wilson = ndimage.generic_filter(z, lambda w: np.sum(np.abs(w - w[4])) / 8, 3)
    np.testing.assert_allclose(got["wilson"][inner], wilson[inner], atol=1e-9)


@settings(deadline=None)
@given(DEMS, st.integers(-300, 300))
def test_lifting_the_land_changes_nothing(z, lift):
    for name, value in all_three(z + lift).items():
        np.testing.assert_allclose(value, all_three(z)[name], atol=1e-6, err_msg=name)


@settings(deadline=None)
@given(DEMS)
def test_mirror_and_turn_symmetry(z):
    want = all_three(z, 20.0, 30.0)
    for name, value in all_three(z[:, ::-1], 20.0, 30.0).items():
        np.testing.assert_allclose(value[:, ::-1], want[name], atol=1e-9, err_msg=name)
    for name, value in all_three(z[::-1], 20.0, -30.0).items():
        np.testing.assert_allclose(value[::-1], want[name], atol=1e-9, err_msg=name)
    for name, value in all_three(z.T, 30.0, 20.0).items():
        np.testing.assert_allclose(value.T, want[name], atol=1e-9, err_msg=name)


@settings(deadline=None)
@given(DEMS)
def test_missing_exactly_where_the_neighbourhood_is_incomplete(z):
    whole = ndimage.minimum_filter(np.isfinite(z).astype(int), 3, mode="constant") == 1
    for name, value in all_three(z).items():
        np.testing.assert_array_equal(np.isfinite(value), whole, err_msg=name)


@given(st.floats(-80, 80), st.floats(0, 360))
def test_slope_of_a_plane(angle, towards):
    y, x = np.mgrid[0:5, 0:5]
    rise = np.tan(np.radians(angle))
    t = np.radians(towards)
    z = rise * (x * 25.0 * np.sin(t) + y * 40.0 * np.cos(t))
    got = slope_degrees(z, 25.0, 40.0)
    np.testing.assert_allclose(got[1:-1, 1:-1], abs(angle), atol=1e-6)


def test_cell_sizes_may_differ_from_row_to_row():
    z = random_dem(3, float, (6, 7))
    sizes = np.array([10.0, 20, 30, 40, 50, 60])
    got = slope_degrees(z, sizes, sizes)
    for row in range(1, 5):
        want = slope_degrees(z, sizes[row], sizes[row])
        np.testing.assert_allclose(got[row], want[row])


def test_infinite_elevations_count_as_missing():
    z = random_dem(2, float, (5, 5))
    z[2, 2] = np.inf
    assert all(np.isnan(value).all() for value in all_three(z).values())


def test_a_raster_without_a_neighbourhood_is_refused():
    with pytest.raises(ValueError, match="at least 3 x 3"):
        roughness_m(np.zeros((2, 9)))
    with pytest.raises(ValueError, match="riley or wilson"):
        ruggedness_m(np.zeros((3, 3)), "rley")
