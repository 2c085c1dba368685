"""Import of labels: what is refused, and in which words."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from label_layers import BLOCKS, EAST, GRID, NORTH, SOUTH, WEST, extents, fields, part, refused

from croplayer.active.checks import distance_m
from croplayer.active.findings import (
    LabelAttributeError,
    LabelCrsError,
    LabelError,
    LabelFileError,
    LabelGeometryError,
    LabelLeakageError,
    LabelOverlapError,
    LabelPlacementError,
)
from croplayer.active.lock import LabelLockError, lock_labels
from croplayer.grid import Block

# ------------------------------------------------------------------------------- what is refused
BOWTIE = shapely.Polygon(
    [(WEST, SOUTH), (WEST + 0.01, SOUTH + 0.01), (WEST + 0.01, SOUTH), (WEST, SOUTH + 0.01)]
)


def test_self_intersection_is_refused_by_feature(case):
    frame = fields()
    frame.loc[0, "geometry"] = BOWTIE
    message = refused(case, LabelGeometryError, frame)
    assert "fid 1: Self-intersection[" in message
    assert "cropland.gpkg" in message
    assert "Fix geometries" in message


def test_self_intersection_is_repaired_on_demand(case):
    frame = fields().iloc[1:].reset_index(drop=True)
    frame = pd.concat([frame, gpd.GeoDataFrame(geometry=[BOWTIE], crs=4326)], ignore_index=True)
    polygons, _, report = case(cropland=frame, repair=True)
    assert len(polygons) == 3
    assert polygons.geometry.is_valid.all()
    row = report[report["kind"] == "invalid_geometry"]
    assert row["done"].tolist() == ["repaired by make_valid"]
    assert row["feature"].tolist() == ["fid 3"]


def test_overlap_is_refused_by_pair(case):
    frame = fields()
    frame.loc[1, "geometry"] = part(0.35, 0.1, 0.7, 0.4)
    message = refused(case, LabelOverlapError, frame)
    assert "fid 1 and fid 2: overlap by" in message
    assert "16.7% of the smaller" in message


@pytest.mark.parametrize("settings", [{"repair": True}, {"on_overlap": "warn"}])
def test_overlap_is_accepted_on_demand_and_counts_once(case, settings):
    frame = fields()
    frame.loc[1, "geometry"] = part(0.3, 0.1, 0.7, 0.4)
    _, areas, report = case(cropland=frame, **settings)
    assert report.loc[report["kind"] == "overlap", "severity"].tolist() == ["warning"]
    assert areas["cropland_ha"][0] / areas["area_ha"][0] == pytest.approx(0.18, rel=2e-4)


def test_polygons_of_two_sources_may_overlap(case):
    frame = fields()
    frame["source"] = ["google", "mapbox", ""]
    frame.loc[1, "geometry"] = frame.geometry[0]
    polygons, _, _ = case(cropland=frame, sources=["google", "mapbox"])
    assert len(polygons) == 3


def test_unknown_source_is_refused(case):
    frame = fields()
    frame["source"] = ["bing", "", None]
    message = refused(case, LabelAttributeError, frame, sources=["google", "mapbox"])
    assert "fid 1: unknown source 'bing'; allowed: google, mapbox" in message


@pytest.mark.parametrize("layer", ["cropland", "areas"])
def test_no_crs_is_refused(case, layer):
    frame = (fields() if layer == "cropland" else extents()).set_crs(None, allow_override=True)
    message = refused(case, LabelCrsError, **{layer: frame}, suffix=".shp")
    assert "no coordinate reference system" in message
    assert ".prj" in message


def test_metres_called_degrees_are_refused(case):
    frame = fields().to_crs(32650).set_crs(4326, allow_override=True)
    message = refused(case, LabelCrsError, frame, suffix=".parquet")
    assert "is no place" in message


def test_extent_outside_every_block_is_refused_by_name(case):
    areas = extents()
    areas.loc[2, "geometry"] = GRID.polygon(Block(1400, 5850))
    message = refused(case, LabelPlacementError, None, areas)
    assert "c (fid 3): longitude" in message
    assert "none of the 3 blocks" in message


def test_polygons_all_outside_the_extents_are_refused(case):
    frame = fields().iloc[:2].copy()
    areas = extents().iloc[1:]
    message = refused(case, LabelPlacementError, frame, areas)
    assert "all 2 polygons lie outside every extent" in message


def test_train_and_validation_overlap_is_refused(case):
    areas = extents()
    areas.loc[1, "geometry"] = part(0.9, 0.0, 1.5, 1.0)
    message = refused(case, LabelLeakageError, None, areas)
    assert "a (fid 1) and b (fid 2): train and validation share" in message


def test_extents_that_only_touch_are_accepted(case):
    case(areas=extents(), leakage_metres=0)


def test_least_distance_between_splits(case):
    areas = extents()
    areas.loc[1, "geometry"] = part(0.02, 0.0, 1.0, 1.0, BLOCKS[1])
    areas = areas.iloc[:2]
    gap = distance_m(*areas.geometry)
    assert gap == pytest.approx(0.001 * 111_320 * np.cos(np.radians(SOUTH)), rel=0.01)
    case(areas=areas, leakage_metres=gap * 0.99)
    with pytest.raises(LabelLeakageError, match=f"are {gap:.1f} m apart"):
        case(areas=areas, leakage_metres=gap * 1.01)


@pytest.mark.parametrize("column", ["extent_id", "split"])
def test_missing_attribute_is_refused(case, column):
    message = refused(case, LabelAttributeError, None, extents().drop(columns=column))
    assert f"has no attribute '{column}'" in message


def test_unknown_split_is_refused(case):
    areas = extents()
    areas.loc[1, "split"] = "test"
    message = refused(case, LabelAttributeError, None, areas)
    assert "fid 2: split is 'test'; allowed: train, validation" in message


def test_doubled_extent_id_is_refused(case):
    areas = extents()
    areas["extent_id"] = ["a", "a", "c"]
    assert "a: extent_id of fid 1, fid 2" in refused(case, LabelAttributeError, None, areas)


def test_unknown_class_is_refused(case):
    frame = fields()
    frame.loc[0, "class"] = "maise"
    message = refused(case, LabelAttributeError, frame)
    assert "fid 1: unknown class 'maise'; allowed: cropland, paddy" in message


def test_lines_are_refused(case):
    frame = gpd.GeoDataFrame(
        geometry=[shapely.LineString([(WEST, SOUTH), (EAST, NORTH)])], crs=4326
    )
    assert "fid 1: given LineString" in refused(case, LabelFileError, frame)


def test_empty_layer_is_refused(case):
    assert "no features" in refused(case, LabelFileError, fields().iloc[:0])


def test_absent_file_is_refused(case, tmp_path):
    message = refused(case, LabelFileError, tmp_path / "nowhere.gpkg")
    assert "nowhere.gpkg, does not exist" in message


def test_file_that_is_no_vector_data_is_refused(case, tmp_path):
    path = tmp_path / "photo.gpkg"
    path.write_bytes(b"not a geopackage")
    assert "cannot be read as vector data" in refused(case, LabelFileError, path)


def test_geopackage_of_several_other_layers_is_refused(case, tmp_path):
    path = tmp_path / "all.gpkg"
    fields().to_file(path, layer="north")
    fields().to_file(path, layer="south")
    assert "north, south" in refused(case, LabelFileError, path)


def test_faults_of_both_files_come_in_one_message(case):
    frame, areas = fields(), extents()
    frame.loc[0, "geometry"] = BOWTIE
    frame.loc[2, "class"] = "maise"
    areas.loc[1, "split"] = "test"
    areas["extent_id"] = ["a", "a", "c"]
    message = refused(case, LabelError, frame, areas)
    assert message.startswith("the labels have 4 fault(s)")
    for words in ("Self-intersection", "unknown class 'maise'", "split is 'test'", "extent_id of"):
        assert words in message


def test_message_lists_the_first_ten_and_counts_the_rest(case, caplog):
    caplog.set_level("INFO")
    frame = gpd.GeoDataFrame(geometry=[BOWTIE] * 14, crs=4326)
    message = refused(case, LabelGeometryError, frame)
    assert message.count("Self-intersection") == 10
    assert "... and 4 more" in message
    assert caplog.text.count("Self-intersection") == 14


def test_labels_that_changed_since_they_were_locked_are_refused(case, tmp_path):
    fields().to_file(tmp_path / "cropland.gpkg")
    extents().to_file(tmp_path / "extents.gpkg")
    files = {name: tmp_path / f"{name}.gpkg" for name in ("cropland", "extents")}
    lock = tmp_path / "labels.lock"
    lock_labels(files=files, output=lock)
    case(lock=lock)
    for path in case.folder.iterdir():
        path.unlink()
    edited = fields()
    edited.loc[0, "class"] = "fallow"
    message = refused(case, LabelLockError, edited, lock=lock)
    assert "labels.cropland" in message and "changed since" in message


def test_an_old_date_is_read_and_a_time_that_is_none_refused(case):
    polygons, _, _ = case(cropland=fields().assign(date=["2021-05-01", None, None]))
    assert polygons["labelled_at"].tolist() == ["2021-05-01", "", ""]
    message = refused_time(case)
    assert "fid 1: labelled_at 'May' is no time" in message


def refused_time(case) -> str:
    with pytest.raises(LabelAttributeError) as caught:
        case(cropland=fields().assign(labelled_at=["May", "", ""]))
    return str(caught.value)
