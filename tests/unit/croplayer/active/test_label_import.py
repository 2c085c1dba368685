"""Import of labels: what is accepted, what is refused and in which words, what the report says."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from pyproj import Transformer

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
from croplayer.active.labels import import_labels
from croplayer.grid import Block, BlockGrid
from croplayer.settings.labels import LabelSettings

GRID = BlockGrid(block_degrees=0.05, pixels_per_block=96, shard_degrees=0.2)
BLOCKS = [Block(1300, 5850), Block(1300, 5851), Block(1301, 5850)]
WEST, SOUTH, EAST, NORTH = GRID.bounds(BLOCKS[0])
TRAIN, VALIDATION, NEGATIVE = (GRID.polygon(block) for block in BLOCKS)


def part(x0, y0, x1, y1, block=BLOCKS[0]) -> shapely.Polygon:
    """A rectangle in fractions of a block."""
    west, south, east, north = GRID.bounds(block)
    w, h = east - west, north - south
    return shapely.box(west + x0 * w, south + y0 * h, west + x1 * w, south + y1 * h)


def fields() -> gpd.GeoDataFrame:
    shapes = [
        part(0.1, 0.1, 0.4, 0.4),
        part(0.4, 0.1, 0.7, 0.4),
        part(0.2, 0.2, 0.8, 0.8, BLOCKS[1]),
    ]
    return gpd.GeoDataFrame({"class": ["paddy", None, "terraces"]}, geometry=shapes, crs=4326)


def extents() -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(
        {"extent_id": ["a", "b", "c"], "split": ["train", "validation", "train"]},
        geometry=[TRAIN, VALIDATION, NEGATIVE],
        crs=4326,
    )


@pytest.fixture
def case(tmp_path):
    """A function that runs the import on two frames and returns (polygons, extents, report)."""

    def run(cropland=None, areas=None, *, suffix=".gpkg", **settings):
        cropland = fields() if cropland is None else cropland
        areas = extents() if areas is None else areas
        paths = {}
        for name, frame in (("cropland", cropland), ("extents", areas)):
            if isinstance(frame, Path):
                paths[name] = frame
                continue
            paths[name] = tmp_path / f"{name}{suffix}"
            write = frame.to_parquet if suffix == ".parquet" else frame.to_file
            write(paths[name])
        plan = tmp_path / "blocks.parquet"
        gpd.GeoDataFrame(
            {"block_id": [GRID.block_id(block) for block in BLOCKS]},
            geometry=[GRID.polygon(block) for block in BLOCKS],
            crs=4326,
        ).to_parquet(plan)
        out = tmp_path / "out"
        sources = settings.pop("sources", None)
        for_training = settings.pop("for_training", True)
        report = out / settings.pop("report", "report.csv")
        import_labels(
            **paths,
            blocks=plan,
            grid=GRID,
            settings=LabelSettings(**settings),
            polygons_out=out / "polygons.parquet",
            extents_out=out / "extents.parquet",
            report=report,
            sources=sources,
            for_training=for_training,
        )
        table = pd.read_csv(report, dtype=str) if report.suffix == ".csv" else report
        return (
            gpd.read_parquet(out / "polygons.parquet"),
            gpd.read_parquet(out / "extents.parquet"),
            table,
        )

    run.folder = tmp_path / "out"
    return run


def refused(case, error, *args, **settings) -> str:
    """The message of the refusal; asserts that nothing at all was written."""
    with pytest.raises(error) as caught:
        case(*args, **settings)
    assert type(caught.value) is error
    assert list(case.folder.glob("**/*")) == []
    assert "what to do" in str(caught.value)
    return str(caught.value)


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
