"""GCJ-02, the datum with which web maps of China are offset, and its inverse.

The forward transform is the published one (Krasovsky 1940 ellipsoid; sums of sines); it moves a
point by 100 to 700 m inside a rectangle around China and not at all outside.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

_SEMI_MAJOR_M = 6378245.0
_E2 = 0.00669342162296594323
CHINA_BOUNDS = (72.004, 0.8293, 137.8347, 55.8271)
"""West, south, east, north of the rectangle, degrees, inside which the offset applies."""

_INVERSE_DEGREES = 1e-11
_INVERSE_ROUNDS = 30


def wgs84_to_gcj02(lon: ArrayLike, lat: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Move WGS 84 positions to GCJ-02.

    Parameters
    ----------
    lon, lat : degrees, of one shape (or broadcastable).

    Returns
    -------
    (lon, lat) float64, degrees; unchanged outside `CHINA_BOUNDS`.
    """
    lon, lat = np.broadcast_arrays(np.asarray(lon, np.float64), np.asarray(lat, np.float64))
    shift_lon, shift_lat = _shift(lon, lat)
    inside = _in_china(lon, lat)
    return np.where(inside, lon + shift_lon, lon), np.where(inside, lat + shift_lat, lat)


def gcj02_to_wgs84(lon: ArrayLike, lat: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Move GCJ-02 positions back to WGS 84, by fixed-point iteration to better than 1e-9 degrees.

    The shift changes by less than a hundredth of the distance moved, so each round gains at least
    two digits. Unchanged outside `CHINA_BOUNDS`.
    """
    lon, lat = np.broadcast_arrays(np.asarray(lon, np.float64), np.asarray(lat, np.float64))
    guess_lon, guess_lat = lon.copy(), lat.copy()
    for _ in range(_INVERSE_ROUNDS):
        shift_lon, shift_lat = _shift(guess_lon, guess_lat)
        next_lon, next_lat = lon - shift_lon, lat - shift_lat
        change = max(
            np.max(np.abs(next_lon - guess_lon), initial=0.0),
            np.max(np.abs(next_lat - guess_lat), initial=0.0),
        )
        guess_lon, guess_lat = next_lon, next_lat
        if change < _INVERSE_DEGREES:
            break
    inside = _in_china(guess_lon, guess_lat)
    return np.where(inside, guess_lon, lon), np.where(inside, guess_lat, lat)


def _in_china(lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    west, south, east, north = CHINA_BOUNDS
    return (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)


def _shift(lon: np.ndarray, lat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The offset in degrees of longitude and latitude."""
    x, y = lon - 105.0, lat - 35.0
    root = np.sqrt(np.abs(x))
    common = (20.0 * np.sin(6.0 * np.pi * x) + 20.0 * np.sin(2.0 * np.pi * x)) * 2.0 / 3.0
    north_m = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + common
    north_m += (20.0 * np.sin(np.pi * y) + 40.0 * np.sin(np.pi / 3.0 * y)) * 2.0 / 3.0
    north_m += (160.0 * np.sin(np.pi / 12.0 * y) + 320.0 * np.sin(np.pi / 30.0 * y)) * 2.0 / 3.0
    east_m = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + common
    east_m += (20.0 * np.sin(np.pi * x) + 40.0 * np.sin(np.pi / 3.0 * x)) * 2.0 / 3.0
    east_m += (150.0 * np.sin(np.pi / 12.0 * x) + 300.0 * np.sin(np.pi / 30.0 * x)) * 2.0 / 3.0
    phi = np.radians(lat)
    magic = 1.0 - _E2 * np.sin(phi) ** 2
    meridian_m = _SEMI_MAJOR_M * (1.0 - _E2) / (magic * np.sqrt(magic))
    parallel_m = _SEMI_MAJOR_M / np.sqrt(magic) * np.cos(phi)
    return np.degrees(east_m / parallel_m), np.degrees(north_m / meridian_m)
