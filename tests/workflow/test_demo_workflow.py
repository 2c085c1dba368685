"""The whole workflow on a small generated province, and what reruns after which change."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
import time

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
from small_demo import digests, results, small_demo
from workspaces import Workspace

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("demo"), pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def demo(tmp_path_factory, request) -> Workspace:
    """A workspace in which the small demo has run."""
    return small_demo(tmp_path_factory, request)


@pytest.fixture
def copy(demo, tmp_path) -> Workspace:
    """A copy of the finished demo that a test may change."""
    shutil.copytree(demo.folder, tmp_path / "w", copy_function=shutil.copy2)
    return Workspace.at(tmp_path / "w")


def test_every_product_is_there_and_opens(demo):
    root = results(demo)
    with tarfile.open(root / "export" / "demo.tar.gz") as archive:
        names = archive.getnames()
    assert sum(name.endswith(".shp") for name in names) == 2
    assert all("cf_" in name for name in names if name.endswith(".shp"))
    counties = gpd.read_parquet(root / "export" / "counties.parquet")
    assert counties["polygon_id"].is_unique and counties.geometry.is_valid.all()
    for path in (root / "map").glob("*.tif"):
        with rasterio.open(path) as dataset:
            assert dataset.crs.to_epsg() == 4326
            assert set(pd.unique(dataset.read(1).ravel())) <= {0, 1, 254, 255}
    for case in ("demo", "demo_allocation"):
        page = demo.folder / "results" / case / "report.html"
        assert 'id="atlas-data"' in page.read_text(encoding="utf-8")
        tiles = list((page.parent / "report_files").rglob("*.webp"))
        assert tiles and sum(path.stat().st_size for path in tiles) < 12e6
    assert (root / "workflow.html").stat().st_size > 100_000
    metrics = json.loads((root / "metrics.json").read_text())
    assert 0 <= metrics["pixel_iou"] <= 1


def test_every_stage_holds_exactly_the_planned_blocks(demo):
    root = results(demo)
    planned = sorted(pd.read_parquet(root / "plan" / "blocks.parquet")["block_id"])
    for stage in ("quality/summer", "quality/winter", "terrain"):
        table = pd.concat(pd.read_parquet(path) for path in (root / stage).glob("*.parquet"))
        assert sorted(table["block_id"]) == planned, stage
    options = pd.read_parquet(root / "integration" / "options.parquet")
    assert sorted(options["block_id"]) == planned


def test_crops_are_placed_on_the_cropland_of_the_demos_own_map(demo):
    root = demo.folder / "results" / "demo_allocation"
    sources = pd.read_csv(root / "synergy" / "2020_sources.csv")
    value = sources[sources["item"] == "croplayer"].set_index("measure")["value"]
    mapped = json.loads((results(demo) / "metrics.json").read_text())["province_area_ha"]
    without_gaps = value["land_in_grid"] - value["added_for_unusable_pixels"]
    assert without_gaps == pytest.approx(mapped, rel=1e-3)
    maps = root / "maps" / "2020"
    crops = {path.name.split("_")[1] for path in maps.glob("ha_*_A_30sec_2020_DEMO.tif")}
    assert crops == {"rice", "maize", "soybean", "rapeseed", "potato", "tea"}
    for crop in crops:
        layers = []
        for system in "IHLA":
            with rasterio.open(maps / f"ha_{crop}_{system}_30sec_2020_DEMO.tif") as dataset:
                layers.append(dataset.read(1))
                assert "generated" in " ".join(dataset.tags().values()).lower()
        assert (np.nan_to_num(layers[0] + layers[1] + layers[2] - layers[3]) == 0).all()


def test_every_hectare_of_the_crops_is_accounted_for(demo):
    root = demo.folder / "results" / "demo_allocation"
    for year in (2015, 2020):
        account = pd.read_csv(root / "maps" / f"account_{year}.csv")
        judged = account[account["judged"] & (account["system"] == "A")]
        reported = judged["statistics_ha"].sum()
        assert reported > 0
        placed = judged["map_ha"].sum() + judged["slack_ha"].sum()
        assert placed == pytest.approx(reported, rel=1e-6)
        certificate = json.loads(
            (root / "allocation" / str(year) / "001" / "certificate.json").read_text()
        )
        assert certificate["relative_gap"] <= certificate["tolerance"]


def test_a_second_run_does_nothing_and_says_so(demo):
    before = digests(demo)
    start = time.monotonic()
    result = demo.run(["-m", "croplayer.demo", "--cores", "2"])
    assert result.returncode == 0
    assert "Nothing to be done" in result.stdout
    assert time.monotonic() - start < 60
    assert digests(demo) == before


def test_everything_says_that_it_is_generated(demo):
    root = results(demo)
    with rasterio.open(next((root / "mosaic" / "summer").glob("*.tif"))) as dataset:
        assert "generated" in " ".join(dataset.tags().values()).lower()
    for page in ("report.html", "workflow.html"):
        assert "generated" in (root / page).read_text(encoding="utf-8").lower()


@pytest.mark.parametrize(
    ("change", "rerun"),
    [
        (
            {"validation": {"pixel_iou": 0.5}},
            {"decide_stopping"},
        ),
        (
            {"export": {"min_area_ha": 0.5}},
            {"export_counties"},
        ),
        (
            {"segmentation": {"threshold": 0.6}},
            {"segment_shard", "measure_features", "integrate_shard", "validate_pixels"},
        ),
    ],
)
def test_a_changed_value_reruns_what_depends_on_it(copy, change, rerun):
    assert copy.planned_rules() == {}
    copy.configure("demo", change)
    planned = set(copy.planned_rules())
    assert rerun <= planned
    upstream = {"fetch_tiles", "build_mosaic", "train_coverage", "assess_quality"}
    assert not planned & (upstream | {"measure_terrain", "train_segmentation"})
    if "validation" in change:
        assert not planned & {"segment_shard", "integrate_shard", "export_counties"}
    if "export" in change:
        assert "validate_province" not in planned


def test_slower_requests_fetch_nothing_again(copy):
    copy.configure("demo", {"sources": {"summer": {"requests_per_second": 3}}})
    # Only the preview reckons with the rate.
    assert set(copy.planned_rules()) == {"preview_plan", "all"}


def test_edited_labels_rerun_training_and_no_imagery(copy):
    path = results(copy) / "generated" / "labels" / "cropland.gpkg"
    frame = gpd.read_file(path)
    os.utime(path)
    assert copy.planned_rules() == {}, "a touched file with the same labels must rerun nothing"
    frame.iloc[1:].to_file(path)
    planned = set(copy.planned_rules())
    assert {"import_labels", "train_segmentation", "segment_shard"} <= planned
    untouched = {"fetch_tiles", "build_mosaic", "train_coverage", "assess_quality"}
    assert not planned & (untouched | {"measure_terrain", "plan_blocks"})


def test_a_correction_wins_and_reruns_only_the_integration(copy):
    options = pd.read_parquet(results(copy) / "integration" / "options.parquet")
    row = options.iloc[0]
    other = "neither" if row["option"] != "neither" else "both"
    table = copy.folder / "corrections.csv"
    table.write_text(f"block_id,option,reason\n{row['block_id']},{other},seen by eye\n")
    copy.configure("demo", {"labels": {"corrections": "corrections.csv"}})
    planned = set(copy.planned_rules())
    assert {"choose_options", "integrate_shard"} <= planned
    assert not planned & {"train_integration", "segment_shard", "measure_features"}
    result = copy.snakemake("results/demo/integration/options.parquet")
    assert result.returncode == 0, result.stdout
    after = pd.read_parquet(results(copy) / "integration" / "options.parquet")
    assert after.set_index("block_id").loc[row["block_id"], "option"] == other
