"""Cells, synergy, scores and selection on the real inputs of Australia, HYDE and the CDL."""

from __future__ import annotations

import os
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from rasterio.warp import transform_bounds

from cropalloc.grid import prepare_cells, read_cells
from cropalloc.selection import select_cells
from cropalloc.settings.grid import AllocationGridSettings
from cropalloc.settings.selection import SelectionSettings
from cropalloc.settings.suitability import SuitabilitySettings
from cropalloc.settings.synergy import SynergySettings
from cropalloc.statistics.crops import read_concordance
from cropalloc.suitability import score_suitability
from cropalloc.synergy import combine_cropland
from cropbase.areas import row_pixel_areas_ha
from cropbase.errors import InputError
from cropbase.tables import write_table

DATA = Path(
    os.environ.get("CROPLAYER_DATA_ROOT", Path(__file__).parents[2].parent / "shared" / "data")
)
AUS = DATA / "australia"
HYDE = DATA / "landcover" / "hyde_cropland_global"
CDL = DATA / "landcover" / "usda_cdl_kansas" / "2021_cultivated_layer.tif"
CROPS = Path(__file__).parents[2] / "config" / "crops.yaml"
pytestmark = pytest.mark.skipif(not AUS.exists(), reason=f"no real data at {DATA}")

SOURCES = ["glad", "esri", "esacci", "copernicus", "modis"]
PRICES = {"path": AUS / "statistics" / "crop_prices_2010_AUS.csv", "vocabulary": "spam"}


@pytest.fixture(scope="module")
def australia(tmp_path_factory):
    """Cells, synergy and statistics of levels 0-1 as targets (systems by the national shares)."""
    folder = tmp_path_factory.mktemp("australia")
    names = pd.read_csv(AUS / "statistics" / "adm_list_2010_AUS.csv")
    levels = [
        pd.DataFrame({"unit_id": ["AU0"], "name": ["Australia"], "level": 0, "parent_id": None}),
        *(
            names[[f"adm{k}_code", f"adm{k}_name", f"adm{k - 1}_code"]]
            .drop_duplicates()
            .set_axis(["unit_id", "name", "parent_id"], axis=1)
            .assign(level=k)
            for k in (1, 2)
        ),
    ]
    units = pd.concat(levels, ignore_index=True)
    write_table(units, folder / "units.parquet")
    prepare_cells(
        units=folder / "units.parquet",
        grid=AllocationGridSettings(
            resolution_arcseconds=300,
            leaves={
                "kind": "raster",
                "path": AUS / "grid_5min_2010_AUS.tif",
                "table": AUS / "statistics" / "adm_grid_2010_AUS.csv",
                "value_column": "gridID",
                "unit_column": "adm2_code",
            },
        ),
        cells_path=folder / "cells.parquet",
        findings_path=folder / "findings.csv",
    )
    combine_cropland(
        cells=folder / "cells.parquet",
        synergy=SynergySettings(
            cropland={
                "sources": [
                    {
                        "name": name,
                        "paths": [f"{AUS}/cropland/cropland_{name}_5min_{{year}}_AUS.tif"],
                    }
                    for name in SOURCES
                ]
            },
            irrigated={
                "sources": [
                    {"name": name, "paths": [f"{AUS}/irrigated/{name}_5min_{{year}}_AUS.tif"]}
                    for name in ("gmia", "gia")
                ]
            },
        ),
        year=2010,
        synergy_path=folder / "synergy.parquet",
        report_path=folder / "synergy.csv",
    )
    _targets(folder, units)
    return folder


def _targets(folder, units):
    statistics = pd.read_csv(AUS / "statistics" / "ha_adm_2010_AUS.csv").set_index("adm_code")
    shares = pd.read_csv(AUS / "statistics" / "ps_adm_2010_AUS.csv")
    shares = shares[shares["adm_level"] == 0].set_index("system")
    concordance = read_concordance(CROPS)
    children = units[units["level"] == 2].groupby("parent_id")["unit_id"].apply(list)
    areas, members = [], []
    for spam in statistics.columns[2:]:
        crop = concordance.find(spam, "spam")
        states = statistics.loc[statistics["adm_level"] == 1, spam].replace(-999, np.nan).dropna()
        for state, hectares in states.items():
            members += [(crop, 2010, state, leaf) for leaf in children[state]]
            for system in "IHL":
                share = shares.loc[system, spam] + (shares.loc["S", spam] if system == "L" else 0)
                areas.append((state, crop, 2010, system, hectares * share))
    columns = ["target_id", "crop", "year", "system", "physical_ha"]
    write_table(pd.DataFrame(areas, columns=columns), folder / "areas.parquet")
    columns = ["crop", "year", "target_id", "leaf_id"]
    write_table(pd.DataFrame(members, columns=columns), folder / "members.parquet")


