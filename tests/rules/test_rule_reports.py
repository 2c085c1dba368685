"""The report of a province through snakemake: what it waits for, what it makes, how it fails."""

from __future__ import annotations

import shutil

import pandas as pd
import pytest
from desk_province import GRID, SOURCES
from PIL import Image
from report_province import make_report_province
from workspaces import Workspace

from croplayer.report.contents import CONTENTS

pytestmark = [pytest.mark.xdist_group("rules"), pytest.mark.timeout(600)]

PARTS = {"always", "own_coverage", "own_segmentation", "own_semantic", "own_integration"}
PAGE = "results/demo/report.html"
ONLY_OURS = (PAGE, "--rerun-triggers", "mtime", "--allowed-rules", "province_report")
"""The rules that make the inputs are forbidden: those are there, made by this test."""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("province")
    results = make_report_province(folder)
    for item in CONTENTS:
        path = results / item.path
        if item.when not in PARTS or path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if item.kind == "figure":
            Image.new("RGB", (30, 20)).save(path)
        else:
            pd.DataFrame({"key": [item.key]}).to_csv(path, index=False)
    _rename_to_shards(results)
    return folder


def _rename_to_shards(results):
    """Tables and weights under the names that the rules give them."""
    shards = [path.stem for path in sorted((results / "map").glob("*.tif"))]
    for name in ("features", *(f"quality/{source}" for source in SOURCES)):
        table = pd.read_parquet(results / name / "shard.parquet")
        for shard in shards:
            mine = table["block_id"].map(lambda b: GRID.shard_id(GRID.parse_block_id(b))) == shard
            table[mine].to_parquet(results / name / f"{shard}.parquet")
        (results / name / "shard.parquet").unlink()
    for stage in ("coverage", "segmentation"):
        (results / stage / "model" / "model.safetensors").write_bytes(b"weights")


@pytest.fixture
def workspace(made, tmp_path) -> Workspace:
    workspace = Workspace(tmp_path / "w")
    shutil.copytree(made / "results" / "tiny", workspace.folder / "results" / "demo")
    data = workspace.folder / "data"
    data.mkdir()
    for name in ("province.gpkg", "counties.gpkg"):
        shutil.copy(made / name, data)
    (data / "none.tif").touch()
    workspace.configure(
        "demo",
        {
            "province": {"boundary": "data/province.gpkg", "counties": "data/counties.gpkg"},
            "grid": {"pixels_per_block": GRID.pixels_per_block, "shard_degrees": 0.1},
            "sources": {
                "summer": None,
                "winter": None,
                **{name: {"kind": "raster", "paths": ["data/none.tif"]} for name in SOURCES},
            },
            "comparison": {
                "products": {"worldcover": None, "clcd": None, "globeland30": None},
                "reference": None,
            },
            "active": {"in_every_run": False},
            "report": {"tiles_megabytes": 1},
        },
    )
    return workspace


def test_the_page_and_its_tiles(workspace):
    result = workspace.snakemake(*ONLY_OURS)
    assert result.returncode == 0, result.stdout
    page = (workspace.folder / PAGE).read_text(encoding="utf-8")
    for item in CONTENTS:
        shown = f'id="{item.key}">' in page
        assert shown == (item.when in PARTS), item.key
    assert "tiles_megabytes" not in page, "the foot shows what decides results"
    tiles = list((workspace.folder / "results/demo/report_files").rglob("*.webp"))
    assert tiles and sum(path.stat().st_size for path in tiles) <= 1e6
    again = workspace.planned_rules(*ONLY_OURS[1:], "--keep-going", PAGE)
    assert again == {}, "a second run has nothing to do"


def test_a_damaged_figure_is_one_message_and_leaves_no_page(workspace):
    (workspace.folder / "results/demo/figures/areas.png").write_bytes(b"not a picture")
    result = workspace.snakemake(*ONLY_OURS)
    assert result.returncode != 0
    assert "figures/areas.png cannot be read" in result.stdout
    assert "Traceback" not in result.stdout
    assert not (workspace.folder / PAGE).exists()
    assert not (workspace.folder / "results/demo/report_files").exists()
