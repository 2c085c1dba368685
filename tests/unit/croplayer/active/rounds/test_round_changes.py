"""What changed between two sets of labels, against changes that the test made itself."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from label_province import BLOCKS, FIELDS, extents, fields
from pyproj import Geod

from croplayer.active.rounds.changes import compare_labels

GEOD = Geod(ellps="WGS84")


def hectares(shape) -> float:
    return abs(GEOD.geometry_area_perimeter(shape)[0]) / 10_000


def save(frame, path):
    frame.to_file(path)
    return path


def row(table, labels, name="all") -> dict:
    found = table[(table["labels"] == labels) & (table["class"] == name)]
    assert len(found) == 1
    return found.iloc[0].to_dict()


def numbers(found) -> tuple:
    return tuple(found[key] for key in ("before", "after", "added", "removed", "changed"))


def test_added_removed_and_changed_polygons_with_their_hectares(tmp_path):
    old = save(fields(), tmp_path / "old.gpkg")
    new_shape = shapely.box(112.02, 24.02, 112.025, 24.025)
    grown = shapely.box(112.014, 24.010, 112.019, 24.014)
    frame = gpd.GeoDataFrame(
        {"class": ["greenhouse", "fallow", "terraces"]},
        geometry=[new_shape, grown, FIELDS[2]],
        crs=4326,
    )
    table = compare_labels({"cropland": old}, {"cropland": save(frame, tmp_path / "new.gpkg")})
    found = row(table, "cropland")
    assert numbers(found) == (3, 3, 1, 1, 1)
    assert found["added_ha"] == pytest.approx(hectares(new_shape), rel=1e-6)
    assert found["removed_ha"] == pytest.approx(hectares(FIELDS[0]), rel=1e-6)
    assert found["before_ha"] == pytest.approx(sum(map(hectares, FIELDS)), rel=1e-6)
    assert numbers(row(table, "cropland", "greenhouse")) == (0, 1, 1, 0, 0)
    assert numbers(row(table, "cropland", "paddy")) == (1, 0, 0, 1, 0)
    assert numbers(row(table, "cropland", "fallow")) == (1, 1, 0, 0, 1)


def test_another_format_order_and_crs_of_the_same_polygons_change_nothing(tmp_path):
    old = save(fields(), tmp_path / "old.gpkg")
    new = save(fields().iloc[::-1], tmp_path / "new.shp")
    assert numbers(row(compare_labels({"cropland": old}, {"cropland": new}), "cropland")) == (
        3,
        3,
        0,
        0,
        0,
    )
    new = save(fields().to_crs(32649), tmp_path / "utm.gpkg")
    found = row(compare_labels({"cropland": old}, {"cropland": new}), "cropland")
    assert (found["added"], found["removed"]) == (0, 0)
    assert found["before_ha"] == pytest.approx(found["after_ha"], rel=1e-6)


def test_an_id_keeps_a_polygon_the_same_however_far_it_moves(tmp_path):
    ids = {"polygon_id": ["1", "2", "3"]}
    old = save(fields(**ids), tmp_path / "old.gpkg")
    moved = [shapely.affinity.translate(FIELDS[0], 0.01, 0.01), *FIELDS[1:]]
    new = save(fields(moved, **ids), tmp_path / "new.gpkg")
    assert numbers(row(compare_labels({"cropland": old}, {"cropland": new}), "cropland")) == (
        3,
        3,
        0,
        0,
        1,
    )
    new = save(fields(moved), tmp_path / "bare.gpkg")
    bare = save(fields(), tmp_path / "old_bare.gpkg")
    assert numbers(row(compare_labels({"cropland": bare}, {"cropland": new}), "cropland")) == (
        3,
        3,
        1,
        1,
        0,
    )


def test_extents_count_by_split(tmp_path):
    old = save(extents(), tmp_path / "old.gpkg")
    new = save(extents(split=["validation", "validation"]), tmp_path / "new.gpkg")
    table = compare_labels({"extents": old}, {"extents": new})
    assert numbers(row(table, "extents", "validation")) == (1, 2, 0, 0, 1)
    assert numbers(row(table, "extents", "train")) == (1, 0, 0, 0, 0)


def test_blocks_by_class_are_those_that_count(tmp_path):
    head = "block_id,source,semantic_class,annotator,labelled_at\n"
    old, new = tmp_path / "old.csv", tmp_path / "new.csv"
    old.write_text(
        head + f"{BLOCKS[0]},a,TP,x,2024-01-01\n{BLOCKS[1]},a,TP,x,\n{BLOCKS[2]},a,FP,x,\n"
    )
    new.write_text(
        old.read_text()
        + f"{BLOCKS[0]},a,Noise,x,2024-01-02\n{BLOCKS[1]},a,FP,y,\n{BLOCKS[3]},a,TP,x,\n"
    )
    table = compare_labels({"semantic": old}, {"semantic": new})
    # Block 1 has no majority any more, so its label is gone.
    assert numbers(row(table, "semantic")) == (3, 3, 1, 1, 1)
    assert numbers(row(table, "semantic", "Noise")) == (0, 1, 0, 0, 1)
    assert numbers(row(table, "semantic", "TP")) == (2, 1, 1, 1, 0)
    assert np.isnan(row(table, "semantic")["before_ha"])


def test_a_file_that_came_or_went_counts_whole(tmp_path):
    path = save(fields(), tmp_path / "new.gpkg")
    assert numbers(row(compare_labels({}, {"cropland": path}), "cropland")) == (0, 3, 3, 0, 0)
    assert numbers(row(compare_labels({"cropland": path}, {}), "cropland")) == (3, 0, 0, 3, 0)
    assert compare_labels({}, {}).empty


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(0, 11), unique=True), st.lists(st.integers(0, 11), unique=True))
def test_counts_balance_and_going_back_swaps_them(tmp_path_factory, before, after):
    folder = tmp_path_factory.mktemp("law")

    def layer(chosen, name):
        shapes = [shapely.box(k * 0.01, 0, k * 0.01 + 0.005, 0.005) for k in chosen]
        frame = gpd.GeoDataFrame({"class": ["paddy"] * len(chosen)}, geometry=shapes, crs=4326)
        frame.to_parquet(folder / f"{name}.parquet")
        return {"cropland": folder / f"{name}.parquet"}

    one, other = layer(before, "one"), layer(after, "other")
    there, back = (
        row(compare_labels(one, other), "cropland"),
        row(compare_labels(other, one), "cropland"),
    )
    assert there["before"] + there["added"] - there["removed"] == there["after"]
    assert (there["added"], there["removed"]) == (back["removed"], back["added"])
    assert there["added"] == len(set(after) - set(before))
