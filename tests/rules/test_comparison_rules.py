"""The rules of the comparison, through snakemake, on a tiny MADE province and made products."""

from __future__ import annotations

import json

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from PIL import Image
from workspaces import Workspace

from cropbase.tables import write_table
from croplayer.grid import BlockGrid
from croplayer.grid.planning import plan_blocks

pytestmark = [pytest.mark.xdist_group("comparison_rules"), pytest.mark.timeout(600)]

GRID = {"pixels_per_block": 64, "shard_degrees": 0.1}
REGION = shapely.Polygon([(112.0, 24.0), (112.1, 24.0), (112.09, 24.1), (112.0, 24.1)])
SHARD = "E11200N2400"
FIGURES = [
    f"results/demo/figures/products_{name}.png"
    for name in ("plates", "iou", "areas", "slopes", "deviations", "scatter")
]


def raster(path, array, bounds, nodata=None, crs="EPSG:4326"):
    path.parent.mkdir(parents=True, exist_ok=True)
    array = array if array.ndim == 3 else array[None]
    count, height, width = array.shape
    with rasterio.open(
        path, "w", driver="GTiff", height=height, width=width, count=count, dtype=array.dtype, crs=crs,
        transform=rasterio.transform.from_bounds(*bounds, width, height), nodata=nodata,
    ) as dataset:  # fmt: skip
        dataset.write(array)


RULES = (
    "--allowed-rules", "compare_shard", "assess_reference", "summarise_comparison", "comparison_page",
    *(f"plot_product_{name}" for name in ("plates", "iou", "areas", "slopes", "deviations", "scatter")),
)  # fmt: skip
"""What the earlier stages make is there already, made by hand: none of their rules is looked at."""


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    """Results of the earlier stages as they would be, and two products in their layouts."""
    made = Workspace(tmp_path / "w")
    root, results = made.folder / "data", made.folder / "results" / "demo"
    rng = np.random.default_rng(0)
    root.mkdir()
    for name, fields in (
        ("province", {"name": ["p"]}),
        ("counties", {"county_id": ["1"], "county": ["C"], "city": ["D"]}),
    ):
        gpd.GeoDataFrame(fields, geometry=[REGION], crs=4326).to_file(root / f"{name}.gpkg")
    around = (111.95, 23.95, 112.15, 24.15)
    codes = np.kron(rng.choice([40, 10], (40, 40)), np.ones((5, 5))).astype(np.uint8)
    raster(root / "ESA_WorldCover_10m_2020_v100_N24E111_Map.tif", codes, around, nodata=0)
    esri = np.kron(rng.choice([5, 4, 2], (20, 20)), np.ones((10, 10))).astype(np.uint8)
    raster(root / "49R_20200101-20210101.tif", esri, (111.95, 23.95, 112.08, 24.15))
    points = pd.DataFrame(
        {"lon": rng.uniform(112.01, 112.08, 40), "lat": rng.uniform(24.01, 24.09, 40),
         "stratum": ["a", "b"] * 20, "reference": rng.choice(["cropland", "not_cropland"], 40)}
    )  # fmt: skip
    points.to_csv(root / "points.csv", index=False)
    pd.DataFrame({"stratum": ["a", "b"], "area_ha": [5000, 5000]}).to_csv(
        root / "strata.csv", index=False
    )
    made.configure(
        "demo",
        {
            "province": {
                "boundary": "data/province.gpkg", "counties": "data/counties.gpkg", "official_area_table": None,
                "generated": True,
            },
            "grid": GRID,
            "sources": {
                "summer": None, "winter": None,
                "a": {"kind": "raster", "paths": ["data/a.tif"]}, "b": {"kind": "raster", "paths": ["data/b.tif"]},
            },
            "comparison": {
                "products": {
                    "clcd": None, "globeland30": None, "worldcover": {"files": ["data/ESA_WorldCover_*.tif"]},
                    "esri": {"files": ["data/49R_*.tif"]},
                },
                "reference": {"points": "data/points.csv", "strata": "data/strata.csv"},
                "plate_blocks": 2,
            },
        },
    )  # fmt: skip
    grid = BlockGrid(0.05, 64, 0.1)
    counties = gpd.read_file(root / "counties.gpkg")
    plan = plan_blocks(
        province="demo",
        region=REGION,
        counties=counties,
        grid=grid,
        output=results / "plan" / "blocks.parquet",
    )
    square = (112.0, 24.0, 112.1, 24.1)
    ours = np.kron(rng.choice([0, 1], (32, 32)), np.ones((4, 4))).astype(np.uint8)
    raster(results / "map" / f"{SHARD}.tif", ours, square, nodata=255)
    image = rng.integers(0, 255, (3, 128, 128)).astype(np.uint8)
    raster(results / "mosaic" / "a" / f"{SHARD}.tif", image, square)
    write_table(
        plan[["block_id"]].assign(slope=np.linspace(1, 30, len(plan))),
        results / "terrain" / f"{SHARD}.parquet",
    )
    scenario = {"cropland_ha": 5000.0, "mapped_ha": 9000.0}
    (results / "validation").mkdir()
    (results / "validation" / "province.json").write_text(
        json.dumps(
            {"level": "province", "official_area_ha": 5100.0, "area_tolerance": 0.1, "inside_ha": 10000.0,
             "scenarios": dict.fromkeys(["only_a", "only_b", "merge_both", "integrated"], scenario)}
        )
    )  # fmt: skip
    return made


