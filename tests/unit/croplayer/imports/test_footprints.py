"""Where an image lies on the ground, and which images are held out together."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod

from cropbase.areas import polygon_area_ha
from cropbase.errors import InputError
from croplayer.imports.footprints import Footprint, assign_folds, gap_m, group_near, parse_centre

GEOD = Geod(ellps="WGS84")


def image(lat, lon, pixel=2.0, size=1000, name=None) -> Footprint:
    return Footprint(name or f"{lat}-{lon}", lat, lon, pixel, size, size)


@pytest.mark.parametrize(
    ("name", "centre"),
    [
        ("43.3076215923193--83.6174134101217", (43.3076215923193, -83.6174134101217)),
        ("41.186372-88.187202", (41.186372, 88.187202)),
        ("-12.5--3.25", (-12.5, -3.25)),
    ],
)
def test_centre_of_a_name(name, centre):
    assert parse_centre(name) == centre


@pytest.mark.parametrize("name", ["field", "43.3", "93.5-10.5", "10.5--190.5", "1.5---2.5", ""])
def test_name_that_is_no_centre(name):
    with pytest.raises(InputError, match="is no centre"):
        parse_centre(name)


@pytest.mark.parametrize("lat", [0.0, 37.2, 45.6, -60.0])
def test_footprint_has_the_ground_size_of_its_pixels(lat):
    footprint = image(lat, -93.4, pixel=2.5, size=1024)
    west, south, east, north = footprint.polygon.bounds
    # Geodesics through the centre, independent of how the transform was reckoned.
    assert GEOD.inv(west, lat, east, lat)[2] == pytest.approx(2560, rel=1e-5)
    assert GEOD.inv(-93.4, south, -93.4, north)[2] == pytest.approx(2560, rel=1e-5)
    assert polygon_area_ha(footprint.polygon) == pytest.approx(655.36, rel=1e-4)
    assert (west + east) / 2 == pytest.approx(-93.4, abs=1e-12)
    assert (south + north) / 2 == pytest.approx(lat, abs=1e-12)


def test_first_pixel_is_the_north_west():
    footprint = image(40.0, -90.0)
    assert footprint.transform.e < 0 < footprint.transform.a
    assert (footprint.transform.c, footprint.transform.f) == pytest.approx(
        (footprint.polygon.bounds[0], footprint.polygon.bounds[3])
    )


def test_image_id_holds_the_centre():
    assert image(43.30762, -83.61741).image_id == "n433076w0836174"
    assert image(-3.00004, 5.1).image_id == "s030000e0051000"


def test_gap_of_two_images_side_by_side():
    one = image(42.0, -90.0)
    lon = GEOD.fwd(-90.0, 42.0, 90, 5000)[0]
    assert gap_m(one, image(42.0, lon)) == pytest.approx(3000, rel=1e-3)


def test_gap_of_images_that_share_ground_is_zero():
    assert gap_m(image(42.0, -90.0), image(42.001, -90.001)) == 0


def test_gap_does_not_jump_where_the_reckoning_changes():
    one = image(42.0, -90.0)
    near, far = (image(42.0, GEOD.fwd(-90.0, 42.0, 90, d)[0]) for d in (102_000, 104_000))
    assert gap_m(one, far) - gap_m(one, near) == pytest.approx(2000, abs=1000)


def test_groups_follow_chains():
    lons = [GEOD.fwd(-90.0, 42.0, 90, d)[0] for d in (0, 5000, 10_000, 60_000)]
    images = [image(42.0, lon) for lon in lons]
    assert group_near(images, within_m=4000) == [0, 0, 0, 3]
    assert group_near(images, within_m=1000) == [0, 1, 2, 3]


def scattered(count: int, pixel: float) -> list[Footprint]:
    return [image(40 + pixel, -100 + i, pixel=pixel, name=f"{pixel}/{i}") for i in range(count)]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), folds=st.integers(2, 6))
def test_folds_are_balanced_within_each_pixel_size(seed, folds):
    images = scattered(10, 1.0) + scattered(13, 2.5)
    fold = assign_folds(images, list(range(23)), folds=folds, seed=seed)
    for pixel, count in ((1.0, 10), (2.5, 13)):
        sizes = Counter(f for f, i in zip(fold, images, strict=True) if i.pixel_m == pixel)
        assert set(sizes) == set(range(folds))
        assert max(sizes.values()) - min(sizes.values()) <= 1
        assert sum(sizes.values()) == count


def test_a_group_is_never_divided():
    images = scattered(12, 1.0)
    groups = [0, 0, 0, 0, 4, 4, 6, 7, 8, 9, 10, 11]
    for seed in range(20):
        fold = assign_folds(images, groups, folds=4, seed=seed)
        assert len(set(fold[:4])) == 1
        assert fold[4] == fold[5]


def test_folds_do_not_depend_on_the_order_of_images():
    images = scattered(9, 1.0) + scattered(8, 2.5)
    first = dict(zip(images, assign_folds(images, list(range(17)), folds=3, seed=4), strict=True))
    shuffled = random.Random(1).sample(images, len(images))
    again = assign_folds(shuffled, list(range(17)), folds=3, seed=4)
    assert dict(zip(shuffled, again, strict=True)) == first


def test_the_seed_decides():
    images = scattered(12, 1.0)
    drawn = {tuple(assign_folds(images, list(range(12)), folds=3, seed=s)) for s in range(8)}
    assert len(drawn) == 8
