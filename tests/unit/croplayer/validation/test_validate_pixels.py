"""The pixel level against brute force, across shards, with extents of one source."""

from __future__ import annotations

import json

import geopandas as gpd
import numpy as np
import pytest
import shapely

from cropbase.errors import InputError
from cropbase.tables import write_table
from croplayer.settings.validation import ValidationSettings
from croplayer.validation.confusion import Confusion
from croplayer.validation.pixel import bootstrap_interval, validate_pixels

SETTINGS = ValidationSettings(bootstrap_repeats=200)


@pytest.fixture
def labels(province, tmp_path):
    """Extents across shard edges; polygons are slanted and overlap."""
    box = province.box
    extents = gpd.GeoDataFrame(
        {
            "extent_id": ["all", "google_only", "training", "empty"],
            "split": ["validation", "validation", "train", "validation"],
            "source": ["", "google", "", None],
        },
        geometry=[
            box(30.2, 20.3, 60, 80),
            box(70.1, 90.2, 40, 30),
            box(0, 100, 20, 20),
            box(100.3, 5.2, 20, 40),
        ],
        crs=4326,
    )
    slanted = shapely.affinity.rotate(box(35, 30, 30, 50), 17)
    polygons = gpd.GeoDataFrame(
        {"source": ["", "", "google", "mapbox"]},
        geometry=[slanted, box(40.1, 60.2, 45, 60), box(75.3, 95.1, 9, 9), box(80.3, 97.1, 9, 9)],
        crs=4326,
    )
    paths = tmp_path / "polygons.parquet", tmp_path / "extents.parquet"
    write_table(polygons, paths[0])
    write_table(extents, paths[1])
    return {"polygons": polygons, "extents": extents, "paths": paths}


def run(province, labels, tmp_path, maps=None):
    output = tmp_path / "pixel.json"
    validate_pixels(
        maps=maps or province.maps,
        polygons=labels["paths"][0],
        extents=labels["paths"][1],
        grid=province.grid,
        output=output,
        settings=SETTINGS,
    )
    return json.loads(output.read_text())


def brute(province, labels, name, extent_id):
    """Counts of one extent by asking every pixel centre."""
    x, y = province.centres()
    extent = labels["extents"].set_index("extent_id").loc[extent_id]
    inside = shapely.contains_xy(extent.geometry, x, y)
    source = extent["source"] or name
    polygons = labels["polygons"]
    if source != "integrated":
        polygons = polygons[polygons["source"].isin(["", source])]
    truth = inside & shapely.contains_xy(polygons.union_all(), x, y)
    values = province.arrays[name]
    known = inside & (values <= 1)
    return Confusion.count(values == 1, truth, known), int((inside & ~known).sum())


@pytest.mark.parametrize("name", ["google", "mapbox", "integrated"])
def test_counts_equal_brute_force_in_every_extent(province, labels, tmp_path, name):
    result = run(province, labels, tmp_path)["maps"][name]
    wanted = {
        "google": ["all", "empty", "google_only"],
        "mapbox": ["all", "empty"],
        "integrated": ["all", "empty", "google_only"],
    }[name]
    assert [row["extent_id"] for row in result["extents"]] == wanted
    total, excluded = Confusion(), 0
    for row in result["extents"]:
        counts, out = brute(province, labels, name, row["extent_id"])
        assert (row["tp"], row["fp"], row["fn"], row["tn"]) == (
            counts.tp,
            counts.fp,
            counts.fn,
            counts.tn,
        )
        assert row["excluded_pixels"] == out
        total, excluded = total + counts, excluded + out
    assert result["pooled"]["iou"] == total.iou
    assert result["pooled"]["excluded_pixels"] == excluded > 0


def test_small_windows_change_nothing(province, labels, tmp_path, monkeypatch):
    whole = run(province, labels, tmp_path)
    monkeypatch.setattr("croplayer.validation.pixel.WINDOW_PIXELS", 17)
    assert run(province, labels, tmp_path) == whole


def test_the_interval_holds_the_pooled_value_and_is_repeatable(province, labels, tmp_path):
    first = run(province, labels, tmp_path)
    google = first["maps"]["google"]
    low, high = google["interval_95"]["iou"]
    assert low <= google["pooled"]["iou"] <= high
    assert low < high
    assert run(province, labels, tmp_path) == first


def test_where_no_raster_reaches_pixels_are_excluded(province, labels, tmp_path):
    part = run(province, labels, tmp_path, {"google": province.maps["google"][:2]})
    whole = run(province, labels, tmp_path, {"google": province.maps["google"]})
    few, all_ = part["maps"]["google"]["pooled"], whole["maps"]["google"]["pooled"]
    count = ["tp", "fp", "fn", "tn", "excluded_pixels"]
    assert sum(few[k] for k in count) == sum(all_[k] for k in count)
    assert few["excluded_pixels"] > all_["excluded_pixels"]


def test_without_validation_extents_the_level_is_not_assessed(province, labels, tmp_path, caplog):
    write_table(labels["extents"].assign(split="train"), labels["paths"][1])
    result = run(province, labels, tmp_path)
    assert result["assessed"] is False
    assert result["maps"]["google"]["pooled"]["iou"] is None
    assert "no extent of split validation" in caplog.text


def test_a_probability_raster_is_no_map(province, labels, tmp_path):
    import rasterio

    path = province.maps["google"][0]
    with rasterio.open(path) as dataset:
        profile, values = dataset.profile, dataset.read()
    values[0, 40, 40] = 77
    path.unlink()
    with rasterio.open(path, "w", **(profile | {"driver": "GTiff"})) as dataset:
        dataset.write(values)
    with pytest.raises(InputError, match=r"no cropland map\n  given: value 77"):
        run(province, labels, tmp_path)


def test_labels_without_crs_or_column_are_refused(province, labels, tmp_path):
    write_table(labels["extents"].drop(columns="split"), labels["paths"][1])
    with pytest.raises(InputError, match="has no column 'split'"):
        run(province, labels, tmp_path)
    write_table(labels["extents"].to_crs(3857), labels["paths"][1])
    with pytest.raises(InputError, match="not in EPSG:4326"):
        run(province, labels, tmp_path)


def test_the_bootstrap_of_equal_extents_is_a_point_and_of_one_is_none():
    row = [30, 10, 10, 50]
    found = bootstrap_interval(np.array([row] * 5), repeats=100, seed=0)
    assert found["iou"] == pytest.approx([0.6, 0.6])
    assert bootstrap_interval(np.array([row]), repeats=100, seed=0) is None


def test_the_bootstrap_agrees_with_the_standard_error_of_a_mean():
    # Extents of equal size: overall accuracy is then a mean of 400 independent values.
    rng = np.random.default_rng(8)
    right = rng.integers(60, 101, 400)
    counts = np.column_stack([right, 100 - right, np.zeros((400, 2), dtype=int)])
    low, high = bootstrap_interval(counts, repeats=4000, seed=0)["overall_accuracy"]
    width = 2 * 1.96 * (right / 100).std() / np.sqrt(400)
    assert high - low == pytest.approx(width, rel=0.1)


def test_an_interval_that_nothing_defines_is_missing():
    found = bootstrap_interval(np.array([[0, 0, 0, 9], [0, 0, 0, 4]]), repeats=100, seed=0)
    assert found["iou"] is None
    assert found["overall_accuracy"] == [1.0, 1.0]
