"""The workflow on real imagery, reduced: coarse pixels, few images, a short training."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
from workspaces import REPOSITORY, Workspace

from cropbase.areas import polygon_area_ha

INTERPRETED = REPOSITORY / "config" / "labels" / "naip_two_dates" / "semantic.csv"
ROOT = Path(os.environ.get("CROPLAYER_DATA_ROOT", REPOSITORY.parent / "shared" / "data")).resolve()
pytestmark = [
    pytest.mark.workflow,
    pytest.mark.xdist_group("real"),
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        not (ROOT / "naip_fields").is_dir() or not (ROOT / "naip_two_dates").is_dir(),
        reason=f"real data are absent: no naip_fields or naip_two_dates in {ROOT} "
        "(set CROPLAYER_DATA_ROOT)",
    ),
]

FIELDS = {
    "grid": {"pixels_per_block": 600},
    "segmentation": {
        "chip_pixels": 64,
        "overlap_pixels": 32,
        "max_steps": 150,
        "warmup_steps": 10,
        "learning_rate": 0.002,
        "validate_every_steps": 50,
        "loader_threads": 0,
    },
}
DATES = {
    "grid": {"pixels_per_block": 120, "shard_degrees": 0.08},
    "mosaic": {"halo_pixels": 64},
    "quality": {"epochs": 4, "crops_per_image": 1},
    "segmentation": {
        "chip_pixels": 64,
        "overlap_pixels": 32,
        "max_steps": 60,
        "warmup_steps": 5,
        "validate_every_steps": 30,
        "loader_threads": 0,
    },
    "semantic": {"n_trees": 30, "permutation_repeats": 3},
    "integration": {"n_trees": 30, "permutation_repeats": 3},
    "validation": {"bootstrap_repeats": 100},
}


@pytest.fixture(scope="module")
def fields(tmp_path_factory) -> Workspace:
    """A workspace in which the segmentation was trained on three of the aerial images."""
    workspace = Workspace(tmp_path_factory.mktemp("real"))
    workspace.configure("provinces/naip_fields", FIELDS)
    workspace.configure("provinces/naip_two_dates", DATES)
    prepared = workspace.run(
        ["-m", "croplayer.imports.naip_fields", "--only", "3", "--folds", "2"],
        CROPLAYER_DATA_ROOT=str(ROOT),
    )
    assert prepared.returncode == 0, prepared.stdout
    result = workspace.snakemake("segmentation", province="naip_fields")
    assert result.returncode == 0, result.stdout[-6000:]
    return workspace


@pytest.fixture(scope="module")
def dates(fields) -> Workspace:
    """The same workspace, in which the place of two dates was mapped through the tile server."""
    if not INTERPRETED.exists():
        pytest.skip(f"the blocks of naip_two_dates are not interpreted yet: no {INTERPRETED.name}")
    site = ROOT / "naip_two_dates"
    prepared = fields.run(
        [
            *("-m", "croplayer.imports.rasters", *map(str, sorted(site.glob("*.tif")))),
            *("--name", "naip_two_dates", "--output", "results/naip_two_dates/prepared"),
        ]
    )
    assert prepared.returncode == 0, prepared.stdout
    result = fields.run(
        [
            *("-m", "croplayer.demo.server", str(site), "--port", "0", "--"),
            *(sys.executable, "-m", "snakemake", "--cores", "1"),
            *("--workflow-profile", "workflow/profiles/local"),
            *("--config", "provinces=naip_two_dates"),
        ]
    )
    assert result.returncode == 0, result.stdout[-6000:]
    return fields


def read(workspace: Workspace, name: str) -> dict:
    return json.loads((workspace.folder / "results" / name).read_text(encoding="utf-8"))


def chance_iou(counts: dict) -> float:
    """IoU that a map with this share of cropland would have if it knew nothing of the place."""
    n = sum(counts[name] for name in ("tp", "fp", "fn", "tn"))
    mapped, labelled = (counts["tp"] + counts["fp"]) / n, (counts["tp"] + counts["fn"]) / n
    return mapped * labelled / (mapped + labelled - mapped * labelled)


def test_fields_are_found_in_an_image_never_seen(fields):
    pooled = read(fields, "naip_fields/validation/pixel.json")["maps"]["naip"]["pooled"]
    assert pooled["iou"] > chance_iou(pooled) + 0.05
    assert pooled["recall"] > 0.7
    report = pd.read_csv(fields.folder / "results/naip_fields/prepared/report.csv")
    assert set(report["split"]) == {"train", "validation"}


def test_a_real_place_is_mapped_from_tiles_to_county_files(dates):
    results = dates.folder / "results" / "naip_two_dates"
    (path,) = (results / "map").glob("*.tif")
    with rasterio.open(path) as dataset:
        codes = dataset.read(1)
    assert set(np.unique(codes)) <= {0, 1, 254, 255}
    assert (codes == 1).any()
    assert (codes == 0).any()
    counties = gpd.read_parquet(results / "export" / "counties.parquet").to_crs(4326)
    prepared = gpd.read_file(results / "prepared" / "province.gpkg")
    mapped = sum(polygon_area_ha(shape) for shape in counties.geometry)
    assert 0 < mapped < polygon_area_ha(prepared.geometry[0])
    assert (results / "figures" / "overview.png").stat().st_size > 50_000


def test_training_on_at_the_place_tells_fields_from_lakes(dates):
    pixel = read(dates, "naip_two_dates/validation/pixel.json")
    for name in ("naip_2012", "naip_2020"):
        pooled = pixel["maps"][name]["pooled"]
        assert pooled["iou"] > chance_iou(pooled) + 0.1, name


def test_what_is_not_known_of_the_place_is_said(dates):
    stopping = read(dates, "naip_two_dates/validation/stopping.json")
    assert stopping["levels"]["province"]["status"] == "not assessed"
    (path,) = (dates.folder / "results/naip_two_dates/terrain").glob("*.parquet")
    terrain = pd.read_parquet(path).drop(columns="block_id")
    assert terrain.isna().all(axis=None)


def test_a_second_run_has_nothing_to_do(dates):
    assert dates.planned_rules(province="naip_two_dates") == {}
