"""A user's mistake, met through snakemake itself: one readable message, exit code not 0, no output.

Some of each stage; the tables of tests/faults hold the others, met by the stages' functions.
"""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from workspaces import Workspace

pytestmark = [pytest.mark.xdist_group("rules"), pytest.mark.timeout(600)]

PROVINCE = shapely.box(112.0, 24.0, 112.1, 24.1)


def layer(path, geometries, crs=4326, **columns):
    frame = gpd.GeoDataFrame(columns, geometry=geometries, crs=crs)
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_file(path)


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    """A province of four blocks whose imagery is a raster, with labels; all generated."""
    made = Workspace(tmp_path / "w")
    root = made.folder / "data"
    layer(root / "province.gpkg", [PROVINCE], name=["p"])
    layer(root / "counties.gpkg", [PROVINCE], county_id=["1"], county=["C"], city=["D"])
    layer(
        root / "cropland.gpkg", [shapely.box(112.01, 24.01, 112.02, 24.02)], **{"class": ["paddy"]}
    )
    layer(
        root / "extents.gpkg",
        [shapely.box(112.0, 24.0, 112.03, 24.03), shapely.box(112.06, 24.06, 112.09, 24.09)],
        extent_id=["a", "b"],
        split=["train", "validation"],
    )
    image = np.random.default_rng(0).integers(0, 255, (3, 60, 60), dtype=np.uint8)
    transform = rasterio.transform.from_bounds(111.99, 23.99, 112.11, 24.11, 60, 60)
    for name in ("a", "b"):
        with rasterio.open(
            root / f"{name}.tif", "w", driver="GTiff", height=60, width=60, count=3,
            dtype="uint8", crs="EPSG:4326", transform=transform,
        ) as dataset:  # fmt: skip
            dataset.write(image)
    made.configure(
        "demo",
        {
            "province": {
                "boundary": "data/province.gpkg",
                "counties": "data/counties.gpkg",
                "official_area_table": None,
            },
            "grid": {"pixels_per_block": 64, "shard_degrees": 0.1},
            "sources": {
                "summer": None,
                "winter": None,
                "a": {"kind": "raster", "paths": ["data/a.tif"]},
                "b": {"kind": "raster", "paths": ["data/b.tif"]},
            },
            "labels": {
                "cropland": "data/cropland.gpkg",
                "extents": "data/extents.gpkg",
                "coverage": None,
            },
            "mosaic": {"halo_pixels": 16},
        },
    )
    return made


XYZ = {"kind": "xyz", "zoom": 12, "url": "http://127.0.0.1:9/{z}/{x}/{y}.png"}
MOSAIC = "results/demo/mosaic/a/E11200N2400.tif"
TILES = "results/demo/tiles/a/E11200N2400.mbtiles"
LABELS = "results/demo/labels/polygons.parquet"
PLAN = "results/demo/plan/blocks.parquet"
TABLE = "results/demo/labels/coverage.csv"
BOW = shapely.Polygon([(112, 24), (112.02, 24.02), (112.02, 24), (112, 24.02)])


def configure(**changes):
    return lambda w: w.configure("demo", changes)


def write(file, geometries, crs=4326, **columns):
    return lambda w: layer(w.folder / "data" / file, geometries, crs, **columns)


def freeze_round(spoil=lambda folder: None, number=1):
    """Freeze the labels as round 1, spoil its folder, and run with round `number`."""

    def work(workspace):
        heads = {
            "coverage": "block_id,source,coverage_type\n",
            "semantic": "block_id,source,semantic_class\n",
            "options": "block_id,option\n",
        }
        for name, head in heads.items():
            (workspace.folder / "data" / f"{name}.csv").write_text(head)
        paths = {name: f"data/{name}.csv" for name in heads}
        workspace.configure("demo", {"labels": {"rounds": "data/rounds", **paths}})
        added = workspace.run(["-m", "croplayer.active.rounds", "add", "demo"])
        assert added.returncode == 0, added.stdout
        spoil(workspace.folder / "data" / "rounds" / "1")
        workspace.configure("demo", {"labels": {"round": number}})

    return work


def edit_lock(folder):
    lock = folder / "labels.lock"
    lock.write_text(lock.read_text().replace('"features": 1', '"features": 2'))


