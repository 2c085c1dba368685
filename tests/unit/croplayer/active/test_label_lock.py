"""The lock of labels: it changes when a label changes, and only then."""

from __future__ import annotations

import json
import shutil
import sqlite3

import geopandas as gpd
import pytest
import shapely

from croplayer.active.findings import LabelFileError
from croplayer.active.lock import LabelLockError, lock_labels, read_lock, verify_lock


@pytest.fixture
def files(tmp_path):
    extents = gpd.GeoDataFrame(
        {"extent_id": ["a", "b", "c"], "split": ["train", "validation", "train"], "n": [1, 2, 3]},
        geometry=[shapely.box(i, 0, i + 0.5, 0.5) for i in range(3)],
        crs=4326,
    )
    extents.to_file(tmp_path / "extents.gpkg")
    table = tmp_path / "semantic.csv"
    table.write_bytes(b"block_id,source,semantic_class\nE1N1,a,TP\nE1N2,a,FP\n")
    return {"extents": tmp_path / "extents.gpkg", "semantic": table}


def lock(files, tmp_path, name="labels.lock") -> bytes:
    lock_labels(files=files, output=tmp_path / name)
    return (tmp_path / name).read_bytes()


def edited(files, tmp_path, change, **write) -> dict:
    """The files with `change` done to the frame of extents, saved elsewhere by the same name."""
    frame = change(gpd.read_file(files["extents"]))
    folder = tmp_path / "edited"
    folder.mkdir(exist_ok=True)
    path = folder / "extents.gpkg"
    path.unlink(missing_ok=True)
    frame.to_file(path, **write)
    return files | {"extents": path}


def test_says_what_is_in_the_files(files, tmp_path):
    content = json.loads(lock(files, tmp_path))
    assert "round" not in content, "a number alone trains nothing"
    assert content["files"]["extents"]["counts"] == {"features": 3, "train": 2, "validation": 1}
    assert content["files"]["semantic"]["counts"] == {"rows": 2}
    assert str(tmp_path) not in json.dumps(content)


def test_opening_a_geopackage_changes_nothing(files, tmp_path):
    before = lock(files, tmp_path)
    raw = files["extents"].read_bytes()
    with sqlite3.connect(files["extents"]) as database:
        database.execute("PRAGMA user_version = 10301")
        database.execute("UPDATE gpkg_contents SET last_change = '2031-01-01T00:00:00.000Z'")
        database.commit()
        database.execute("VACUUM")
    assert files["extents"].read_bytes() != raw
    assert lock(files, tmp_path) == before


@pytest.mark.parametrize(
    "same",
    [
        lambda frame: frame.iloc[::-1],
        lambda frame: frame[["n", "split", "extent_id", "geometry"]],
        lambda frame: frame.set_geometry(frame.geometry.reverse()),
    ],
    ids=["order of features", "order of columns", "direction of rings"],
)
def test_form_does_not_count(files, tmp_path, same):
    assert lock(edited(files, tmp_path, same), tmp_path) == lock(files, tmp_path, "other.lock")


@pytest.mark.parametrize(
    "different",
    [
        lambda frame: frame.iloc[:2],
        lambda frame: frame.assign(split=["train", "train", "validation"]),
        lambda frame: frame.set_geometry(frame.geometry.translate(1e-7)),
        lambda frame: frame.set_crs(4490, allow_override=True),
        lambda frame: frame.rename(columns={"n": "m"}),
    ],
    ids=["feature deleted", "attribute", "vertex by a centimetre", "crs", "column"],
)
def test_content_counts(files, tmp_path, different):
    assert lock(edited(files, tmp_path, different), tmp_path) != lock(files, tmp_path, "other.lock")


def test_same_labels_in_another_format_have_the_same_hash(files, tmp_path):
    first = json.loads(lock(files, tmp_path))
    path = tmp_path / "extents.parquet"
    gpd.read_file(files["extents"]).to_parquet(path)
    second = json.loads(lock(files | {"extents": path}, tmp_path))
    assert first["files"]["extents"]["sha256"] == second["files"]["extents"]["sha256"]


def test_line_ends_and_byte_order_mark_of_a_table_do_not_count(files, tmp_path):
    before = lock(files, tmp_path)
    text = files["semantic"].read_bytes()
    files["semantic"].write_bytes(b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n") + b"\r\n")
    assert lock(files, tmp_path) == before
    files["semantic"].write_bytes(text.replace(b"FP", b"TP"))
    assert lock(files, tmp_path) != before


def test_missing_files_are_named_together(files, tmp_path):
    files |= {"options": tmp_path / "gone.csv", "coverage": tmp_path / "away.csv"}
    with pytest.raises(LabelFileError, match="2 label file") as caught:
        lock(files, tmp_path)
    assert "labels.options: " in str(caught.value)
    assert "away.csv" in str(caught.value)
    assert not (tmp_path / "labels.lock").exists()


def test_verify_accepts_what_is_locked(files, tmp_path):
    lock(files, tmp_path)
    content = verify_lock(lock=tmp_path / "labels.lock", files=files)
    assert set(content["files"]) == {"extents", "semantic"}


def test_verify_names_what_changed_came_and_went(files, tmp_path):
    lock(files, tmp_path)
    changed = edited(files, tmp_path, lambda frame: frame.iloc[:2])
    changed["options"] = shutil.copy(files["semantic"], tmp_path / "options.csv")
    del changed["semantic"]
    with pytest.raises(LabelLockError) as caught:
        verify_lock(lock=tmp_path / "labels.lock", files=changed)
    message = str(caught.value)
    assert "changed since (3 features, 2 train, 1 validation then, 2 features, 1 train" in message
    assert "labels.semantic: locked, but no longer configured" in message
    assert "options.csv is not in the lock" in message


def test_verify_names_a_file_that_is_gone(files, tmp_path):
    lock(files, tmp_path)
    files["semantic"].unlink()
    with pytest.raises(LabelLockError, match=r"semantic\.csv does not exist any more"):
        verify_lock(lock=tmp_path / "labels.lock", files=files)


def test_lock_edited_by_hand_is_refused(files, tmp_path):
    path = tmp_path / "labels.lock"
    path.write_text(lock(files, tmp_path).decode().replace('"rows": 2', '"rows": 3'))
    with pytest.raises(LabelLockError, match="edited by hand"):
        read_lock(path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 99}'])
def test_damaged_lock_is_refused(tmp_path, text):
    path = tmp_path / "labels.lock"
    path.write_text(text)
    with pytest.raises(LabelLockError, match=r"labels\.lock"):
        read_lock(path)


def test_absent_lock_is_refused(tmp_path):
    with pytest.raises(LabelLockError, match="does not exist"):
        read_lock(tmp_path / "labels.lock")
