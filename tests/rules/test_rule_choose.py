"""What to label next, through snakemake: the three rules, and what they ask of a province."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from choosing_case import BLOCKS, GRID, make_case
from workspaces import Workspace

pytestmark = [pytest.mark.xdist_group("rules"), pytest.mark.timeout(600)]

RULES = ("choose_blocks", "plot_chosen", "write_project")
ONLY_OURS = ("choose", "--rerun-triggers", "mtime", "--allowed-rules", *RULES)
"""The rules that make the inputs are forbidden: those are there, made by this test."""


def write_product(path):
    """A made raster with codes of WorldCover over the province: tree cover and cropland."""
    west, south, east, north = shapely.union_all([GRID.polygon(block) for block in BLOCKS]).bounds
    codes = np.random.default_rng(0).choice(np.array([10, 40], dtype=np.uint8), (200, 350))
    with rasterio.open(
        path, "w", driver="GTiff", height=200, width=350, count=1, dtype="uint8", crs="EPSG:4326",
        transform=rasterio.transform.from_bounds(west, south, east, north, 350, 200), nodata=0,
    ) as dataset:  # fmt: skip
        dataset.write(codes, 1)


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    """A generated province whose rasters and tables are there; nothing of it can be made anew."""
    made = Workspace(tmp_path / "w")
    make_case(made.folder / "results" / "demo")
    data = made.folder / "data"
    data.mkdir()
    region = shapely.union_all([GRID.polygon(block) for block in BLOCKS])
    gpd.GeoDataFrame({"name": ["p"]}, geometry=[region], crs=4326).to_file(data / "province.gpkg")
    gpd.GeoDataFrame(
        {"county_id": ["1"], "county": ["C"], "city": ["D"]}, geometry=[region], crs=4326
    ).to_file(data / "counties.gpkg")
    for name in ("a", "b"):
        (data / f"{name}.tif").touch()
    write_product(data / "made_worldcover.tif")
    made.configure(
        "demo",
        {
            "province": {
                "boundary": "data/province.gpkg",
                "counties": "data/counties.gpkg",
                "official_area_table": None,
            },
            "grid": {"pixels_per_block": 64, "shard_degrees": 0.2},
            "sources": {
                "summer": None,
                "winter": None,
                "a": {"kind": "raster", "paths": ["data/a.tif"]},
                "b": {"kind": "raster", "paths": ["data/b.tif"]},
            },
            "segmentation": {"chip_pixels": 64, "inference_chip_pixels": 64, "overlap_pixels": 0},
            "active": {"blocks": 5, "chips_per_edge": 1, "windows_per_edge": 8},
            "comparison": {
                "products": {
                    "worldcover": {"files": ["data/made_*.tif"]},
                    "clcd": None,
                    "globeland30": None,
                },
            },
        },
    )
    return made


def test_the_target_makes_list_map_pictures_and_project(workspace):
    result = workspace.snakemake(*ONLY_OURS)
    assert result.returncode == 0, result.stdout
    root = workspace.folder / "results" / "demo"
    table = pd.read_csv(root / "choosing" / "chosen.csv")
    assert table["rank"].tolist() == [1, 2, 3, 4, 5]
    assert table["product_worldcover"].between(0.4, 0.6).all()  # made at random
    assert {p.stem for p in (root / "choosing/thumbnails").glob("*.png")} == set(table["block_id"])
    for name in ("choosing/project.qgz", "choosing/chosen.gpkg", "figures/chosen.png"):
        assert (root / name).stat().st_size > 1000, name
    assert (root / "choosing/new_labels/round_2/extents.gpkg").exists()


def test_a_province_of_one_source_without_interpreted_blocks_or_dem_can_choose(workspace):
    workspace.configure(
        "demo",
        {
            "sources": {"b": None},
            "labels": {"coverage": None, "semantic": None, "options": None},
            "terrain": {"dem": []},
        },
    )
    planned = workspace.planned_rules("--keep-going", "choose")
    assert set(RULES) <= set(planned)
    assert not set(planned) & {"assess_quality", "classify_semantic", "measure_terrain"}


def test_a_product_that_is_not_there_is_named(workspace):
    (workspace.folder / "data" / "made_worldcover.tif").unlink()
    result = workspace.snakemake("choose", "-n")
    assert result.returncode != 0 and "Traceback" not in result.stdout
    assert "comparison.products.worldcover.files" in result.stdout, result.stdout
