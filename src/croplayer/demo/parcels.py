"""Parcel patterns of the generated landscape: regular fields, irregular plots, terraces.

A pattern says for each pixel which parcel it is in (a hash, from which every property of the
parcel is drawn), where the parcel's centre is (a parcel is given ONE use by what lies there), and
how far its border is.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from croplayer.demo.noise import cells, hash32, unit

TRACK_EVERY = 4
"""A farm track runs along each fourth border of the regular fields, both ways."""
DIRECTIONS = 256
"""Codes of row directions: `code / 256` of half a turn."""


@dataclass(frozen=True)
class Parcels:
    """A parcel pattern over some pixels (all arrays of one shape).

    key : uint32, hash of the parcel.
    x, y : float32, centre of the parcel, pixels of the canvas.
    edge : float32, distance to the parcel's border, pixels.
    track : float32, distance to the nearest farm track, pixels (inf: none).
    direction : uint8, direction of rows (`DIRECTIONS`).
    """

    key: np.ndarray
    x: np.ndarray
    y: np.ndarray
    edge: np.ndarray
    track: np.ndarray
    direction: np.ndarray

    def chosen(self, where: np.ndarray) -> Parcels:
        """The pixels where the mask `where` is True, as flat arrays."""
        return Parcels(*(getattr(self, field.name)[where] for field in fields(self)))


@dataclass(frozen=True)
class FieldRegions:
    """Regions of the plain, each with its own field size and direction.

    index, edge : (rows, columns), region of each pixel and distance to the region's border.
    angle, width, length : (n,) direction (radians) and field size (pixels) of each region.
    """

    index: np.ndarray
    edge: np.ndarray
    angle: np.ndarray
    width: np.ndarray
    length: np.ndarray

    @classmethod
    def make(
        cls, shape: tuple[int, int], rng: np.random.Generator, *, size: int = 330
    ) -> FieldRegions:
        """Regions about `size` pixels across."""
        index, edge, seeds = cells(shape, rng, size=size, jitter=0.9, spread=0.15)
        n = len(seeds)
        # Directions agree more or less over the plain, as land reform leaves them.
        angle = rng.normal(0.35, 0.45, n)
        width = rng.uniform(13, 28, n)
        length = width * rng.uniform(1.6, 3.4, n)
        return cls(
            index,
            edge,
            angle.astype(np.float32),
            width.astype(np.float32),
            length.astype(np.float32),
        )

    def parcels(
        self, x: np.ndarray, y: np.ndarray, region: np.ndarray, warp: np.ndarray
    ) -> Parcels:
        """The regular fields at pixels (x, y) of `region`; `warp` (pixels) bends the lines."""
        cosine, sine = np.cos(self.angle)[region], np.sin(self.angle)[region]
        width, length = self.width[region], self.length[region]
        across = (x * cosine + y * sine + warp) / width
        along = (y * cosine - x * sine + 0.6 * warp) / length
        k, low_u, high_u = _intervals(across, region, 11, 0.36)
        # Some strips are joined in pairs, never over a track, which runs along even borders.
        paired = unit(hash32(region, k >> 1), 13) < 0.25
        low_u = np.where(paired, _border(k & ~1, region, 11, 0.36), low_u)
        high_u = np.where(paired, _border((k & ~1) + 2, region, 11, 0.36), high_u)
        strip = hash32(region, np.where(paired, k >> 1, k), paired)
        # Cross borders stray by strip, but those that carry a track are the same for all strips.
        j, low_v, high_v = _intervals(along, strip, 12, 0.5)
        key = hash32(strip, j)
        edge = np.minimum(
            np.minimum(across - low_u, high_u - across) * width,
            np.minimum(along - low_v, high_v - along) * length,
        )
        track = np.minimum(
            _to_multiple(across, TRACK_EVERY) * width, _to_multiple(along, TRACK_EVERY) * length
        )
        mid_u, mid_v = (low_u + high_u) / 2 * width, (low_v + high_v) / 2 * length
        mid_u, mid_v = mid_u - warp, mid_v - 0.6 * warp
        code = np.floor(np.mod(self.angle / np.pi + 0.5, 1) * DIRECTIONS).astype(np.uint8)
        return Parcels(
            key,
            mid_u * cosine - mid_v * sine,
            mid_u * sine + mid_v * cosine,
            edge,
            track,
            code[region],
        )


def _stray(k: np.ndarray, salt: np.ndarray, purpose: int, reach: float) -> np.ndarray:
    """How far border `k` strays from its even place; borders with a track keep it."""
    shift = (unit(hash32(salt, k), purpose) - 0.5) * np.float32(2 * reach * 0.6)
    return np.where(k % TRACK_EVERY == 0, np.float32(0), shift)


def _intervals(
    position: np.ndarray, salt: np.ndarray, purpose: int, reach: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Number and both borders of the interval that holds `position`."""
    k = np.floor(position).astype(np.int32)
    low = _border(k, salt, purpose, reach)
    high = _border(k + 1, salt, purpose, reach)
    k = (k - (position < low) + (position >= high)).astype(np.int32)
    return k, _border(k, salt, purpose, reach), _border(k + 1, salt, purpose, reach)


def _border(k: np.ndarray, salt: np.ndarray, purpose: int, reach: float) -> np.ndarray:
    """Where border `k` runs, float32."""
    return (k + _stray(k, salt, purpose, reach)).astype(np.float32)


def _to_multiple(position: np.ndarray, every: int) -> np.ndarray:
    """Distance to the nearest multiple of `every`, in the unit of `position`."""
    rest = np.mod(position, every)
    return np.minimum(rest, every - rest)


@dataclass(frozen=True)
class Plots:
    """Irregular plots near the hills: a power diagram (Voronoi cells of uneven size)."""

    index: np.ndarray
    edge: np.ndarray
    seeds: np.ndarray

    @classmethod
    def make(cls, shape: tuple[int, int], rng: np.random.Generator, *, size: int = 18) -> Plots:
        """Plots about `size` pixels across."""
        return cls(*cells(shape, rng, size=size, jitter=0.95, spread=0.28))

    def parcels(self, index: np.ndarray, edge: np.ndarray) -> Parcels:
        """The plots at pixels whose plot numbers and border distances are given."""
        key = hash32(index, 21)
        return Parcels(
            key,
            self.seeds[index, 0],
            self.seeds[index, 1],
            edge,
            np.full(index.shape, np.inf, np.float32),
            (key >> np.uint32(24)).astype(np.uint8),
        )


def terraces(height: np.ndarray, rise: np.ndarray, fall: np.ndarray, plot: np.ndarray) -> Parcels:
    """Strips between contour lines; their `edge` is the distance to the nearest riser.

    Parameters
    ----------
    height : metres. rise : metres between two contours, the same over a hillside.
    fall : steepness, metres a pixel. plot : number that cuts the strips into fields.
    """
    level = height / rise
    strip = np.floor(level)
    fraction = level - strip
    edge = np.minimum(fraction, 1 - fraction) * rise / np.maximum(fall, 0.05)
    key = hash32(strip.astype(np.int32), plot, 31)
    nowhere = np.full(key.shape, np.nan, np.float32)
    return Parcels(
        key,
        nowhere,
        nowhere,
        edge.astype(np.float32),
        nowhere,
        (key >> np.uint32(24)).astype(np.uint8),
    )
