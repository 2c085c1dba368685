"""Two workflows on one folder: the second refuses; what a killed one leaves is told and released."""

from __future__ import annotations

import time
from pathlib import Path

import geopandas as gpd
import pytest
import shapely
from killing import kill_all
from workspaces import Workspace

from cropbase.errors import InputError
from croplayer.demo.run import only_one

pytestmark = [pytest.mark.xdist_group("rules"), pytest.mark.timeout(600)]

PLAN = "results/demo/plan/blocks.parquet"
FINISHED = "slow.done"
# Stands in for a long job: the lock is snakemake's, whatever the job does.
SLOW = f'\n\nrule slow:\n    output:\n        "{FINISHED}",\n    shell:\n        "sleep 600"\n'


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    """The demo's province, with one more rule that takes ten minutes."""
    made = Workspace(tmp_path / "w")
    generated = made.folder / "results" / "demo" / "generated"
    generated.mkdir(parents=True)
    area = [shapely.box(112.0, 24.0, 112.1, 24.1)]
    gpd.GeoDataFrame({"name": ["p"]}, geometry=area, crs=4326).to_file(generated / "province.gpkg")
    counties = {"county_id": ["1"], "county": ["C"], "city": ["D"]}
    gpd.GeoDataFrame(counties, geometry=area, crs=4326).to_file(generated / "counties.gpkg")
    with open(made.folder / "Snakefile", "a", encoding="utf-8") as file:
        file.write(SLOW)
    return made


def test_the_second_refuses_and_a_killed_one_is_unlocked_by_the_documented_command(workspace):
    words = ["-m", "snakemake", FINISHED, PLAN, "--cores", "2"]
    first = workspace.start(words)
    try:
        wait_for(workspace.folder / PLAN)
        second = workspace.run(words)
        assert refused(second) and first.poll() is None
    finally:
        kill_all(first, workspace)
    # The lock of a killed workflow outlives it: snakemake cannot know that it is dead.
    assert refused(workspace.snakemake(PLAN, "--forcerun", "plan_blocks"))
    released = workspace.snakemake("--unlock")
    assert released.returncode == 0, released.stdout
    again = workspace.snakemake(PLAN, "--forcerun", "plan_blocks")
    assert again.returncode == 0, again.stdout


def refused(result) -> bool:
    """True if snakemake did nothing and said how to go on."""
    assert "Traceback" not in result.stdout
    return (
        result.returncode != 0
        and "cannot be locked" in result.stdout
        and "--unlock" in result.stdout
    )


def wait_for(path: Path) -> None:
    end = time.monotonic() + 120
    while not path.exists():
        assert time.monotonic() < end, f"{path} never came"
        time.sleep(0.05)


def test_a_second_demo_refuses(tmp_path):
    with only_one(tmp_path / ".running"):
        message = "another demo is running in this folder"
        with pytest.raises(InputError, match=message), only_one(tmp_path / ".running"):
            pass
    with only_one(tmp_path / ".running"):
        pass
