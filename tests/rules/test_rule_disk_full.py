"""A disk that fills up under a download, a mosaic and a training: one message, then it goes on."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from small_disk import grow, small_disk
from workspaces import Workspace

from croplayer.demo.server import TileServer

pytestmark = [pytest.mark.xdist_group("rules"), pytest.mark.timeout(600)]

SHARD = "E11200N2400"
TILES = f"results/demo/tiles/a/{SHARD}.mbtiles"
MOSAIC = f"results/demo/mosaic/b/{SHARD}.tif"
MODEL = "results/demo/segmentation/model/model.safetensors"


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    """Four generated blocks with noise for imagery, from a tile server and from a file, with labels."""
    made = Workspace(tmp_path / "w")
    data = made.folder / "data"
    data.mkdir()
    area = shapely.box(112.0, 24.0, 112.1, 24.1)
    layer(data / "province.gpkg", [area], name=["p"])
    layer(data / "counties.gpkg", [area], county_id=["1"], county=["C"], city=["D"])
    layer(
        data / "cropland.gpkg", [shapely.box(112.01, 24.01, 112.02, 24.02)], **{"class": ["paddy"]}
    )
    windows = [shapely.box(112.0, 24.0, 112.03, 24.03), shapely.box(112.06, 24.06, 112.09, 24.09)]
    layer(data / "extents.gpkg", windows, extent_id=["a", "b"], split=["train", "validation"])
    size, bounds = 600, (111.98, 23.98, 112.12, 24.12)
    noise = np.random.default_rng(20).integers(0, 255, (3, size, size), dtype=np.uint8)
    profile = {"height": size, "width": size, "count": 3, "dtype": "uint8", "crs": "EPSG:4326"}
    transform = rasterio.transform.from_bounds(*bounds, size, size)
    with rasterio.open(data / "scene.tif", "w", transform=transform, **profile) as dataset:
        dataset.write(noise)
    province = {"boundary": "data/province.gpkg", "counties": "data/counties.gpkg"}
    labels = {"cropland": "data/cropland.gpkg", "extents": "data/extents.gpkg", "coverage": None}
    tiles = {
        "kind": "xyz", "url": "{server}/scene/{z}/{x}/{y}.png", "server_env": "CROPLAYER_DEMO_SERVER",
        "zoom": 14, "terms_accepted": True, "requests_per_second": 10, "max_attempts": 2,
    }  # fmt: skip
    made.configure(
        "demo",
        {
            "province": {**province, "official_area_table": None},
            "grid": {"pixels_per_block": 256, "shard_degrees": 0.1},
            "sources": {
                "summer": None,
                "winter": None,
                "a": tiles,
                "b": {"kind": "raster", "paths": ["data/scene.tif"]},
            },
            "labels": labels,
            "mosaic": {"halo_pixels": 16},
            "segmentation": {"max_steps": 2, "validate_every_steps": 1, "warmup_steps": 1, "chip_pixels": 64,
                             "overlap_pixels": 16, "inference_chip_pixels": 64, "batch_size": 2},
        },
    )  # fmt: skip
    return made


def layer(path, shapes, **columns):
    gpd.GeoDataFrame(columns, geometry=shapes, crs=4326).to_file(path)


def test_what_a_full_disk_ended_goes_on_once_there_is_space(workspace):
    results = workspace.folder / "results" / "demo"
    with (
        TileServer({"scene": workspace.folder / "data" / "scene.tif"}) as server,
        small_disk(results / "tiles", 3000) as tiles,
        small_disk(results / "mosaic" / "b", 900) as mosaic,
        small_disk(results / "segmentation", 700) as training,
    ):
        for disk in (tiles, mosaic, training):
            (disk / "other").touch()  # snakemake removes empty folders, and a disk is none
        address = {"CROPLAYER_DEMO_SERVER": server.url}
        words = ["--keep-going", "--retries", "0", TILES, MOSAIC]
        refused = workspace.snakemake(*words, **address)
        must_be_refused(refused, tiles, mosaic)
        assert not (workspace.folder / TILES).exists()
        assert [path.name for path in mosaic.iterdir()] == ["other"]
        for disk in (tiles, mosaic):
            grow(disk, 64_000)
        stored = kept(workspace.folder / f"{TILES}.partial")
        assert stored > 0
        server.clear()
        refused = workspace.snakemake("--retries", "0", MODEL, **address)
        must_be_refused(refused, training)
        assert not (workspace.folder / MODEL).exists()
        whole = kept(workspace.folder / TILES)
        assert whole > stored and len(server.requests) == whole - stored
        grow(training, 64_000)
        finished = workspace.snakemake(MODEL, **address)
        assert finished.returncode == 0, finished.stdout[-4000:]
        assert (workspace.folder / MODEL).exists()
        assert not list(results.rglob(".*.part"))


def must_be_refused(result, *disks):
    assert result.returncode != 0
    for disk in disks:
        assert f"free on {disk}" in result.stdout, result.stdout[-4000:]
    assert "the disk is full" in result.stdout and "run the same command again" in result.stdout
    assert "Traceback" not in result.stdout


def kept(path):
    """Tiles in an MBTiles file, finished or not."""
    with closing(sqlite3.connect(path)) as database:
        return database.execute("SELECT count(*) FROM tiles").fetchone()[0]
