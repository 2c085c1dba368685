"""A generated province of twelve small blocks with everything that its report is made from."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from desk_province import GRID, NAME, SOURCES, make_province
from PIL import Image
from rasterio.windows import Window

from cropbase.rasters import write_cog
from cropbase.tables import read_geotable, read_table, write_csv, write_table
from croplayer.report.atlas.report import Results, write_province_report

COUNTY = 'North <b>&amp; "hill"</b> </script>'
"""A name that a page must not take for its own markup."""
CODES = (0, 1, 254, 255)


def make_report_province(folder: Path) -> Path:
    """Write the results; returns their folder."""
    tiny = make_province(folder)
    results = folder / "results" / NAME
    rng = np.random.default_rng(11)
    _complete_plan(results)
    for shard in GRID.shards([GRID.parse_block_id(name) for name in tiny.ids]):
        window = GRID.shard_window(shard.blocks)
        coarse = rng.choice(
            CODES, (1, window.height // 16, window.width // 16), p=(0.4, 0.5, 0.06, 0.04)
        )
        codes = np.kron(coarse, np.ones((1, 16, 16))).astype(np.uint8)
        write_cog(
            results / "map" / f"{shard.shard_id}.tif",
            [(Window(0, 0, window.width, window.height), codes)],
            height=window.height, width=window.width, bands=1, dtype="uint8", nodata=255,
            transform=GRID.transform(window),
        )  # fmt: skip
    _write_tables(results, tiny.ids, rng)
    _write_known(results, rng)
    _write_validation(results)
    _write_polygons(folder, results, tiny.ids)
    return results


def _complete_plan(results: Path) -> None:
    path = results / "plan" / "blocks.parquet"
    plan = read_geotable(path)
    north = plan["county"] == "North"
    plan["county"] = np.where(north, COUNTY, "South")
    plan["county_id"] = np.where(north, "n", "s")
    plan["province"], plan["inside_ha"] = NAME, 2800.0
    write_table(plan, path)


def _write_tables(results: Path, ids: list[str], rng: np.random.Generator) -> None:
    features = read_table(results / "features" / "shard.parquet")
    columns = (
        "elevation", "ruggedness", "roughness", "sharpness", "hue", "saturation", "lightness",
        "area", "solidity_mean", "solidity_total", "en_mean", "en_total", "n_regions", "containment",
    )  # fmt: skip
    for column in columns:
        features[column] = rng.random(len(features)).round(3)
    write_table(features, results / "features" / "shard.parquet")
    for source in SOURCES:
        table = pd.DataFrame({"block_id": ids, "source": source, "valid_fraction": 0.75})
        write_table(table, results / "quality" / source / "shard.parquet")
    options = pd.DataFrame({"block_id": ids, "option": "both"})
    options[["p_neither", "p_only_a", "p_only_b", "p_both"]] = (0.1, 0.1, 0.1, 0.7)
    options["corrected"], options["reason"] = False, ""
    options.loc[0, ["option", "corrected", "reason"]] = ["only_b", True, "seen <i>by eye</i>"]
    write_table(options, results / "integration" / "options.parquet")


def _write_known(results: Path, rng: np.random.Generator) -> None:
    plan = read_geotable(results / "plan" / "blocks.parquet")
    table = plan.assign(cropland_ha=(rng.random(len(plan)) * 2000).round(3), unusable_ha=12.0)
    table["af"] = table["cropland_ha"] / (table["inside_ha"] - 12.0)
    table["labelled"] = np.where(np.arange(len(plan)) < 2, "positive", "")
    write_table(table, results / "report" / "blocks.parquet")


def _write_validation(results: Path) -> None:
    scenarios = {"integrated": {"cropland_ha": 1000.0, "unusable_ha": 5.0, "ratio": 0.8}}
    county = {"county": COUNTY, "county_id": "n", "inside_ha": 16800.0, "scenarios": scenarios}
    province = {"level": "province", "official_area_ha": 1250.0, "scenarios": scenarios,
                "counties": [county]}  # fmt: skip
    _json(results / "validation" / "province.json", province)
    _json(results / "validation" / "stopping.json", {"sentence": "Go on: label more."})
    _json(results / "labels" / "labels.lock", {"sha256": "abc1", "files": {}})
    for stage in ("coverage", "segmentation", "semantic", "integration"):
        _json(results / stage / "model" / "card.json", {"kind": "xgboost", "label_sha256": "abc2"})
        _json(results / stage / "model" / "model.json", {"stage": stage})
    (results / "figures").mkdir()
    Image.new("RGB", (60, 40), "#009E73").save(results / "figures" / "areas.png")
    table = pd.DataFrame({"level": ["<pixel>"], "value": [0.93], "area_ha": [12345.678]})
    write_csv(table, results / "validation" / "accuracy.csv")


def _json(path: Path, value: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def _write_polygons(folder: Path, results: Path, ids: list[str]) -> None:
    boxes = [GRID.polygon(GRID.parse_block_id(name)) for name in ids]
    halves = [shapely.union_all(boxes[:6]), shapely.union_all(boxes[6:])]
    counties = gpd.GeoDataFrame(
        {"county_id": ["n", "s"], "county": [COUNTY, "South"], "city": ["", ""]},
        geometry=halves,
        crs=4326,
    )
    counties.to_file(folder / "counties.gpkg")
    gpd.GeoDataFrame(geometry=[shapely.union_all(boxes)], crs=4326).to_file(
        folder / "province.gpkg"
    )
    extents = gpd.GeoDataFrame(
        {"extent_id": ["e1", "e2"], "split": ["train", "validation"], "source": ["", SOURCES[0]],
         "area_ha": [700.0, 700.0], "cropland_ha": [300.0, 200.0]},
        geometry=[box.buffer(-0.0125) for box in boxes[:2]], crs=4326,
    )  # fmt: skip
    write_table(extents, results / "labels" / "extents.parquet")


def results_of(results: Path) -> Results:
    """Its files as the report takes them."""

    def shards(*parts: str, suffix: str = ".tif") -> list[Path]:
        return sorted(results.joinpath(*parts).glob(f"*{suffix}"))

    model = {stage: results / stage / "model" for stage in ("coverage", "segmentation")}
    return Results(
        blocks=results / "plan" / "blocks.parquet",
        known=results / "report" / "blocks.parquet",
        mosaics={source: shards("mosaic", source) for source in SOURCES},
        masks={source: shards("mask", source) for source in SOURCES},
        maps=shards("map"),
        quality={source: shards("quality", source, suffix=".parquet") for source in SOURCES},
        features=shards("features", suffix=".parquet"),
        semantic=results / "semantic" / "classes.parquet",
        options=results / "integration" / "options.parquet",
        extents=results / "labels" / "extents.parquet",
        lock=results / "labels" / "labels.lock",
        province=results / "validation" / "province.json",
        stopping=results / "validation" / "stopping.json",
        models={k: (folder / "card.json", folder / "model.json") for k, folder in model.items()},
    )


def write_report_of(results: Path, **changed) -> Path:
    """Write the report; returns the page. Arguments of `write_province_report` may be changed."""
    place = results.parents[1]
    province = {
        "title": "Tiny <i>place</i>", "boundary": place / "province.gpkg", "boundary_layer": None,
        "boundary_query": None, "counties": place / "counties.gpkg", "counties_layer": None,
        "counties_query": None, "repair_counties": False, "county_id_field": "county_id",
        "county_name_field": "county", "city_name_field": "city",
    }  # fmt: skip
    arguments = {
        "output": results / "report.html", "tiles": results / "report_files", "name": NAME,
        "province": province, "grid": GRID, "parts": ["own_coverage"], "label_round": 3,
        "configuration": {"sources": {s: {"attribution": f"(c) {s} <maps>"} for s in SOURCES}},
        "products": {}, "tiles_megabytes": 1.0, "note": "Generated data: no real place",
    }  # fmt: skip
    write_province_report(results_of(results), **(arguments | changed))
    return arguments["output"]
