"""GCJ-02: size of the offset, known points, inverse, and nothing outside China."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod

from croplayer.tiles.datum import gcj02_to_wgs84, wgs84_to_gcj02

INSIDE = {"lon": st.floats(73.5, 135.0), "lat": st.floats(3.0, 53.6)}


@settings(deadline=None)
@given(**INSIDE)
def test_the_inverse_undoes_the_offset(lon: float, lat: float) -> None:
    back = gcj02_to_wgs84(*wgs84_to_gcj02(lon, lat))
    assert np.max(np.abs(np.array(back) - [lon, lat])) < 1e-9


def test_the_offset_is_some_hundred_metres() -> None:
    lon, lat = np.meshgrid(np.linspace(73.5, 135, 200), np.linspace(18, 53.6, 200))
    metres = Geod(ellps="WGS84").inv(lon, lat, *wgs84_to_gcj02(lon, lat))[2]
    assert metres.max() < 720
    assert np.percentile(metres, 1) > 90


def test_the_offset_on_land_is_100_to_700_metres() -> None:
    cities = {
        "Guangzhou": (113.264, 23.129),
        "Harbin": (126.535, 45.803),
        "Urumqi": (87.617, 43.825),
        "Chengdu": (104.066, 30.573),
    }
    for name, (lon, lat) in cities.items():
        metres = Geod(ellps="WGS84").inv(lon, lat, *map(float, wgs84_to_gcj02(lon, lat)))[2]
        assert 100 < metres < 700, name


@pytest.mark.parametrize(
    ("lon", "lat", "shifted_lon", "shifted_lat"),
    [
        (121.5272106, 31.1774276, 121.531541859215, 31.17530398364597),
        (113.912316, 22.543847, 113.9171764808363, 22.540796131694766),
        (116.377817, 39.911954, 116.38404722455657, 39.91334545536069),
    ],
)
def test_published_pairs_are_reproduced(
    lon: float, lat: float, shifted_lon: float, shifted_lat: float
) -> None:
    # Reference values of the eviltransform libraries (Shanghai, Shenzhen, Beijing).
    found = tuple(map(float, wgs84_to_gcj02(lon, lat)))
    assert found == pytest.approx((shifted_lon, shifted_lat), abs=1e-12)


@pytest.mark.parametrize("place", [(2.35, 48.85), (-100.0, 40.0), (151.2, -33.9), (105.0, 60.0)])
def test_nothing_moves_outside_china(place: tuple[float, float]) -> None:
    for transform in (wgs84_to_gcj02, gcj02_to_wgs84):
        assert tuple(map(float, transform(*place))) == place


def test_arrays_keep_their_shape() -> None:
    lon, lat = wgs84_to_gcj02(np.full((2, 3), 110.0), np.full((2, 3), 30.0))
    assert lon.shape == lat.shape == (2, 3)
    assert np.ptp(lon) == 0
