"""The block level: semantic correctness of sources and integration, shapes of the final map."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from skimage.measure import label, regionprops_table

from cropbase.errors import InputError
from cropbase.tables import write_table
from croplayer.blocks.tables import SEMANTIC_FEATURES
from croplayer.validation.block import integration_is_correct, validate_blocks

SOURCES = ("google", "mapbox")
CLASSES = {"google": ["TP", "TP", "FP", "Noise"], "mapbox": ["TP", "Artifacts", "TP", "FP"]}
AREAS = {"google": [5.0, 0.0, 3.0, np.nan], "mapbox": [4.0, 2.0, 6.0, 1.0]}
COVERAGE = {"google": ["planting", "cloudy", "cloudy", "nodata"]}
COVERAGE["mapbox"] = ["planting", "planting", "snow_ice", "cloudy"]


@pytest.fixture
def tables(province, tmp_path):
    ids = [province.grid.block_id(b) for b in province.blocks]
    rows, classes = [], []
    for source in SOURCES:
        for k, block_id in enumerate(ids):
            row = dict.fromkeys(SEMANTIC_FEATURES, float(k)) | {"containment": 0.5}
            row |= {"block_id": block_id, "source": source, "area": AREAS[source][k]}
            rows.append(row | {"coverage_type": COVERAGE[source][k]})
            name = CLASSES[source][k]
            classes.append({"block_id": block_id, "source": source, "semantic_class": name})
    paths = {name: tmp_path / f"{name}.parquet" for name in ("features", "semantic", "options")}
    write_table(pd.DataFrame(rows), paths["features"])
    write_table(pd.DataFrame(classes[::-1]), paths["semantic"])
    options = ["both", "only_a", "only_b", "neither"]
    write_table(
        pd.DataFrame(
            {"block_id": ids, "option": options, "corrected": [True, False, False, False]}
        ),
        paths["options"],
    )
    card = {"kind": "xgboost", "classes_present": ["TP"], "test_rows": 9, "warnings": ["few"]}
    card["test"] = {"accuracy": 0.9, "balanced_accuracy": 0.8}
    paths["card"] = tmp_path / "card.json"
    paths["card"].write_text(json.dumps(card))
    return paths


def run(tables, tmp_path, **changes):
    given = {"options": tables["options"], "sources": SOURCES}
    validate_blocks(
        semantic=tables["semantic"],
        semantic_card=tables["card"],
        features=[tables["features"]],
        output=tmp_path / "block.json",
        **(given | changes),
    )
    return json.loads((tmp_path / "block.json").read_text())


def test_correctness_of_a_source_is_its_share_of_tp(tables, tmp_path):
    result = run(tables, tmp_path)
    google, mapbox = (result["sources"][s] for s in SOURCES)
    assert google["semantic_correctness"] == 0.5
    assert google["classes"] == {"TP": 2, "FP": 1, "Noise": 1, "Artifacts": 0}
    assert (google["empty_blocks"], google["blocks_without_data"]) == (1, 1)
    assert mapbox["classes"] == {"TP": 2, "FP": 1, "Noise": 0, "Artifacts": 1}
    # Means over blocks with cropland: blocks 0 and 2.
    assert (google["blocks_with_cropland"], google["solidity_mean"]) == (2, 1.0)
    assert google["low_quality_share"] == 0.75
    assert result["poor_imagery_share"] == 0.5  # poor in both sources: blocks 2 and 3
    assert result["model"]["accuracy"] == 0.9
    assert result["model"]["warnings"] == ["few"]


def test_correctness_of_the_integration_follows_what_it_takes_over(tables, tmp_path):
    result = run(tables, tmp_path)["integration"]
    # both of TP and TP; google alone, TP; mapbox alone, TP; neither of Noise and FP.
    assert result["semantic_correctness"] == 1.0
    assert result["options"] == {"neither": 1, "only_a": 1, "only_b": 1, "both": 1}
    assert result["corrected_blocks"] == 1
    assert "solidity_mean" not in result
    swapped = run(tables, tmp_path, sources=SOURCES[::-1])["integration"]
    # Now mapbox is A: block 1 takes Artifacts, block 2 takes FP.
    assert swapped["semantic_correctness"] == 0.5


@pytest.mark.parametrize(
    ("option", "a", "b", "area_a", "area_b", "correct"),
    [
        ("only_a", "TP", "FP", 1.0, 1.0, True),
        ("only_a", "FP", "TP", 1.0, 1.0, False),
        ("only_b", "FP", "TP", 1.0, 1.0, True),
        ("both", "TP", "TP", 1.0, 1.0, True),
        ("both", "TP", "Noise", 1.0, 1.0, False),
        ("both", "TP", "Noise", 1.0, 0.0, True),
        ("both", "TP", "Artifacts", 1.0, float("nan"), True),
        ("both", "FP", "TP", 0.0, 1.0, True),
        ("neither", "FP", "Noise", 1.0, 1.0, True),
        ("neither", "TP", "Noise", 1.0, 1.0, False),
        ("neither", "TP", "TP", 0.0, 0.0, True),
    ],
)
def test_the_integration_is_correct_if_what_it_shows_is(option, a, b, area_a, area_b, correct):
    assert integration_is_correct(option, a, b, area_a, area_b) is correct


def test_shapes_of_the_final_map_equal_scikit_image(province, tables, tmp_path):
    result = run(tables, tmp_path, maps=province.maps["integrated"], grid=province.grid)
    means, totals = [], []
    for r, c in np.ndindex(2, 2):
        part = province.arrays["integrated"][r * 64 : (r + 1) * 64, c * 64 : (c + 1) * 64] == 1
        props = regionprops_table(
            label(part, connectivity=2), properties=("solidity", "euler_number")
        )
        means.append(props["solidity"].mean())
        totals.append(props["euler_number"].sum())
    assert result["integration"]["solidity_mean"] == pytest.approx(np.mean(means))
    assert result["integration"]["en_total"] == pytest.approx(np.mean(totals))
    assert result["integration"]["blocks_with_cropland"] == 4


def test_a_single_source_has_no_integration(tables, tmp_path):
    result = run(tables, tmp_path, options=None, sources=None)
    assert result["integration"] is None
    assert list(result["sources"]) == list(SOURCES)


def test_a_block_without_class_is_named(province, tables, tmp_path):
    write_table(pd.read_parquet(tables["semantic"]).iloc[1:], tables["semantic"])
    last = province.grid.block_id(province.blocks[3])
    with pytest.raises(InputError, match=f"no class of block {last}, source 'mapbox'"):
        run(tables, tmp_path)


def test_a_block_without_option_is_named(province, tables, tmp_path):
    write_table(pd.read_parquet(tables["options"]).iloc[1:], tables["options"])
    with pytest.raises(InputError, match=province.grid.block_id(province.blocks[0])):
        run(tables, tmp_path)
    assert not (tmp_path / "block.json").exists()
