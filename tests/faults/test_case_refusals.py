"""What a user's mistake in an allocation case leads to: one message of the stage that meets it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from alloc_stages import STAGES
from fault_bench import end_of_command, refuse
from tiny_case import (
    SMOOTH,
    TABLE,
    YEARBOOK,
    TinyCase,
    both,
    configure,
    cut_short,
    edit,
    generate,
    keep_towns,
    moved,
    put,
    redraw,
    remove,
    rewrite,
)


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    """Inputs that work, and beside them what the stages up to the scores make of them."""
    made = TinyCase(tmp_path_factory.mktemp("case"), generate(tmp_path_factory.mktemp("tiny")))
    made.stages().run(until="combine_cropland")
    return made.inputs


@pytest.fixture
def case(tmp_path, generated) -> TinyCase:
    return TinyCase(tmp_path, generated)


MEASURES = both(
    edit("statistics.csv", lambda t: t.assign(unit=np.where(t["unit_id"] == "1", "ha", "kha"))),
    configure(statistics={"sources": [YEARBOOK | {"measure_column": "unit"}]}),
)
RICE_I = "potential_yield/rice_I.tif"

REFUSED = {
    # Missing price
    "missing price": (
        edit("prices.csv", lambda t: t[t["crop"] != "rice"]), "score_suitability",
        ["prices.csv has no price of 2020 of rice", "maize", "suitability.prices.fallbacks"],
    ),
    "price of another year": (
        put("prices.csv", "crop == crop", "year", "2019"), "score_suitability",
        ["no price of 2020 of maize", "rows of 2019"],
    ),
    "price that is no number": (
        put("prices.csv", "crop == 'rice'", "price", "350,5"), "score_suitability",
        ["prices.csv, line 2", "price of rice", "'350,5'"],
    ),
    "infinite price": (
        put("prices.csv", "crop == 'rice'", "price", "inf"), "score_suitability", ["line 2", "inf"],
    ),
    "two prices": (
        edit("prices.csv", lambda t: pd.concat([t, t[t["crop"] == "rice"].assign(price="9")])),
        "score_suitability", ["prices.csv, line 8: rice has two prices", "350 and 9"],
    ),
    # Absent, stale or damaged raster
    "absent yield raster": (
        remove(RICE_I), "score_suitability",
        ["rice_I: there is no raster", RICE_I, "suitability.fallbacks", "rice_I: uniform"],
    ),
    "absent cropland raster": (
        remove(SMOOTH), "combine_cropland", ["source smooth: no file", SMOOTH, "map of 2020"],
    ),
    "raster of a former, smaller area": (
        rewrite(RICE_I, moved(10)), "score_suitability",
        ["rice_I", RICE_I, "does not cover the cells", "120 of 288 cells"],
    ),
    "raster of another place": (
        rewrite(SMOOTH, moved(1000)), "combine_cropland", ["source smooth covers none of the 288"],
    ),
    "raster cut short": (
        cut_short(SMOOTH), "combine_cropland", [SMOOTH, "cannot be read to its end", "anew"],
    ),
    "suitability raster cut short": (
        cut_short("suitability/tea_L.tif"), "score_suitability", ["tea_L.tif", "cannot be"],
    ),
    "raster without crs": (
        rewrite(RICE_I, lambda v, p: (v, p | {"crs": None})), "score_suitability",
        [RICE_I, "no coordinate reference system"],
    ),
    "raster in percent": (
        rewrite(SMOOTH, lambda v, p: (v * 100, p)), "combine_cropland",
        [SMOOTH, "no fraction", "0 to 1", "`kind` of source smooth"],
    ),
    # Units
    "no polygon joins": (
        keep_towns("unit_id == 'none'"), "prepare_cells", ["towns.gpkg", "grid.leaves"],
    ),
    "no boundaries": (remove("towns.gpkg"), "prepare_cells", ["towns.gpkg cannot be read", "grid.leaves.layers"]),
    "boundaries cut short": (
        cut_short("towns.gpkg"), "prepare_cells", ["towns.gpkg cannot be read", "QGIS"],
    ),
    "boundaries without that attribute": (
        redraw(lambda towns: towns.rename(columns={"unit_id": "code"})), "prepare_cells",
        ["no attribute 'unit_id'", "code"],
    ),
    "boundaries without crs": (
        redraw(lambda towns: towns.set_crs(None, allow_override=True)), "prepare_cells",
        ["no coordinate reference system", ".prj"],
    ),
    "boundaries in metres called degrees": (
        redraw(lambda towns: towns.to_crs(3857).set_crs(4326, allow_override=True)), "prepare_cells",
        ["towns.gpkg lie at no place", "metres", "EPSG:4326"],
    ),
    "boundaries with latitude first": (
        redraw(lambda towns: towns.set_geometry(towns.transform(lambda xy: xy[:, ::-1]))),
        "prepare_cells", ["towns.gpkg lie at no place", "latitude 112", "latitude comes first"],
    ),
    # Irrigated share
    "irrigated share above 1": (
        put("systems.csv", "crop == 'rice' and system == 'I'", "share", "1.4"), "classify_systems",
        ["shares of rice in all units sum to", "I 1.4", "`scale`"],
    ),
    # NaN
    "figure that is no number": (
        put("statistics.csv", None, "area_kha", "1.2.3"), "read_statistics",
        ["statistics.csv, row 2, unit 'demo', crop maize, 2018: '1.2.3'", "missing_values"],
    ),
    "infinite figure": (
        put("statistics.csv", None, "area_kha", "inf"), "read_statistics", ["row 2", "'inf'"],
    ),
    "negative figure": (
        put("statistics.csv", None, "area_kha", "-2"), "read_statistics", ["row 2", "'-2'"],
    ),
    "raster of NaN": (
        rewrite(RICE_I, lambda v, p: (v * np.float32(np.nan), p)), "score_suitability",
        ["rice_I: all its scores are zero or missing", "rice_I: uniform"],
    ),
    "NaN for all shares of a crop": (
        put("systems.csv", "crop == 'rice'", "share", "NaN"), "classify_systems",
        ["no shares of the systems", "rice: 1, 2"],
    ),
    "NaN for all that is to be placed": (
        both(
            put("statistics.csv", "area_kha == area_kha", "area_kha", "NaN"),
            configure(
                statistics={
                    "use_levels": 1,
                    "sources": [
                        YEARBOOK,
                        {
                            **TABLE, "name": "towns", "unit_of_measure": "ha",
                            "paths": ["{results}/generated/towns_truth.csv"],
                            "value_column": "harvested_ha",
                        },
                    ],
                }
            ),
        ),
        "harmonise_statistics", ["no figure is left to place", "level 1", "statistics.use_levels"],
    ),
    # Duplicate rows
    "different figures of one thing": (
        edit("statistics.csv", lambda t: pd.concat([t, t.head(1).assign(area_kha="9")])),
        "read_statistics",
        ["unit demo, maize, 2018: 2330 ha", "row 2)", "9000 ha", "row 87)", "`duplicates`"],
    ),
    "a share given twice": (
        edit("systems.csv", lambda t: pd.concat([t, t.head(1)])), "classify_systems",
        ["systems.csv, line 20", "rice, I is given twice"],
    ),
    # Unknown crop name
    "unknown crop": (
        put("statistics.csv", "crop == 'rice'", "crop", "ryce"), "read_statistics",
        ["crops.yaml", "'ryce' (did you mean", "rice", "`crop_names`", "`left_out`"],
    ),
    "unknown crop in the shares": (
        put("systems.csv", "crop == 'rice'", "crop", "ryce"), "classify_systems",
        ["no shares of the systems", "rice: 1, 2"],
    ),
    # Mixed units of measure
    "mixed units of measure": (
        MEASURES, "read_statistics",
        ["unit_of_measure: kha", "mix it with other units", "ha in ", "row 8, 30 figures"],
    ),
    # Wrong year
    "no year": (
        put("statistics.csv", None, "year", "20200"), "read_statistics",
        ["statistics.csv, row 2: no year", "20200", "four digits"],
    ),
    "node without figures": (
        configure(statistics={"nodes": [1990]}), "average_statistics",
        ["within 2 years of a node", "2018 to 2022", "1990", "statistics.nodes"],
    ),
    # Tables
    "lost column": (
        edit("statistics.csv", lambda t: t.rename(columns={"area_kha": "area"})), "read_statistics",
        ["no column 'area_kha' (key `value_column`)", "unit_id, year, crop, area"],
    ),
    "absent statistics": (remove("statistics.csv"), "read_statistics", ["statistics.csv does not exist"]),
}  # fmt: skip


@pytest.mark.parametrize("fault", REFUSED)
def test_a_fault_is_refused_by_the_stage_that_meets_it(case, fault):
    spoil, stage, words = REFUSED[fault]
    spoil(case)
    stages = case.stages()
    last = STAGES.index(stage)
    for name in STAGES[last:]:
        for path in stages.outputs(name):
            path.unlink()
    # The means and all that is made of them rest on the tables that are spoilt.
    for name in STAGES[:last] if stage in ("average_statistics", "harmonise_statistics") else ():
        stages.run_one(name)
    refuse(end_of_command(lambda: stages.run_one(stage)), words)
    assert stages.outputs(stage) == []
    assert list(case.home.rglob("*.part")) == [], "nothing half-written"


def source(**changes):
    return configure(statistics={"sources": [YEARBOOK | changes]})


CONFIGURATIONS = {
    "unknown key": (configure(selection={"promot": True}), ["unknown key 'selection.promot'", "'promote'"]),
    "node that is no year": (configure(statistics={"nodes": ["MMXX"]}), ["statistics.nodes.0", "given 'MMXX'"]),
    "nodes that fall": (configure(statistics={"nodes": [2020, 2015]}), ["nodes must rise"]),
    "no node": (configure(statistics={"nodes": []}), ["statistics.nodes", "at least 1"]),
    "unknown unit of area": (source(unit_of_measure="acres"), ["unit_of_measure", "'acres'", "'kha'"]),
    "kind of source": (source(kind="csv"), ["statistics.sources.0", "'csv'", "'long'"]),
    "no column of years": (source(year_column=None), ["exactly one of year and year_column"]),
    "two columns of years": (source(year=2020), ["exactly one of year and year_column"]),
    "years turned round": (source(first_year=2020, last_year=2010), ["first_year must not be after last_year"]),
    "separator of two signs": (source(delimiter=";;"), ["delimiter", "given ';;'"]),
    "two sources of one name": (
        configure(statistics={"sources": [YEARBOOK, YEARBOOK]}), ["two sources have the name 'yearbook'"],
    ),
    "variable that no source has": (configure(statistics={"variable": "yield"}), ["no source has the variable 'yield'"]),
    "share above one": (configure(statistics={"rounding_tolerance": 1.5}), ["rounding_tolerance", "given 1.5"]),
    "cells that do not fit": (configure(grid={"resolution_arcseconds": 31}), ["resolution_arcseconds", "180 degrees"]),
    "bounds turned round": (
        configure(grid={"bounds_degrees": [24.2, 112.2, 24.0, 112.0]}), ["bounds_degrees", "west, south, east, north"],
    ),
    "bounds in metres": (
        configure(grid={"bounds_degrees": [400000, 2600000, 500000, 2700000]}), ["bounds_degrees", "-180..180"],
    ),
    "place of leaves": (configure(grid={"leaves": {"kind": "vector"}}), ["grid.leaves", "'vector'", "polygons"]),
    "maps without grids": (
        lambda case: case.configure(synergy=None) or case.configure(case={"stages": "map"}),
        ["case.stages", "'map'"],
    ),
    "a case that is not there": (configure(extends="demo_alocation"), ["`extends`", "demo_alocation", "demo_allocation"]),
    "a case of itself": (configure(extends="tiny"), ["leads back to itself", "extends none"]),
    "jobs": (configure(allocation={"jobs": 0}), ["allocation.jobs", "given 0"]),
    "weighting": (configure(allocation={"weighting": "ares"}), ["allocation.weighting", "'ares'", "'area'"]),
}  # fmt: skip


@pytest.mark.parametrize("fault", CONFIGURATIONS)
def test_a_faulty_configuration_is_refused(case, fault):
    spoil, words = CONFIGURATIONS[fault]
    spoil(case)
    message = refuse(end_of_command(case.stages), words)
    assert "tiny.yaml" in message