def coverage(text):
    """Configure a table of coverage types that holds `text`."""

    def work(workspace):
        (workspace.folder / "data" / "coverage.csv").write_text(text)
        workspace.configure("demo", {"labels": {"coverage": "data/coverage.csv"}})

    return work


TRAIN = shapely.box(112.0, 24.0, 112.03, 24.03)

FAULTS = {
    "unknown key": (configure(grid={"blok_degrees": 1}), PLAN, ["grid.blok_degrees", "demo.yaml"]),
    "shards that are no blocks": (
        configure(grid={"shard_degrees": 0.07}), PLAN, ["shard_degrees", "whole number of blocks"],
    ),
    "province outside the grid": (
        write("province.gpkg", [shapely.box(112, 88, 113, 89)], name=["p"]), PLAN,
        ["province.gpkg", "leaves the grid"],
    ),
    "invalid province": (
        write("province.gpkg", [BOW], name=["p"]), PLAN, ["province.gpkg", "invalid geometry"],
    ),
    "terms not accepted": (
        configure(sources={"a": XYZ | {"paths": None}}), TILES, ["terms", "sources.a.terms_accepted"],
    ),
    "missing API key": (
        configure(
            sources={
                "a": XYZ | {
                    "paths": None, "terms_accepted": True, "api_key_env": "NO_SUCH_KEY",
                    "url": "http://127.0.0.1:9/{z}/{x}/{y}.png?key={key}",
                }
            }
        ),
        TILES, ["NO_SUCH_KEY", "sources.a.api_key_env"],
    ),
    "a server that is down": (
        configure(
            sources={
                "a": XYZ | {
                    "paths": None, "terms_accepted": True, "outage_seconds": 1,
                    "max_backoff_seconds": 0.1, "timeout_seconds": 1,
                }
            }
        ),
        TILES, ["source 'a'"],
    ),
    "no raster": (
        configure(sources={"a": {"paths": ["data/nothing*.tif"]}}), MOSAIC, ["sources.a.paths", "nothing"],
    ),
    "overlapping labels": (
        write("cropland.gpkg", [TRAIN, shapely.box(112.01, 24.01, 112.04, 24.04)]), LABELS, ["overlap"],
    ),
    "a round that is not there": (freeze_round(number=3), LABELS, ["there is no round 3", "allowed: 1"]),
    "a round's lock edited by hand": (
        freeze_round(edit_lock), LABELS, ["rounds/1/labels.lock", "edited by hand"],
    ),
    "a frozen label file is gone": (
        freeze_round(lambda folder: (folder / "cropland/cropland.gpkg").unlink()), LABELS,
        ["labels.cropland", "does not exist any more"],
    ),
    "unknown coverage type": (
        coverage("block_id,source,coverage_type\nE11200N2400,a,fog\n"), TABLE,
        ["coverage.csv", "line 2", "fog", "snow_ice"],
    ),
    "a table that is not there": (
        configure(labels={"coverage": "data/none.csv"}), TABLE, ["data/none.csv"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_one_readable_message(workspace, fault):
    spoil, target, words = FAULTS[fault]
    spoil(workspace)
    result = workspace.snakemake(target)
    assert result.returncode != 0
    assert "Traceback" not in result.stdout, result.stdout
    for word in words:
        assert word in result.stdout, result.stdout
    assert not (workspace.folder / target).exists()


def test_labels_in_another_crs_are_reprojected_and_told(workspace):
    frame = gpd.read_file(workspace.folder / "data" / "cropland.gpkg").to_crs(3857)
    frame.to_file(workspace.folder / "data" / "cropland.gpkg")
    result = workspace.snakemake(LABELS)
    assert result.returncode == 0, result.stdout
    polygons = gpd.read_parquet(workspace.folder / LABELS)
    assert polygons.total_bounds == pytest.approx([112.01, 24.01, 112.02, 24.02], abs=1e-9)
    findings = (workspace.folder / "results/demo/labels/findings.csv").read_text()
    assert "3857" in findings


def test_a_plan_needs_neither_terms_nor_labels(workspace):
    workspace.configure(
        "demo",
        {
            "sources": {"a": XYZ | {"paths": None, "requests_per_second": 2}},
            "labels": {"cropland": "data/none.gpkg", "extents": "data/none2.gpkg"},
        },
    )
    result = workspace.snakemake("plan")
    assert result.returncode == 0, result.stdout
    page = (workspace.folder / "results/demo/plan/preview.html").read_text()
    assert "Tile requests" in page