def score(folder, **more):
    settings = {
        "potential_yield": f"{AUS}/potential_yield/{{spam}}_{{system}}_py_5min_{{year}}_AUS.tif",
        "suitability_index": f"{AUS}/suitability/{{spam}}_{{system}}_bs_5min_{{year}}_AUS.tif",
        "prices": PRICES | {"fallbacks": {"millet": "sorghum", "tobacco": "cotton"}},
        "travel_time": {"path": f"{AUS}/acc_5min_{{year}}_AUS.tif"},
    } | more
    score_suitability(
        **{name: folder / f"{name}.parquet" for name in ("cells", "synergy", "areas", "members")},
        suitability=SuitabilitySettings(**settings),
        crops_file=CROPS,
        year=2010,
        scores_path=folder / "scores.parquet",
        report_path=folder / "scores.csv",
    )
    return pd.read_parquet(folder / "scores.parquet")


def test_cells_are_those_of_the_data_themselves(australia):
    cells, grid = read_cells(australia / "cells.parquet")
    assert grid.shape == (393, 488)
    # The data number their cells along the rows from 1, so the two ids must agree.
    table = pd.read_csv(AUS / "statistics" / "adm_grid_2010_AUS.csv").sort_values("gridID")
    assert cells["cell_id"].to_numpy().tolist() == (table["gridID"].astype(int) - 1).tolist()
    assert cells["leaf_id"].tolist() == table["adm2_code"].tolist()
    findings = pd.read_csv(australia / "findings.csv")["kind"].value_counts()
    with rasterio.open(AUS / "grid_5min_2010_AUS.tif") as dataset:
        n_values = int(np.isfinite(dataset.read(1)).sum())
    assert findings["cell_without_unit"] == n_values - len(cells)
    assert findings["unit_without_cell"] == 749 - cells["leaf_id"].nunique()


def test_hectares_of_every_source_are_those_of_its_pixels(australia):
    report = pd.read_csv(australia / "synergy.csv")
    for name in SOURCES:
        with rasterio.open(AUS / "cropland" / f"cropland_{name}_5min_2010_AUS.tif") as dataset:
            area = row_pixel_areas_ha(dataset.transform, dataset.height)
            expected = np.nansum(dataset.read(1).astype(float) * area[:, None])
        row = report[(report["item"] == name) & (report["measure"] == "land_in_grid")]
        assert row["value"].iloc[0] == pytest.approx(expected, rel=1e-6)


def test_irrigated_land_lies_inside_cropland(australia):
    synergy = pd.read_parquet(australia / "synergy.parquet")
    for part in ("mean_ha", "max_ha"):
        assert (synergy[f"irrigated_{part}"] <= synergy[f"cropland_{part}"]).all()
    assert (synergy["cropland_mean_ha"] <= synergy["cropland_max_ha"]).all()
    report = pd.read_csv(australia / "synergy.csv")
    cut = report[(report["item"] == "above_cropland") & (report["measure"] == "mean_ha")]
    assert cut["value"].iloc[0] > 100_000


def test_every_needed_activity_has_a_score_and_no_other(australia):
    scores = score(australia)
    areas = pd.read_parquet(australia / "areas.parquet")
    needed = areas[areas["physical_ha"] > 0]
    names = set(needed["crop"] + "_" + needed["system"])
    assert set(scores.columns) == {"cell_id", *names}
    values = scores.drop(columns="cell_id")
    assert values.min().min() >= 0 and values.max().max() <= 100
    assert (values.max() > 0).all()


