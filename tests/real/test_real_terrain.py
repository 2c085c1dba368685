"""Terrain of real elevation models, against the real gdaldem."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely

from croplayer.grid import BlockGrid
from croplayer.settings.terrain import TerrainSettings
from croplayer.terrain import measure_terrain
from croplayer.terrain.derivatives import roughness_m, ruggedness_m, slope_degrees

DATA = Path(
    os.environ.get("CROPLAYER_DATA_ROOT", Path(__file__).parents[2].parent / "shared" / "data")
)
SILESIA = DATA / "dem" / "srtm_silesia" / "srtm.tif"
FUJIAN = DATA / "dem" / "seims_youwuzhen_fujian" / "ywzdem30m.tif"
pytestmark = [
    pytest.mark.skipif(not SILESIA.exists(), reason=f"no real data at {DATA}"),
    pytest.mark.skipif(shutil.which("gdaldem") is None, reason="gdaldem is not installed"),
]
MODES = {
    "slope": ["slope"],
    "ruggedness": ["TRI"],
    "wilson": ["TRI", "-alg", "Wilson"],
    "roughness": ["roughness"],
}


def gdaldem(path, folder, name, *options):
    target = folder / f"{path.stem}_{name}.tif"
    mode, *more = MODES[name]
    subprocess.run(["gdaldem", mode, path, target, "-q", *more, *options], check=True)
    with rasterio.open(target) as dataset:
        return dataset.read(1, masked=True).filled(np.nan)


@pytest.mark.parametrize(
    ("path", "options", "metres_per_unit"),
    [(SILESIA, ["-s", "111120"], 111120.0), (FUJIAN, [], 1.0)],
    ids=["silesia", "fujian"],
)
def test_derivatives_equal_gdaldem(tmp_path, path, options, metres_per_unit):
    with rasterio.open(path) as dataset:
        elevation = dataset.read(1, masked=True).astype(float).filled(np.nan)
        x, y = dataset.transform.a * metres_per_unit, dataset.transform.e * metres_per_unit
    ours = {
        "slope": slope_degrees(elevation, x, y),
        "ruggedness": ruggedness_m(elevation),
        "wilson": ruggedness_m(elevation, "wilson"),
        "roughness": roughness_m(elevation),
    }
    for name, value in ours.items():
        theirs = gdaldem(path, tmp_path, name, *(options if name == "slope" else []))
        np.testing.assert_array_equal(np.isnan(value), np.isnan(theirs), err_msg=name)
        np.testing.assert_allclose(value, theirs, rtol=1e-5, atol=2e-4, err_msg=name)


def test_block_medians_equal_those_of_gdaldems_rasters(tmp_path):
    grid = BlockGrid()
    blocks = grid.blocks_touching(shapely.box(17.05, 50.1, 17.2, 50.55))
    settings = TerrainSettings(metres_per_degree="gdaldem")
    output = tmp_path / "terrain.parquet"
    measure_terrain(dem=[SILESIA], blocks=blocks, grid=grid, settings=settings, output=output)
    table = pd.read_parquet(output).set_index("block_id")
    assert len(table) == len(blocks) == 27
    with rasterio.open(SILESIA) as dataset:
        rasters = {"elevation": dataset.read(1).astype(float)}
        rows, cols = np.indices(dataset.shape)
        # In whole arc-seconds: the lattice's centres lie on them, and on the blocks' edges.
        lon = np.rint((dataset.transform.c + (cols + 0.5) * dataset.transform.a) * 3600)
        lat = np.rint((dataset.transform.f + (rows + 0.5) * dataset.transform.e) * 3600)
    for name in ("slope", "ruggedness", "roughness"):
        options = ["-s", "111120"] if name == "slope" else []
        rasters[name] = gdaldem(SILESIA, tmp_path, name, *options)
    for block in blocks:
        west, south, east, north = np.rint(np.array(grid.bounds(block)) * 3600)
        inside = (lon >= west) & (lon < east) & (lat <= north) & (lat > south)
        assert inside.sum() == 180 * 180
        for name, raster in rasters.items():
            got = table.loc[grid.block_id(block), name]
            assert got == pytest.approx(np.nanmedian(raster[inside]), abs=1e-4), name


def test_mountains_are_told_from_plain(tmp_path):
    grid = BlockGrid()
    blocks = grid.blocks_touching(shapely.box(17.05, 50.1, 17.2, 50.55))
    output = tmp_path / "terrain.parquet"
    settings = TerrainSettings()
    measure_terrain(dem=[SILESIA], blocks=blocks, grid=grid, settings=settings, output=output)
    table = pd.read_parquet(output)
    north = table[table["block_id"].str.endswith("N5050")]
    south = table[table["block_id"].str.endswith("N5010")]
    assert north["slope"].max() < 4 < 10 < south["slope"].min()
    assert north["elevation"].max() < 300 < 600 < south["elevation"].min()


def test_a_projected_dem_of_an_old_datum_is_measured(tmp_path):
    grid = BlockGrid()
    blocks = grid.blocks_touching(shapely.box(116.445, 25.67, 116.478, 25.69))
    output = tmp_path / "terrain.parquet"
    settings = TerrainSettings()
    measure_terrain(dem=[FUJIAN], blocks=blocks, grid=grid, settings=settings, output=output)
    table = pd.read_parquet(output)
    assert table["elevation"].between(278, 550).all()
    assert table["slope"].between(5, 20).all()
