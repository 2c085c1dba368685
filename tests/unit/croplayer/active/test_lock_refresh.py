"""The lock follows the content of the labels, not their bytes or times."""

import os

import geopandas as gpd
import pytest
import shapely

from croplayer.active.findings import LabelFileError
from croplayer.active.refresh import refresh_lock
from croplayer.settings.labels import LabelSettings


def frame(n):
    return gpd.GeoDataFrame(
        {"class": ["cropland"] * n},
        geometry=[shapely.box(112 + i / 100, 24, 112.005 + i / 100, 24.005) for i in range(n)],
        crs=4326,
    )


@pytest.fixture
def labels(tmp_path):
    crop, extents = tmp_path / "cropland.shp", tmp_path / "extents.gpkg"
    frame(3).to_file(crop)
    frame(1).assign(extent_id="e", split="train").to_file(extents)
    return LabelSettings(cropland=crop, extents=extents)


def test_an_untouched_or_merely_touched_file_writes_nothing(labels, tmp_path):
    lock = tmp_path / "labels.lock"
    assert refresh_lock(labels, lock)
    before = lock.stat().st_mtime_ns
    assert not refresh_lock(labels, lock)
    os.utime(labels.cropland)
    assert not refresh_lock(labels, lock)
    assert lock.stat().st_mtime_ns == before


def test_an_edited_attribute_of_a_shapefile_writes_the_lock_anew(labels, tmp_path):
    lock = tmp_path / "labels.lock"
    refresh_lock(labels, lock)
    before = lock.read_text()
    other = tmp_path / "other.shp"
    changed = frame(3)
    changed.loc[0, "class"] = "fallow"
    changed.to_file(other)
    os.replace(other.with_suffix(".dbf"), labels.cropland.with_suffix(".dbf"))
    assert refresh_lock(labels, lock)
    assert lock.read_text() != before


def test_a_lock_edited_by_hand_is_written_anew_with_a_warning(labels, tmp_path, caplog):
    lock = tmp_path / "labels.lock"
    refresh_lock(labels, lock)
    before = lock.read_text()
    lock.write_text(before.replace('"features": 3', '"features": 4'))
    assert refresh_lock(labels, lock)
    assert lock.read_text() == before
    assert "edited by hand" in caplog.text


def test_without_labels_nothing_is_written(tmp_path):
    settings = LabelSettings(cropland=tmp_path / "a.gpkg", extents=tmp_path / "b.gpkg")
    assert not refresh_lock(settings, tmp_path / "labels.lock")
    assert not (tmp_path / "labels.lock").exists()


def test_half_of_the_labels_is_refused(labels, tmp_path):
    os.remove(labels.extents)
    with pytest.raises(LabelFileError, match=r"extents\.gpkg"):
        refresh_lock(labels, tmp_path / "labels.lock")
