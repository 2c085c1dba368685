"""Import of labels: what is accepted, repaired and listed, and what the report says."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from label_layers import BLOCKS, extents, fields, part, refused
from pyproj import Transformer

from croplayer.active.findings import (
    LabelAttributeError,
)


# ------------------------------------------------------------------------------- what is accepted
@pytest.mark.parametrize("suffix", [".gpkg", ".shp", ".geojson", ".parquet"])
def test_every_format_gives_the_same_labels(case, suffix):
    polygons, areas, _ = case(suffix=suffix)
    assert polygons["class"].tolist() == ["paddy", "cropland", "terraces"]
    assert areas["extent_id"].tolist() == ["a", "b", "c"]
    assert areas["split"].tolist() == ["train", "validation", "train"]
    assert areas["polygons"].tolist() == [2, 1, 0]
    got = shapely.normalize(polygons.geometry.to_numpy())
    want = shapely.normalize(fields().geometry.to_numpy())
    assert shapely.equals_exact(got, want, tolerance=1e-9).all()


def test_areas_of_extents_are_hectares_of_the_union(case):
    _, areas, _ = case()
    # The two fields side by side cover 0.6 x 0.3 of the block, the third 0.6 x 0.6.
    np.testing.assert_allclose(
        areas["cropland_ha"] / areas["area_ha"], [0.18, 0.36, 0.0], rtol=2e-4, atol=1e-12
    )


def test_another_crs_is_reprojected_and_told(case, caplog):
    there = Transformer.from_crs(4326, 32650, always_xy=True)
    back = Transformer.from_crs(32650, 4326, always_xy=True)
    projected = fields().to_crs(32650)
    polygons, _, report = case(cropland=projected)
    told = report[report["kind"] == "crs"]
    assert told["what"].tolist() == ["coordinates are in EPSG:32650"]
    assert told["done"].tolist() == ["reprojected to EPSG:4326"]
    assert "EPSG:32650" in caplog.text
    want = shapely.transform(
        shapely.transform(fields().geometry.to_numpy(), there.transform, interleaved=False),
        back.transform,
        interleaved=False,
    )
    assert shapely.equals_exact(polygons.geometry.to_numpy(), want, tolerance=1e-9).all()


def test_same_input_gives_same_bytes(case, tmp_path):
    case()
    first = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}
    case()
    assert first == {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}
    assert set(first) == {"polygons.parquet", "extents.parquet", "report.csv"}


def test_upper_case_attributes_and_whole_number_ids(case):
    areas = extents().rename(columns={"extent_id": "Extent_ID", "split": "SPLIT"})
    areas["Extent_ID"] = [7, 8, 9]
    _, got, _ = case(areas=areas)
    assert got["extent_id"].tolist() == ["7", "8", "9"]


def test_layer_of_the_right_name_is_taken_from_a_geopackage_of_several(case, tmp_path):
    path = tmp_path / "all.gpkg"
    fields().to_file(path, layer="cropland")
    extents().to_file(path, layer="extents")
    polygons, areas, _ = case(cropland=path, areas=path)
    assert (len(polygons), len(areas)) == (3, 3)


# --------------------------------------------------------------------------- warnings, not faults
def test_polygons_outside_the_extents_are_left_out_and_listed(case):
    frame = pd.concat(
        [fields(), gpd.GeoDataFrame(geometry=[part(0.1, -0.9, 0.2, -0.8, BLOCKS[1])], crs=4326)]
    )
    polygons, _, report = case(cropland=frame)
    assert len(polygons) == 3
    row = report[report["kind"] == "outside_extents"]
    assert row["feature"].tolist() == ["fid 4"]
    assert row["severity"].tolist() == ["warning"]


def test_slivers_are_kept_and_listed(case):
    frame = pd.concat(
        [fields(), gpd.GeoDataFrame(geometry=[part(0.9, 0.9, 0.9005, 0.9005)], crs=4326)]
    )
    polygons, _, report = case(cropland=frame, min_area_m2=20)
    assert len(polygons) == 4
    assert report.loc[report["kind"] == "sliver", "feature"].tolist() == ["fid 4"]


def test_small_overlap_is_a_warning(case):
    frame = fields()
    frame.loc[1, "geometry"] = part(0.3999, 0.1, 0.7, 0.4)
    _, _, report = case(cropland=frame, overlap_tolerance_m2=1000)
    row = report[report["kind"] == "overlap"]
    assert row["severity"].tolist() == ["warning"]
    assert row["feature"].tolist() == ["fid 1 and fid 2"]


def test_neighbours_that_share_an_edge_do_not_overlap(case):
    _, _, report = case(overlap_tolerance_m2=0)
    assert "overlap" not in set(report["kind"])


def test_non_cropland_classes_are_left_out_and_listed(case):
    frame = fields()
    frame.loc[0, "class"] = "orchard"
    polygons, areas, report = case(cropland=frame)
    assert len(polygons) == 2
    assert report.loc[report["kind"] == "not_cropland", "feature"].tolist() == ["fid 1"]
    assert areas["polygons"].tolist() == [1, 1, 0]


def test_features_without_geometry_are_left_out_and_listed(case):
    frame = fields()
    frame.loc[1, "geometry"] = None
    polygons, _, report = case(cropland=frame)
    assert len(polygons) == 2
    assert report.loc[report["kind"] == "no_geometry", "feature"].tolist() == ["fid 2"]


def test_no_validation_extent_is_a_warning(case):
    areas = extents()
    areas["split"] = "train"
    _, _, report = case(areas=areas)
    assert "no_validation" in set(report["kind"])


def test_training_extents_are_needed_where_a_model_is_trained(case):
    areas = extents()
    areas["split"] = "validation"
    message = refused(case, LabelAttributeError, None, areas)
    assert "no extent is for training" in message
    _, kept, _ = case(areas=areas, for_training=False)
    assert kept["split"].tolist() == ["validation"] * 3


def test_html_report_escapes_what_people_wrote(case):
    frame = fields()
    frame["polygon_id"] = ["<b>1</b>", "2", "3"]
    frame.loc[1, "geometry"] = None
    frame.loc[0, "class"] = "orchard"
    _, _, page = case(cropland=frame, report="report.html")
    text = page.read_text(encoding="utf-8")
    assert "no_geometry" in text
    assert "class &#x27;orchard&#x27;" in text