def test_the_prices_that_the_table_lacks_are_named(australia):
    with pytest.raises(InputError, match="no price of millet, tobacco"):
        score(australia, prices=PRICES)


def test_irrigated_demand_above_irrigated_land_is_seen_before_solving(australia):
    select_cells(
        **{
            name: australia / f"{name}.parquet"
            for name in ("cells", "synergy", "areas", "members", "units")
        },
        selection=SelectionSettings(),
        known_for="whole_area",
        year=2010,
        selected_path=australia / "selected.parquet",
        consistency_path=australia / "consistency.csv",
    )
    told = pd.read_csv(australia / "consistency.csv")
    row = told[(told["land"] == "irrigated")].iloc[0]
    areas = pd.read_parquet(australia / "areas.parquet")
    demand = areas.loc[areas["system"] == "I", "physical_ha"].sum()
    assert row["demand_ha"] == pytest.approx(demand) and demand > 7e6
    land = pd.read_parquet(australia / "synergy.parquet")["irrigated_max_ha"].sum()
    assert row["foreseen_slack_ha"] == pytest.approx(demand - land, rel=1e-6)
    selected = pd.read_parquet(australia / "selected.parquet")
    assert (selected["irrigated_ha"] <= selected["cropland_ha"]).all()


def one_unit(folder, box, arcseconds):
    write_table(
        pd.DataFrame({"unit_id": ["U"], "name": ["U"], "level": [0], "parent_id": [None]}),
        folder / "units.parquet",
    )
    gpd.GeoDataFrame({"id": ["U"]}, geometry=[shapely.box(*box)], crs="EPSG:4326").to_file(
        folder / "unit.gpkg"
    )
    layer = {"path": folder / "unit.gpkg", "attribute": "id"}
    prepare_cells(
        units=folder / "units.parquet",
        grid=AllocationGridSettings(
            resolution_arcseconds=arcseconds, leaves={"kind": "polygons", "layers": [layer]}
        ),
        cells_path=folder / "cells.parquet",
        findings_path=folder / "findings.csv",
    )


def cropland_of(folder, **source):
    combine_cropland(
        cells=folder / "cells.parquet",
        synergy=SynergySettings(cropland={"sources": [{"name": "one", **source}]}),
        year=2016,
        synergy_path=folder / "synergy.parquet",
        report_path=folder / "synergy.csv",
    )
    return pd.read_parquet(folder / "synergy.parquet")["cropland_mean_ha"].sum()


@pytest.mark.skipif(not HYDE.exists(), reason=f"no HYDE at {DATA}")
def test_hyde_gives_the_same_hectares_at_any_resolution(tmp_path):
    path = next(HYDE.glob("*.tif"))
    totals = []
    for arcseconds in (300, 60):
        one_unit(tmp_path, (112.0, 32.0, 118.0, 37.0), arcseconds)  # the North China Plain
        totals.append(cropland_of(tmp_path, paths=[str(path)], kind="km2"))
    assert totals[0] == pytest.approx(totals[1], rel=1e-6)
    with rasterio.open(path) as dataset:
        window = dataset.window(112.0, 32.0, 118.0, 37.0).round_offsets().round_lengths()
        km2 = dataset.read(1, window=window, masked=True).astype(float).sum()
    assert totals[0] == pytest.approx(km2 * 100, rel=0.01)  # whole pixels: edges differ


@pytest.mark.skipif(not CDL.exists(), reason=f"no CDL at {DATA}")
def test_the_cdl_in_albers_keeps_its_hectares(tmp_path):
    with rasterio.open(CDL) as dataset:
        values = dataset.read(1)
        west, south, east, north = transform_bounds(dataset.crs, "EPSG:4326", *dataset.bounds)
        pixel_ha = abs(dataset.transform.a * dataset.transform.e) / 1e4  # EPSG:5070 is equal-area
    one_unit(tmp_path, (west - 0.1, south - 0.1, east + 0.1, north + 0.1), 30)
    cultivated = 2
    total = cropland_of(tmp_path, paths=[str(CDL)], kind="classes", classes={cultivated: 1.0})
    assert (values == cultivated).sum() > 1000
    assert total == pytest.approx((values == cultivated).sum() * pixel_ha, rel=1e-6)
