"""Images without georeference: where they lie, and how they are divided into folds."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import shapely
from pyproj import Geod
from rasterio.transform import Affine
from shapely.geometry.base import BaseGeometry

from cropbase.errors import InputError
from croplayer.active.checks import distance_m

_GEOD = Geod(ellps="WGS84")
_NAME = re.compile(r"^(?P<lat>-?\d{1,2}\.\d+)-(?P<lon>-?\d{1,3}\.\d+)$")


@dataclass(frozen=True)
class Footprint:
    """A north-up image: name, centre in degrees, ground size of a pixel, size in pixels."""

    name: str
    lat: float
    lon: float
    pixel_m: float
    height: int
    width: int

    @property
    def image_id(self) -> str:
        """Short name for files and ids: centre to four decimals, e.g. n433076w0836174."""
        lat, lon = round(self.lat * 1e4), round(self.lon * 1e4)
        return f"{'n' if lat >= 0 else 's'}{abs(lat):06d}{'e' if lon >= 0 else 'w'}{abs(lon):07d}"

    @property
    def transform(self) -> Affine:
        """GDAL transform in EPSG:4326: square ground pixels at the centre, rows along parallels."""
        dx, dy = self._degrees
        return Affine(
            dx, 0.0, self.lon - dx * self.width / 2, 0.0, -dy, self.lat + dy * self.height / 2
        )

    @property
    def polygon(self) -> BaseGeometry:
        """The ground that the image covers, EPSG:4326."""
        t = self.transform
        west, north = t.c, t.f
        east, south = west + t.a * self.width, north + t.e * self.height
        return shapely.box(west, south, east, north)

    @property
    def _degrees(self) -> tuple[float, float]:
        """Degrees of longitude and of latitude that a pixel takes at the centre."""
        half = 500.0
        east = _GEOD.fwd(self.lon, self.lat, 90, half)[0] - self.lon
        north = _GEOD.fwd(self.lon, self.lat, 0, half)[1] - self.lat
        return east * self.pixel_m / half, north * self.pixel_m / half


def parse_centre(stem: str) -> tuple[float, float]:
    """(latitude, longitude) in degrees of a name `LAT-LON`, as in `43.3076--83.6174`.

    The first minus separates; a second one is the sign of the longitude. Raises InputError.
    """
    found = _NAME.match(stem)
    lat, lon = (float(found["lat"]), float(found["lon"])) if found else (math.nan, math.nan)
    if not (abs(lat) <= 85 and abs(lon) <= 180):
        raise InputError(
            f"image name {stem!r} is no centre",
            allowed="LAT-LON in decimal degrees, e.g. 43.3076--83.6174 for 43.3076 N, 83.6174 W",
        )
    return lat, lon


def group_near(footprints: Sequence[Footprint], *, within_m: float) -> list[int]:
    """Number of the group of each image: images nearer than `within_m` to one another share one.

    Chains count: A near B and B near C puts A and C in one group.
    """
    group = list(range(len(footprints)))
    for i, j in combinations(range(len(footprints)), 2):
        if group[i] != group[j] and gap_m(footprints[i], footprints[j]) <= within_m:
            old, new = max(group[i], group[j]), min(group[i], group[j])
            group = [new if value == old else value for value in group]
    return group


def gap_m(one: Footprint, other: Footprint) -> float:
    """Distance of the edges of two images, metres; 0 if they share ground."""
    centres = _GEOD.inv(one.lon, one.lat, other.lon, other.lat)[2]
    reach = sum(math.hypot(f.height, f.width) * f.pixel_m / 2 for f in (one, other))
    # Far apart the exact distance decides nothing, and the flat reckoning would be wrong.
    return centres - reach if centres > 100_000 + reach else distance_m(one.polygon, other.polygon)


def assign_folds(
    footprints: Sequence[Footprint], groups: Sequence[int], *, folds: int, seed: int
) -> list[int]:
    """Fold 0 .. folds-1 of each image: whole groups, every pixel size in every fold.

    Groups are taken by pixel size, large ones first, otherwise in an order that the seed and their
    names decide; each goes to the fold that has least of its pixel size, and least in all; ties
    are broken by the seed. The order of the images does not matter.
    """
    members: dict[int, list[int]] = {}
    for index, number in enumerate(groups):
        members.setdefault(number, []).append(index)

    def drawn(name: str) -> str:
        return hashlib.sha256(f"{seed}/{name}".encode()).hexdigest()

    def order(number: int) -> tuple:
        images = members[number]
        name = min(footprints[index].name for index in images)
        return footprints[images[0]].pixel_m, -len(images), drawn(name)

    fold_of = [0] * len(footprints)
    sizes = sorted({footprint.pixel_m for footprint in footprints})
    have = {(fold, size): 0 for fold in range(folds) for size in sizes}
    for number in sorted(members, key=order):
        size = footprints[members[number][0]].pixel_m
        chosen = min(
            range(folds),
            key=lambda fold: (
                have[fold, size],
                sum(have[fold, s] for s in sizes),
                drawn(f"fold {fold}"),
            ),
        )
        for index in members[number]:
            fold_of[index] = chosen
            have[chosen, footprints[index].pixel_m] += 1
    return fold_of
