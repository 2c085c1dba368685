"""Previews of provinces, their sum over a nation, and rates measured in a run."""

import json

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from rasterio.transform import from_origin

from cropbase.errors import InputError
from croplayer.grid import BlockGrid
from croplayer.grid.planning import plan_blocks
from croplayer.report.nation import nation_plan, write_nation_plan
from croplayer.report.preview import write_preview
from croplayer.report.rates import main, measured_rates
from croplayer.settings.grid import PlanSettings
from croplayer.settings.sources import RasterSource, XyzSource

GRID = BlockGrid(pixels_per_block=64, shard_degrees=0.1)
SOURCES = {
    "a": XyzSource(
        kind="xyz",
        url="http://localhost/{z}/{x}/{y}.png",
        zoom=12,
        attribution="nobody",
        terms_accepted=True,
        requests_per_second=2,
    ),
    "b": RasterSource(kind="raster", paths=["b.tif"], attribution="nobody"),
}


def planned(folder, name, box):
    counties = gpd.GeoDataFrame(
        {"county_id": ["1"], "county": ["C"], "city": ["D"]}, geometry=[box], crs=4326
    )
    path = folder / name / "plan" / "blocks.parquet"
    path.parent.mkdir(parents=True)
    plan_blocks(province=name, region=box, counties=counties, grid=GRID, output=path)
    return path


@pytest.fixture
def previews(tmp_path):
    paths = []
    boxes = {
        "west": shapely.box(112, 24, 112.09, 24.09),
        "east": shapely.box(112.1, 24, 112.29, 24.19),
    }
    for name, box in boxes.items():
        path = tmp_path / name / "preview.json"
        write_preview(
            title=name.title(),
            table=path,
            page=path.with_suffix(".html"),
            blocks=planned(tmp_path, name, box),
            grid=GRID,
            halo_pixels=8,
            sources=SOURCES,
            rates=PlanSettings(),
        )
        paths.append(path)
    return paths


def test_a_preview_counts_the_jobs_of_every_rule(previews):
    cost = json.loads(previews[1].read_text())
    assert (cost["title"], cost["blocks"], cost["shards"]) == ("East", 16, 4)
    # One source is fetched as tiles, both are cut into mosaics.
    assert cost["jobs"]["fetch_tiles"] == 4 and cost["jobs"]["build_mosaic"] == 8
    assert cost["jobs"]["integrate_shard"] == 4
    assert "segment_shard" in previews[1].with_suffix(".html").read_text()


def test_a_nation_is_the_sum_of_its_provinces(previews):
    plan = nation_plan(previews)
    costs = [json.loads(path.read_text()) for path in previews]
    for key in ("blocks", "shards", "inside_ha", "disk_bytes"):
        assert plan[key] == sum(cost[key] for cost in costs)
    requests = sum(cost["sources"]["a"]["tile_requests"] for cost in costs)
    assert plan["sources"]["a"]["tile_requests"] == requests > 0
    assert plan["sources"]["a"]["download_hours"] == pytest.approx(requests / 2 / 3600)
    assert plan["jobs"]["segment_shard"] == 2 * plan["shards"]
    assert [cost["title"] for cost in plan["provinces"]] == ["East", "West"]


def test_the_nations_page_names_every_province(previews, tmp_path):
    page = tmp_path / "plan.html"
    write_nation_plan(title="Land", previews=previews, table=tmp_path / "plan.json", page=page)
    text = page.read_text()
    assert "Plan of Land" in text and "West" in text and "East" in text
    assert json.loads((tmp_path / "plan.json").read_text())["blocks"] == 20


@pytest.fixture
def run(tmp_path):
    """A finished run of 4 blocks: mosaics and masks of 1 and 0.25 Mpx, with their seconds."""
    planned(tmp_path, "done", shapely.box(112, 24, 112.09, 24.09))
    folder = tmp_path / "done"
    for stage, pixels in (("mosaic", 1000), ("mask", 500)):
        path = folder / stage / "a" / "E11200N2400.tif"
        path.parent.mkdir(parents=True)
        profile = {"driver": "GTiff", "height": pixels, "width": pixels, "count": 1}
        transform = from_origin(112, 24.1, 1e-4, 1e-4)
        with rasterio.open(path, "w", dtype="uint8", transform=transform, **profile) as dataset:
            dataset.write(np.zeros((1, pixels, pixels), np.uint8))
    for rule, seconds in {
        "build_mosaic": 4,
        "segment_shard": 5,
        "assess_quality": 6,
        "measure_features": 2,
    }.items():
        table = folder / "benchmarks" / rule / "a" / "E11200N2400.tsv"
        table.parent.mkdir(parents=True)
        table.write_text(f"s\th:m:s\n{seconds}\t0:00:0{seconds}\n")
    return folder


def test_rates_are_amounts_over_the_seconds_of_their_jobs(run):
    rates = measured_rates(run)
    assert rates["mosaic_megapixels_per_second"] == pytest.approx(1 / 4)
    assert rates["segmentation_megapixels_per_second"] == pytest.approx(0.25 / 5)
    assert rates["blocks_per_second"] == pytest.approx(4 / 8)
    assert "bytes_per_tile" not in rates  # nothing was fetched
    PlanSettings(**rates)


def test_the_command_prints_a_section_and_refuses_what_is_no_run(run, capsys):
    assert main([run.name, "--results", str(run.parent)]) == 0
    assert "  mosaic_megapixels_per_second: 0.25\n" in capsys.readouterr().out
    assert main(["nowhere", "--results", str(run.parent)]) == 1
    assert "holds no run to measure" in capsys.readouterr().err


def test_a_run_without_mosaics_is_refused(run):
    (run / "mosaic" / "a" / "E11200N2400.tif").unlink()
    with pytest.raises(InputError, match="holds no run"):
        measured_rates(run)
