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
from rasterio.features import geometry_mask
from workspaces import REPOSITORY, Workspace, made_once

from cropbase.areas import polygon_area_ha

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
def real(tmp_path_factory, request) -> Workspace:
    """A workspace in which both real provinces were mapped, once for all workers."""
    return made_once(tmp_path_factory, request, "real", map_both)


def map_both(workspace: Workspace) -> None:
    """Train on the fields, then map the place of two dates with what was learnt."""
    workspace.configure("provinces/naip_fields", FIELDS)
    workspace.configure("provinces/naip_two_dates", DATES)
    prepared = workspace.run(
        ["-m", "croplayer.imports.naip_fields", "--only", "3", "--folds", "2"],
        CROPLAYER_DATA_ROOT=str(ROOT),
    )
    assert prepared.returncode == 0, prepared.stdout
    result = workspace.snakemake("segmentation", province="naip_fields")
    assert result.returncode == 0, result.stdout[-6000:]
    site = ROOT / "naip_two_dates"
    prepared = workspace.run(
        [
            *("-m", "croplayer.imports.rasters", *map(str, sorted(site.glob("*.tif")))),
            *("--name", "naip_two_dates", "--output", "results/naip_two_dates/prepared"),
        ]
    )
    assert prepared.returncode == 0, prepared.stdout
    result = workspace.run(
        [
            *("-m", "croplayer.demo.server", str(site), "--port", "0", "--"),
            *(sys.executable, "-m", "snakemake", "--cores", "1"),
            *("--workflow-profile", "workflow/profiles/local"),
            *("--config", "provinces=naip_two_dates"),
        ]
    )
    assert result.returncode == 0, result.stdout[-6000:]


def read(workspace: Workspace, name: str) -> dict:
    return json.loads((workspace.folder / "results" / name).read_text(encoding="utf-8"))


def counts_of_masks(results: Path, source: str) -> dict[str, int]:
    """tp, fp, fn of the masks against the drawn polygons, counted anew with rasterio alone."""
    extents = gpd.read_parquet(results / "labels" / "extents.parquet")
    polygons = gpd.read_parquet(results / "labels" / "polygons.parquet")

    def of_source(frame):
        return frame[frame["source"].isna() | frame["source"].isin(["", source])]

    held_out = of_source(extents[extents["split"] == "validation"])
    drawn = of_source(polygons)
    counts = dict.fromkeys(("tp", "fp", "fn"), 0)
    for path in (results / "mask" / source).glob("*.tif"):
        with rasterio.open(path) as dataset:
            mapped = dataset.read(1)
            layers = [
                geometry_mask(frame.geometry, mapped.shape, dataset.transform, invert=True)
                if len(frame)
                else np.zeros(mapped.shape, dtype=bool)
                for frame in (held_out, drawn)
            ]
        judged, cropland = layers[0] & (mapped != 255), layers[1]
        counts["tp"] += int((judged & cropland & (mapped == 1)).sum())
        counts["fp"] += int((judged & ~cropland & (mapped == 1)).sum())
        counts["fn"] += int((judged & cropland & (mapped == 0)).sum())
    return counts


# So short a training on so few images says nothing of the accuracy: docs/real_runs.md has that of the
# full runs. What holds at any length: the loss falls, and the reported figures are those of the maps.
@pytest.mark.parametrize("province", ["naip_fields", "naip_two_dates"])
def test_the_network_learns_from_real_labels(real, province):
    model = real.folder / "results" / province / "segmentation" / "model"
    loss = pd.read_csv(model / "history.csv")["loss"]
    assert loss.iloc[-1] < 0.9 * loss.iloc[0]


@pytest.mark.parametrize(
    ("province", "source"),
    [("naip_fields", "naip"), ("naip_two_dates", "naip_2012"), ("naip_two_dates", "naip_2020")],
)
def test_the_reported_iou_is_that_of_masks_and_drawn_fields(real, province, source):
    reported = read(real, f"{province}/validation/pixel.json")["maps"][source]["pooled"]
    found = counts_of_masks(real.folder / "results" / province, source)
    for name, count in found.items():
        assert reported[name] == pytest.approx(count, rel=0.01, abs=20), name
    iou = found["tp"] / (found["tp"] + found["fp"] + found["fn"])
    assert reported["iou"] == pytest.approx(iou, abs=0.005)


def test_whole_images_are_held_out(real):
    report = pd.read_csv(real.folder / "results/naip_fields/prepared/report.csv")
    assert set(report["split"]) == {"train", "validation"}
    extents = gpd.read_parquet(real.folder / "results/naip_fields/labels/extents.parquet")
    train, validation = (
        extents[extents["split"] == s].union_all() for s in ("train", "validation")
    )
    assert train.distance(validation) > 0


def test_a_real_place_is_mapped_from_tiles_to_county_files(real):
    results = real.folder / "results" / "naip_two_dates"
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


def test_what_is_not_known_of_the_place_is_said(real):
    stopping = read(real, "naip_two_dates/validation/stopping.json")
    assert stopping["levels"]["province"]["status"] == "not assessed"
    (path,) = (real.folder / "results/naip_two_dates/terrain").glob("*.parquet")
    terrain = pd.read_parquet(path).drop(columns="block_id")
    assert terrain.isna().all(axis=None)


def test_a_second_run_has_nothing_to_do(real):
    assert real.planned_rules(province="naip_two_dates") == {}
