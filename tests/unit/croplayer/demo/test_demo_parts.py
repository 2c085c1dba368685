"""Building blocks of the generator against independent ways to reckon."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree
from skimage.morphology import reconstruction

from croplayer.demo.drainage import evolve, fill_pits, route
from croplayer.demo.noise import cells, fractal, hash32, stream, unit
from croplayer.demo.parcels import TRACK_EVERY, FieldRegions, terraces
from croplayer.demo.tiling import latitude_of, tile_of


def rough(seed, shape=(24, 31)):
    rng = np.random.default_rng(seed)
    height = rng.random(shape) * 10
    outlet = np.zeros(shape, bool)
    outlet[:, 0] = True
    return height, outlet


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_filled_relief_equals_morphological_reconstruction(seed):
    height, outlet = rough(seed)
    filled = fill_pits(height, outlet, rise=0.0)
    start = np.where(outlet, height, height.max())
    oracle = reconstruction(start, height, method="erosion", footprint=np.ones((3, 3)))
    np.testing.assert_allclose(filled, oracle)


def test_on_a_filled_relief_all_water_reaches_an_outlet():
    height, outlet = rough(4)
    flow = route(fill_pits(height, outlet), outlet, 1.0, 1.0)
    gathered = flow.gather(np.ones(height.size))
    assert gathered[outlet.ravel()].sum() == pytest.approx(height.size)
    pits = (flow.receiver == np.arange(height.size)) & ~outlet.ravel()
    assert not pits.any()


def test_what_is_upstream_is_what_a_walk_downstream_passes():
    height, outlet = rough(5)
    flow = route(fill_pits(height, outlet), outlet, 1.0, 1.0)
    gathered = flow.gather(np.ones(height.size))
    node = int(np.argsort(gathered)[-40])
    found = flow.upstream_of(node)
    for start in range(height.size):
        walker, met = start, False
        for _ in range(height.size):
            met |= walker == node
            if flow.receiver[walker] == walker:
                break
            walker = int(flow.receiver[walker])
        assert met == found[start]
    assert found.sum() == gathered[node]


def test_erosion_keeps_the_outlets_and_runs_downhill():
    height, outlet = rough(6)
    height[outlet] = 0
    shape = height.shape
    carved = evolve(
        height,
        np.full(shape, 1.0),
        outlet,
        dx=0.1,
        dy=0.1,
        steps=40,
        erodibility=np.full(shape, 0.5),
        creep=0.1,
    )
    np.testing.assert_array_equal(carved[outlet], 0)
    assert carved[~outlet].min() > 0
    flow = route(carved, outlet, 0.1, 0.1)
    drained = flow.gather(np.ones(carved.size))
    assert drained[outlet.ravel()].sum() > 0.9 * carved.size


def test_cells_are_those_of_the_nearest_seed():
    index, edge, seeds = cells((60, 90), np.random.default_rng(1), size=15, jitter=0.8)
    y, x = np.mgrid[0:60, 0:90] + 0.5
    distance, nearest = cKDTree(seeds).query(np.column_stack([x.ravel(), y.ravel()]), k=2)
    np.testing.assert_array_equal(index.ravel(), nearest[:, 0])
    oracle = (distance[:, 1] ** 2 - distance[:, 0] ** 2) / 30
    np.testing.assert_allclose(edge.ravel(), oracle, atol=1e-3)


@given(seed=st.integers(0, 1000), wavelength=st.floats(4, 60))
@settings(max_examples=15, deadline=None)
def test_fractal_noise_is_standardised_and_repeatable(seed, wavelength):
    first = fractal((40, 33), np.random.default_rng(seed), wavelength=wavelength)
    second = fractal((40, 33), np.random.default_rng(seed), wavelength=wavelength)
    np.testing.assert_array_equal(first, second)
    assert first.mean() == pytest.approx(0, abs=1e-3)
    assert first.std() == pytest.approx(1, abs=1e-3)


def test_hashes_are_even_and_differ_by_salt():
    keys = hash32(np.arange(20_000), 3)
    assert len(np.unique(keys)) == 20_000
    numbers = unit(keys, 1)
    counts, _ = np.histogram(numbers, 20, (0, 1))
    assert counts.min() > 850
    assert counts.max() < 1150
    assert abs(np.corrcoef(numbers, unit(keys, 2))[0, 1]) < 0.03


def test_streams_of_two_purposes_differ():
    a, b, again = (stream(1, name).random(5) for name in ("one", "two", "one"))
    assert not np.allclose(a, b)
    np.testing.assert_array_equal(a, again)


def field_pattern():
    angle, size = np.array([0.4], np.float32), np.array([14.0], np.float32)
    regions = FieldRegions(
        np.zeros((1, 1)), np.zeros((1, 1)), angle, size, (size * 2).astype(np.float32)
    )
    y, x = (a.astype(np.float32).ravel() + 0.5 for a in np.mgrid[0:200, 0:240])
    nowhere = np.zeros(x.shape, np.int32)
    return x, y, regions.parcels(x, y, nowhere, np.zeros_like(x))


def test_each_field_has_one_centre_and_its_pixels_about_it():
    x, y, parcels = field_pattern()
    for key in np.unique(parcels.key)[:60]:
        where = parcels.key == key
        assert np.ptp(parcels.x[where]) < 0.05
        assert np.ptp(parcels.y[where]) < 0.05
        far = np.hypot(x[where] - parcels.x[where], y[where] - parcels.y[where])
        assert far.max() < 50
    assert len(np.unique(parcels.key)) > 60


def test_borders_of_fields_are_where_the_parcel_changes():
    _, _, parcels = field_pattern()
    key = parcels.key.reshape(200, 240)
    edge = parcels.edge.reshape(200, 240)
    change = key[:, 1:] != key[:, :-1]
    assert np.minimum(edge[:, 1:], edge[:, :-1])[change].max() < 1.0
    assert edge.min() >= -1e-3
    assert edge[:, 1:][~change].mean() > 3


def test_tracks_run_along_borders_of_fields():
    _, _, parcels = field_pattern()
    on_track = parcels.track < 0.5
    assert 0.005 < on_track.mean() < 0.1
    assert parcels.edge[on_track].max() <= 0.5 + 1e-3
    assert TRACK_EVERY > 1


def test_a_terrace_lies_between_two_contours():
    y, x = np.mgrid[0:80, 0:80].astype(np.float32)
    height = (0.5 * x + 0.3 * y + 100).astype(np.float32)
    fall = np.full(height.shape, np.hypot(0.5, 0.3), np.float32)
    strips = terraces(height, np.float32(4), fall, np.zeros(height.shape, np.int32))
    for key in np.unique(strips.key):
        inside = height[strips.key == key]
        assert np.ptp(inside) <= 4
        assert np.floor(inside.min() / 4) == np.floor(np.nextafter(inside.max(), 0) / 4)
    on_contour = np.abs(height / 4 - np.round(height / 4)) < 1e-4
    assert strips.edge[on_contour].max() < 0.01


@given(lon=st.floats(-179, 179), lat=st.floats(-80, 80), zoom=st.integers(1, 18))
@settings(max_examples=50, deadline=None)
def test_tile_rows_and_latitudes_are_inverse(lon, lat, zoom):
    x, y = tile_of(lon, lat, zoom)
    assert float(latitude_of(y, zoom)) == pytest.approx(lat, abs=1e-7)
    assert x / 2**zoom * 360 - 180 == pytest.approx(lon, abs=1e-9)


def test_a_known_tile():
    # The tile of the Greenwich observatory at zoom 10, as map servers number it.
    x, y = tile_of(-0.0015, 51.4779, 10)
    assert (int(x), int(y)) == (511, 340)
