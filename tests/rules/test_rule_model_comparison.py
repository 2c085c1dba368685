"""The comparison of segmentation models through snakemake, on a province made for it."""

from __future__ import annotations

import json
import shutil

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from rasterio.features import shapes as shapes_of
from rasterio.transform import from_bounds
from scipy import ndimage
from workspaces import Workspace, made_once

pytestmark = [pytest.mark.xdist_group("rules"), pytest.mark.timeout(600)]

BOUNDS = (112.0, 24.0, 112.1, 24.1)
PIXELS = 160
TARGET = "model_comparison"
FOLDER = "results/demo/model_comparison"
MICRO = {"width": 8, "branch_blocks": 1, "integral_blocks": 1, "pyramid_width": 8}


@pytest.fixture(scope="module")
def compared(tmp_path_factory, request) -> Workspace:
    """A workspace in which the models have been compared, made once for all workers."""

    def build(workspace: Workspace) -> None:
        configure(workspace)
        done = workspace.snakemake(TARGET)
        assert done.returncode == 0, done.stdout[-3000:]

    return made_once(tmp_path_factory, request, "model_comparison", build)


@pytest.fixture
def copy(compared, tmp_path) -> Workspace:
    """A copy of it that a test may change."""
    shutil.copytree(compared.folder, tmp_path / "w", copy_function=shutil.copy2)
    return Workspace.at(tmp_path / "w")


def configure(made: Workspace) -> None:
    """Green fields on brown ground, six labelled extents; all generated."""
    root = made.folder / "data"
    root.mkdir()
    rng = np.random.default_rng(0)
    margin = 0.1
    west, south, east, north = BOUNDS
    outer = (west - margin, south - margin, east + margin, north + margin)
    size = 3 * PIXELS
    field = ndimage.gaussian_filter(rng.standard_normal((size, size)), 8) > 0
    image = np.where(field, 1, 0)[None] * np.array([-40, 60, -20])[:, None, None] + 110
    image = np.clip(image + rng.normal(0, 15, (3, size, size)), 0, 255).astype(np.uint8)
    transform = from_bounds(*outer, size, size)
    with rasterio.open(
        root / "image.tif", "w", driver="GTiff", height=size, width=size, count=3, dtype="uint8",
        crs="EPSG:4326", transform=transform,
    ) as dataset:  # fmt: skip
        dataset.write(image)
    shapes = shapes_of(field.astype(np.uint8), mask=field, transform=transform)
    fields = gpd.GeoDataFrame(geometry=[shapely.geometry.shape(s) for s, _ in shapes], crs=4326)
    fields.clip(BOUNDS).explode().to_file(root / "cropland.gpkg")
    boxes = [
        shapely.box(
            west + 0.034 * c, south + 0.05 * r, west + 0.034 * c + 0.03, south + 0.05 * r + 0.04
        )
        for r in range(2)
        for c in range(3)
    ]
    gpd.GeoDataFrame(
        {"extent_id": list("abcdef"), "split": ["train"] * 4 + ["validation"] * 2},
        geometry=boxes,
        crs=4326,
    ).to_file(root / "extents.gpkg")
    whole = {"geometry": [shapely.box(*BOUNDS)], "crs": 4326}
    gpd.GeoDataFrame({"name": ["p"]}, **whole).to_file(root / "province.gpkg")
    county = {"county_id": ["1"], "county": ["C"], "city": ["D"]}
    gpd.GeoDataFrame(county, **whole).to_file(root / "counties.gpkg")
    made.configure(
        "demo",
        {
            "province": {
                "boundary": "data/province.gpkg",
                "counties": "data/counties.gpkg",
                "official_area_table": None,
            },
            "grid": {"pixels_per_block": PIXELS // 2, "shard_degrees": 0.1},
            "sources": {
                "summer": None,
                "winter": None,
                "a": {"kind": "raster", "paths": ["data/image.tif"]},
            },
            "labels": {
                "cropland": "data/cropland.gpkg",
                "extents": "data/extents.gpkg",
                "coverage": None,
            },
            "mosaic": {"halo_pixels": 64},
            "segmentation": {
                "chip_pixels": 64,
                "inference_chip_pixels": None,
                "overlap_pixels": 16,
                "threads": 1,
            },
            "model_comparison": {
                "models": {"pidnet": {"architecture": "pidnet", "shape": MICRO}},
                "pixel_baseline": {"trees": 20, "reaches_pixels": [1, 3], "pixels_per_extent": 300},
                "seeds": [3],
                "folds": 2,
                "max_steps": 2,
                "batch_size": 2,
                "plate_extents": 2,
            },
        },
    )


def test_one_command_makes_table_page_and_plate(compared):
    table = pd.read_csv(compared.folder / FOLDER / "models.csv").set_index("model")
    assert table.loc["labels_one_pixel_aside", "iou_mean"] > 0.5
    table = table.drop("labels_one_pixel_aside")
    assert list(table.index) == ["pidnet", "pixel_baseline"]
    assert (table["runs"] == 2).all(), "two folds"
    assert table["iou_mean"].between(0, 1).all()
    # Colour tells these fields: two steps of a network do not find that out, the trees do.
    assert table.loc["pixel_baseline", "iou_mean"] > 0.9
    assert (table[["train_seconds_mean", "peak_memory_mb_mean", "parameters_mean"]] > 0).all(
        axis=None
    )
    assert table["train_chips_per_second_mean"].isna().tolist() == [False, True]
    page = (compared.folder / FOLDER / "models.html").read_text(encoding="utf-8")
    assert (
        page.count("<td>pidnet</td>") == 2
        and "data:image/png;base64" in page
        and "Generated data" in page
    )
    metrics = json.loads((compared.folder / FOLDER / "metrics.json").read_text())
    assert metrics["pixel_baseline_iou_mean"] == pytest.approx(
        table.loc["pixel_baseline", "iou_mean"], rel=1e-4
    )

    folds = [
        {e["extent"] for e in json.loads(path.read_text())["extents"]}
        for path in sorted((compared.folder / FOLDER / "pidnet").glob("fold*_seed3/result.json"))
    ]
    assert len(folds) == 2 and not folds[0] & folds[1]
    assert folds[0] | folds[1] == {f"{name}/a" for name in "abcdef"}


def test_another_model_trains_that_model_alone(copy):
    more = {"segformer": {"architecture": "segformer", "preset": "tiny"}}
    copy.configure("demo", {"model_comparison": {"models": more}})
    done = copy.snakemake(TARGET, "-n")
    assert done.returncode == 0, done.stdout[-2000:]
    jobs = [line for line in done.stdout.splitlines() if line.startswith("    wildcards: ")]
    trained = [line for line in jobs if "model=" in line]
    assert len(trained) == 2 and all("model=segformer" in line for line in trained)


def test_a_province_without_a_comparison_says_so(copy):
    copy.configure("demo", {"model_comparison": None})
    done = copy.snakemake(TARGET, "-n")
    assert done.returncode != 0
    assert "province demo compares no models" in done.stdout
    assert "Traceback" not in done.stdout
