"""Adding rounds, replaying them, and everything that can be wrong with a folder of them."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from contextlib import closing

import geopandas as gpd
import pytest
import shapely
from label_province import FIELDS, LabelProvince, fields

from croplayer.active.findings import LabelError, LabelFileError
from croplayer.active.lock import LabelLockError, signed
from croplayer.active.refresh import current_round, refresh_labels
from croplayer.active.rounds import store
from croplayer.active.rounds.store import RoundError, add_round, labels_of_run, read_rounds
from croplayer.settings import load_settings


@pytest.fixture
def province(tmp_path) -> LabelProvince:
    return LabelProvince(tmp_path)


def labels(province, **changes):
    return load_settings("p", province.config).labels.model_copy(update=changes)


def add(province, **more):
    return add_round(labels(province), province="p", **more)


def edit(province, *, first="terraces"):
    """Change the class of the first field."""
    frame = fields()
    frame.loc[0, "class"] = first
    frame.to_file(province.labels / "cropland.gpkg")


def tree(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


# ------------------------------------------------------------------------------------- what works
def test_a_round_holds_copies_and_a_lock_that_says_what_they_are(province):
    frame = fields(annotator=["x", "x", "y"])
    frame.to_file(province.labels / "cropland.gpkg")
    added = add(province, authors=["z"], note="first")
    assert added.number == 1 and added.folder == province.folder / "rounds" / "1"
    lock = added.lock
    assert lock["authors"] == {"x": 2, "y": 1, "z": 0}
    assert lock["parent"] is None and lock["note"] == "first"
    assert lock["files"]["cropland"]["counts"] == {"features": 3}
    assert lock["files"]["extents"]["counts"] == {"features": 2, "train": 1, "validation": 1}
    assert lock["files"]["semantic"]["counts"] == {"rows": 8}
    assert str(province.folder) not in json.dumps(lock)
    copy = gpd.read_file(added.files["cropland"])
    assert shapely.equals(copy.geometry.to_numpy(), frame.geometry.to_numpy()).all()


def test_a_second_round_names_its_parent_and_leaves_it_alone(province):
    first = add(province)
    before = tree(first.folder)
    edit(province)
    second = add(province)
    assert second.number == 2
    assert second.lock["parent"] == {"round": 1, "sha256": first.lock["sha256"]}
    assert tree(first.folder) == before
    assert [one.number for one in read_rounds(province.folder / "rounds")] == [1, 2]


@pytest.mark.parametrize("suffix", [".shp", ".parquet", ".geojson"])
def test_every_format_comes_back_with_the_same_content(province, suffix):
    path = province.labels / f"drawn{suffix}"
    (fields().to_parquet if suffix == ".parquet" else fields().to_file)(path)
    province.configure(cropland=str(path))
    add(province).verify()


def test_a_folder_of_files_is_a_round_too(province):
    folder = province.labels / "drawn"
    folder.mkdir()
    fields(FIELDS[:2]).to_file(folder / "x.gpkg")
    fields(FIELDS[2:]).to_file(folder / "y.shp")
    province.configure(cropland=str(folder))
    added = add(province)
    added.verify()
    assert {"x.gpkg", "y.shp", "y.dbf"} <= {p.name for p in added.files["cropland"].iterdir()}
    assert added.lock["files"]["cropland"]["counts"] == {"features": 3}


def test_edits_that_qgis_keeps_in_a_second_file_are_in_the_copy(province):
    path = province.labels / "cropland.gpkg"
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA wal_autocheckpoint=0")
        # Its triggers call functions that only GDAL and QGIS bring.
        for (name,) in database.execute(
            "SELECT name FROM sqlite_master WHERE type='trigger'"
        ).fetchall():
            database.execute(f'DROP TRIGGER "{name}"')
        database.execute("UPDATE cropland SET class = 'greenhouse' WHERE fid = 1")
        database.commit()
        assert path.with_name("cropland.gpkg-wal").stat().st_size > 0
        added = add(province)
    assert gpd.read_file(added.files["cropland"])["class"][0] == "greenhouse"
    assert [p.name for p in added.files["cropland"].parent.iterdir()] == ["cropland.gpkg"]


def test_the_copies_are_read_only(province):
    assert all(path.stat().st_mode & 0o222 == 0 for path in add(province).files.values())


def test_the_run_uses_the_round_that_is_named(province, tmp_path):
    add(province)
    edit(province)
    add(province)
    state = tmp_path / "state"
    working = labels(province)
    assert refresh_labels(working, state) == working
    assert current_round(state) == 2
    now = (state / "labels.lock").read_bytes()

    old = refresh_labels(labels(province, round=1), state)
    assert current_round(state) == 1
    assert old.cropland == province.folder / "rounds/1/cropland/cropland.gpkg"
    assert old.coverage is None
    assert (state / "labels.lock").read_bytes() != now

    refresh_labels(labels(province, round=2), state)
    assert (state / "labels.lock").read_bytes() == now, "the same labels are the same lock"


def test_labels_that_were_edited_are_the_round_to_come(province, tmp_path):
    state = tmp_path / "state"
    refresh_labels(labels(province), state)
    assert current_round(state) == 1
    add(province)
    refresh_labels(labels(province), state)
    assert current_round(state) == 1
    edit(province)
    refresh_labels(labels(province), state)
    assert current_round(state) == 2
    add(province)
    with open(province.labels / "options.csv", "a") as handle:
        handle.write("E11200N2400,both\n")
    refresh_labels(labels(province), state)
    assert current_round(state) == 3


def test_without_a_folder_of_rounds_the_number_is_only_a_number(province, tmp_path):
    province.configure(rounds=None, round=2)
    assert labels_of_run(labels(province)) == labels(province)
    refresh_labels(labels(province), tmp_path / "state")
    assert current_round(tmp_path / "state") == 2


def test_nothing_is_written_where_nothing_changed(province, tmp_path):
    state = tmp_path / "state"
    refresh_labels(labels(province), state)
    before = {p.name: p.stat().st_mtime_ns for p in state.iterdir()}
    refresh_labels(labels(province), state)
    assert {p.name: p.stat().st_mtime_ns for p in state.iterdir()} == before


# ---------------------------------------------------------------------------- what can be wrong
def relocked(folder, **changes):
    """A lock whose own checksum fits, but that says something else."""
    path = folder / "labels.lock"
    content = json.loads(path.read_text()) | changes
    content.pop("sha256"), content.pop("format")
    path.write_text(json.dumps(signed(content)))


def lock_edited(rounds):
    path = rounds / "1" / "labels.lock"
    path.write_text(path.read_text().replace('"note": ""', '"note": "mine"'))


def label_edited(rounds):
    path = rounds / "2" / "semantic" / "semantic.csv"
    path.chmod(0o644)
    path.write_text(path.read_text().replace("TP", "FP", 1))


FAULTS = {
    "a lock edited by hand": (lock_edited, ["rounds/1/labels.lock", "edited by hand"]),
    "a damaged lock": (
        lambda rounds: (rounds / "1/labels.lock").write_text("{"),
        ["rounds/1/labels.lock", "cannot be read"],
    ),
    "no lock": (
        lambda rounds: (rounds / "1/labels.lock").unlink(),
        ["rounds/1", "has no labels.lock"],
    ),
    "the parent is gone": (
        lambda rounds: shutil.rmtree(rounds / "1"),
        ["the parent of round 2, round 1, is gone", "put"],
    ),
    "the parent is another": (
        lambda rounds: relocked(rounds / "1", note="another"),
        ["round 1 is not the one that round 2 was made from"],
    ),
    "two rounds with one name": (
        lambda rounds: shutil.copytree(rounds / "2", rounds / "2 (copy)"),
        ["two folders are round 2", "2 (copy)"],
    ),
    "a folder by another name": (
        lambda rounds: (rounds / "2").rename(rounds / "3"),
        ["rounds/3 holds the lock of round 2"],
    ),
    "a label file that was edited": (label_edited, ["labels.semantic", "changed since"]),
    "a label file that is gone": (
        lambda rounds: (rounds / "2/cropland/cropland.gpkg").unlink(),
        ["labels.cropland", "does not exist any more"],
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_spoilt_round_is_one_clear_message_and_nothing_is_written(province, fault, tmp_path):
    add(province)
    edit(province)
    add(province)
    spoil, words = FAULTS[fault]
    spoil(province.folder / "rounds")
    before = tree(province.folder / "rounds")
    with pytest.raises(LabelError) as caught:
        refresh_labels(labels(province, round=2), tmp_path / "state")
    for word in [*words, "what to do"]:
        assert word in str(caught.value)
    assert tree(province.folder / "rounds") == before
    assert not (tmp_path / "state" / "labels.lock").exists()


def test_a_round_that_is_not_there_is_named_with_those_that_are(province, tmp_path):
    add(province)
    with pytest.raises(RoundError, match=r"no round 7(.|\n)*allowed: 1"):
        refresh_labels(labels(province, round=7), tmp_path)


def test_adding_nothing_new_is_refused(province):
    add(province)
    with pytest.raises(RoundError, match="are those of round 1"):
        add(province)
    assert [p.name for p in (province.folder / "rounds").iterdir()] == ["1"]


def test_a_missing_label_file_is_named_and_no_round_is_added(province):
    (province.labels / "options.csv").unlink()
    with pytest.raises(LabelFileError, match=r"labels\.options: .*options\.csv"):
        add(province)
    assert not (province.folder / "rounds").exists()


def test_labels_edited_while_they_are_copied_leave_nothing_behind(province, monkeypatch):
    def copy(path, folder):
        if folder.name == "extents":
            edit(province, first="greenhouse")
        if folder.name == "cropland":
            edit(province)
        return original(path, folder)

    original = store.copy_labels
    monkeypatch.setattr(store, "copy_labels", copy)
    with pytest.raises(LabelLockError, match=r"labels\.cropland: .* changed since"):
        add(province)
    assert list((province.folder / "rounds").iterdir()) == []


def test_two_who_add_at_once_do_not_overwrite_one_another(province, monkeypatch):
    def rename(draft, target):
        shutil.copytree(draft, target)  # the other was faster
        return original(draft, target)

    original = os.rename
    monkeypatch.setattr(store.os, "rename", rename)
    with pytest.raises(RoundError, match="round 1 was added by somebody else"):
        add(province)
    assert [p.name for p in (province.folder / "rounds").iterdir()] == ["1"]


def test_without_a_folder_of_rounds_adding_says_which_key_is_missing(province):
    province.configure(rounds=None)
    with pytest.raises(RoundError, match=r"set labels\.rounds"):
        add(province)
