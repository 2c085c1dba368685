"""A nation through snakemake: its provinces are those that extend it, and their plans add up."""

from __future__ import annotations

import json

import geopandas as gpd
import pytest
import shapely
import yaml
from workspaces import Workspace

pytestmark = pytest.mark.timeout(600)

WEST, EAST = shapely.box(112.0, 24.0, 112.1, 24.1), shapely.box(112.1, 24.0, 112.3, 24.1)


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    """Two generated provinces of 4 and 8 blocks, and one that belongs to no nation."""
    made = Workspace(tmp_path / "w")
    (made.folder / "data").mkdir()
    frame = gpd.GeoDataFrame({"name": ["west", "east"]}, geometry=[WEST, EAST], crs=4326)
    frame.to_file(made.folder / "data" / "provinces.gpkg")
    counties = frame.assign(county_id=["1", "2"], county=["W", "E"], city=["C", "C"])
    counties.to_file(made.folder / "data" / "counties.gpkg")
    shared = {
        "province": {"boundary": "data/provinces.gpkg", "counties": "data/counties.gpkg"},
        "sources": {"a": {"kind": "raster", "paths": ["data/a.tif"]}},
    }
    write(made, "nations/land", shared)
    for name in ("west", "east"):
        query = {"field": "name", "value": name}
        own = {"province": {"title": name.title(), "boundary_query": query}}
        write(made, f"provinces/{name}", {"extends": "land", **own})
    return made


def write(workspace, name, values):
    path = workspace.folder / "config" / f"{name}.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")


def plan(workspace, *words):
    return workspace.run(
        [
            *("-m", "snakemake", "plan", "--cores", "1", *words),
            *("--workflow-profile", "workflow/profiles/local", "--config", "nations=land"),
        ]
    )


def test_the_plans_of_the_provinces_add_up(workspace):
    result = plan(workspace)
    assert result.returncode == 0, result.stdout
    whole = json.loads((workspace.folder / "results/nations/land/plan.json").read_text())
    assert [p["title"] for p in whole["provinces"]] == ["East", "West"]
    assert whole["blocks"] == 12
    assert not (workspace.folder / "results" / "demo").exists()


def test_an_unknown_nation_is_one_message(workspace):
    result = workspace.run(["-m", "snakemake", "plan", "-n", "--config", "nations=sea"])
    assert result.returncode != 0
    assert "no configuration of a nation 'sea'" in result.stdout and "land" in result.stdout
    assert "Traceback" not in result.stdout
