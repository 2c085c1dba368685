"""Figures of all provinces of a run, through snakemake, from block tables made by hand."""

from __future__ import annotations

import geopandas as gpd
import pandas as pd
import pytest
import shapely
import yaml
from block_frames import block_frame
from PIL import Image
from workspaces import Workspace

pytestmark = pytest.mark.timeout(600)

WEST, EAST = shapely.box(112.0, 24.0, 112.4, 24.3), shapely.box(112.4, 24.0, 112.8, 24.3)


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    """A nation of two generated provinces of 48 blocks."""
    made = Workspace(tmp_path / "w")
    (made.folder / "data").mkdir()
    frame = gpd.GeoDataFrame({"name": ["west", "east"]}, geometry=[WEST, EAST], crs=4326)
    frame.to_file(made.folder / "data" / "provinces.gpkg")
    frame.assign(county_id=["1", "2"], county="C", city="C").to_file(
        made.folder / "data" / "counties.gpkg"
    )
    source = {"kind": "raster", "paths": ["data/a.tif"]}
    shared = {
        "province": {"boundary": "data/provinces.gpkg", "counties": "data/counties.gpkg"},
        "sources": {"google": source, "mapbox": source},
    }
    write(made, "nations/land", shared)
    for k, name in enumerate(("west", "east")):
        own = {
            "title": name.title(),
            "boundary_query": {"field": "name", "value": name},
            "generated": name == "east",
        }
        write(made, f"provinces/{name}", {"extends": "land", "province": own})
        folder = made.folder / "results" / name / "report"
        folder.mkdir(parents=True)
        table = block_frame(province=name.title(), seed=k, east=8 * k)
        table.to_parquet(folder / "blocks.parquet")
    return made


def write(workspace, name, values):
    path = workspace.folder / "config" / f"{name}.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")


def test_a_nation_has_the_figures_of_its_blocks(workspace):
    figures = [f"results/provinces/{name}.png" for name in ("slope", "coverage")]
    result = workspace.run(
        [
            *("-m", "snakemake", *figures, "--cores", "1", "--allowed-rules"),
            *("plot_slope_of_all", "plot_coverage_of_all", "--workflow-profile"),
            *("workflow/profiles/local", "--config", "nations=land"),
        ]
    )
    assert result.returncode == 0, result.stdout
    folder = workspace.folder / "results" / "provinces"
    slope = pd.read_csv(folder / "slope.csv")
    assert slope["blocks"].sum() == 96
    coverage = pd.read_csv(folder / "coverage.csv")
    assert coverage["of"].unique().tolist() == ["google", "mapbox", "better of both"]
    assert coverage["group"].unique().tolist() == ["all", "East", "West"]
    for figure in figures:
        with Image.open(workspace.folder / figure) as image:
            assert image.width > 1000
