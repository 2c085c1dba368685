"""Rounds through snakemake: what an edit reruns, and an old round again, to the byte."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
from small_demo import results, small_demo
from workspaces import Workspace

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("demo"), pytest.mark.timeout(900)]

NEVER = {
    *("fetch_tiles", "build_mosaic", "measure_terrain", "plan_blocks", "preview_plan"),
    *("train_coverage", "assess_quality"),
}
MODEL = "results/demo/segmentation/model/model.safetensors"
IMPORTED = "results/demo/labels/polygons.parquet"
DECISION = "results/demo/rounds/1/decision.json"


@pytest.fixture(scope="module")
def demo(tmp_path_factory, request) -> Workspace:
    """A workspace in which the small demo has run."""
    return small_demo(tmp_path_factory, request)


@pytest.fixture
def copy(demo, tmp_path) -> Workspace:
    """A copy of the finished demo, its labels frozen as round 1."""
    shutil.copytree(demo.folder, tmp_path / "w", copy_function=shutil.copy2)
    workspace = Workspace.at(tmp_path / "w")
    added = workspace.run(["-m", "croplayer.active.rounds", "add", "demo"])
    assert added.returncode == 0, added.stdout
    assert "Round 1 added" in added.stdout
    return workspace


def labels(workspace: Workspace) -> Path:
    return results(workspace) / "generated" / "labels"


def drop_a_polygon(workspace: Workspace) -> None:
    path = labels(workspace) / "cropland.gpkg"
    frame = gpd.read_file(path)
    frame.iloc[1:].to_file(path)


def what_is_learned(workspace: Workspace) -> dict[str, bytes]:
    root = results(workspace)
    files = ["labels/polygons.parquet", "labels/extents.parquet", "segmentation/model/history.csv"]
    return {
        name: (root / name).read_bytes()
        for name in [*files, "segmentation/model/model.safetensors"]
    }


def test_an_edit_reruns_training_and_what_follows_for_its_round_and_nothing_else(copy):
    assert copy.planned_rules() == {}, "freezing a round reruns nothing"
    old = results(copy) / "rounds" / "1"
    before = {path.name: path.read_bytes() for path in old.iterdir()}
    assert set(before) == {"decision.json", "metrics.json", "segmentation_card.json"}
    drop_a_polygon(copy)
    planned = copy.planned_rules()
    learned = {"import_labels", "train_segmentation", "segment_shard", "measure_features"}
    assert learned | {"validate_pixels", "decide_stopping", "record_round", "plot_rounds"} <= set(
        planned
    )
    assert not set(planned) & NEVER
    assert planned["record_round"] == 1
    listed = copy.snakemake("-n", "results/demo/rounds/2/decision.json").stdout
    assert "rounds/2/decision.json" in listed and "rounds/1/decision.json" not in listed
    assert {path.name: path.read_bytes() for path in old.iterdir()} == before


def test_a_round_of_the_same_labels_trains_nothing(copy):
    copy.configure("demo", {"labels": {"round": 1}})
    done = copy.snakemake("--until", "import_labels", "import_block_labels")
    assert done.returncode == 0, done.stdout
    # The report shows the configuration, which now names a round.
    assert set(copy.planned_rules()) == {"province_report", "all"}


def test_an_old_round_replays_to_the_same_bytes(copy):
    first = what_is_learned(copy)
    decision = (copy.folder / DECISION).read_bytes()
    drop_a_polygon(copy)
    done = copy.snakemake(MODEL)
    assert done.returncode == 0, done.stdout
    second = what_is_learned(copy)
    assert second[MODEL.removeprefix("results/demo/")] != first[MODEL.removeprefix("results/demo/")]

    copy.configure("demo", {"labels": {"round": 1}})
    # Known to be the same labels as before, the tables of blocks make nothing run again.
    done = copy.snakemake("--until", "import_labels", "import_block_labels")
    assert done.returncode == 0, done.stdout
    done = copy.snakemake(DECISION)
    assert done.returncode == 0, done.stdout
    assert what_is_learned(copy) == first
    assert (copy.folder / DECISION).read_bytes() == decision


def test_labels_changed_while_a_job_waits_are_refused_and_nothing_is_lost(copy):
    drop_a_polygon(copy)
    lock = results(copy) / "labels" / "labels.lock"
    model, old = (copy.folder / MODEL).read_bytes(), lock.read_bytes()
    run = copy.start(
        [
            *("-m", "snakemake", IMPORTED, "--workflow-profile", "workflow/profiles/local"),
            *("--cores", "1", "--config", "provinces=demo"),
        ]
    )
    # The lock is refreshed when the workflow starts, seconds before the job that reads the labels.
    while run.poll() is None and lock.read_bytes() == old:
        time.sleep(0.02)
    drop_a_polygon(copy)
    told, _ = run.communicate(timeout=300)
    assert run.returncode != 0, told
    assert "the labels are not those of" in told and "cropland.gpkg" in told
    assert "run the workflow again" in told
    assert not (copy.folder / IMPORTED).exists()
    assert (copy.folder / MODEL).read_bytes() == model

    done = copy.snakemake(IMPORTED)
    assert done.returncode == 0, done.stdout
    drawn = len(gpd.read_file(labels(copy) / "cropland.gpkg"))
    assert len(gpd.read_parquet(copy.folder / IMPORTED)) == drawn


def test_a_table_trains_only_for_another_label(copy):
    path = labels(copy) / "coverage.csv"
    table = pd.read_csv(path)
    table.assign(annotator="x", labelled_at="2024-05-01").to_csv(path, index=False)
    done = copy.snakemake("--until", "import_block_labels")
    assert done.returncode == 0, done.stdout
    # The labels are no longer those of round 1, so the decision is that of round 2; no model is.
    assert not set(copy.planned_rules()) & {*NEVER, "train_segmentation", "train_semantic"}

    table.loc[0, "coverage_type"] = (
        "cloudy" if table["coverage_type"][0] != "cloudy" else "planting"
    )
    table.to_csv(path, index=False)
    planned = set(copy.planned_rules())
    assert {"import_block_labels", "train_coverage", "assess_quality"} <= planned
    assert not planned & {"train_segmentation", "segment_shard", "build_mosaic", "measure_terrain"}