def test_tables_figures_and_page(workspace):
    page = "results/demo/comparison/comparison.html"
    result = workspace.snakemake(page, *FIGURES, *RULES)
    assert result.returncode == 0, result.stdout
    folder = workspace.folder / "results" / "demo" / "comparison"
    pixels = pd.read_csv(folder / "pixels.csv")
    assert pixels["reading"].tolist() == ["strict", "strict", "lenient", "undisputed"]
    blocks = pd.read_parquet(folder / "blocks.parquet")
    assert len(blocks) == 2 * 4 and set(blocks["product"]) == {"worldcover", "esri"}
    kinds = pd.read_csv(folder / "findings.csv").query("product == 'esri'")["kind"].tolist()
    assert "coverage" in kinds and "files" in kinds
    text = (workspace.folder / page).read_text()
    for word in (
        "made stand-ins",
        "design-based accuracy",
        "covers",
        "(c) Esri",
        "flooded vegetation",
    ):
        assert word in text, word
    assert "http://" not in text.replace("http://www.w3.org", "") and "<script" not in text
    for figure in FIGURES:
        with Image.open(workspace.folder / figure) as image:
            assert image.width > 400 and np.asarray(image.convert("L")).std() > 10, figure
    numbers = json.loads((folder / "comparison.json").read_text())
    assert numbers["esri_lenient_iou"] > 0
    # A changed citation compares nothing again; a changed legend does.
    catalogue = workspace.folder / "config" / "products.yaml"
    catalogue.write_text(catalogue.read_text().replace("IGARSS 2021,", "IGARSS,"))
    assert "compare_shard" not in workspace.planned_rules(*RULES, "--nolock", page)
    catalogue.write_text(
        catalogue.read_text().replace(
            "cropland: unclear}   # holds rice", "cropland: out}   # holds rice"
        )
    )
    assert workspace.planned_rules(*RULES, "--nolock", page)["compare_shard"] == 1


TABLE = f"results/demo/comparison/worldcover/{SHARD}.parquet"


@pytest.mark.parametrize(
    ("products", "words"),
    [
        (
            {"worldcover": {"files": ["data/none_*.tif"]}},
            ["no file matches", "esa-worldcover.org", "download: true"],
        ),
        ({"modis": {"files": ["data/a.tif"]}}, ["no product 'modis'", "globeland30"]),
        ({"worldcover": {"files": ["data/province.gpkg"]}}, ["province.gpkg"]),
    ],
)
def test_one_readable_message(workspace, products, words):
    workspace.configure("demo", {"comparison": {"products": products}})
    result = workspace.snakemake(TABLE, *RULES)
    assert result.returncode != 0 and "Traceback" not in result.stdout, result.stdout
    for word in words:
        assert word in result.stdout, result.stdout
    assert not (workspace.folder / TABLE).exists()
