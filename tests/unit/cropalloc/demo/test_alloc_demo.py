"""The generated case: its tables and rasters agree with each other, and say what they are."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from alloc_tiny_province import COUNTIES, CROPLAND_SHARE, write_province, write_raster

from cropalloc.demo.generate import generate_case
from cropalloc.demo.landscape import CROPS, SYSTEMS, draw_truth
from cropbase.areas import polygon_areas_ha
from cropbase.errors import InputError

YEARS = [2015, 2020]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("alloc_demo")
    generate_case(folder / "case", write_province(folder / "province", years=YEARS))
    return folder / "case"


def table(folder, name):
    return pd.read_csv(folder / f"{name}.csv", dtype={"unit_id": str, "parent_id": str})


def files(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_yearbook_sums_to_the_truth_but_for_its_own_noise(made):
    truth = table(made, "towns_truth")
    truth["county"] = truth["unit_id"].str[0]
    by_county = truth.groupby(["county", "crop", "year"])["harvested_ha"].sum()
    whole = truth.groupby(["crop", "year"])["harvested_ha"].sum()
    book = table(made, "statistics")
    book["node"] = book["year"].map(lambda year: min(YEARS, key=lambda node: abs(node - year)))
    means = book.groupby(["unit_id", "crop", "node"])["area_kha"].mean() * 1000
    # The mean of five years that differ by 2 %, to four standard errors; rounded to 10 ha.
    for (unit, crop, node), mean in means.items():
        expected = whole[crop, node] if unit == "demo" else by_county[unit, crop, node]
        assert abs(mean - expected) <= 4 * 0.02 / np.sqrt(5) * expected + 5, (unit, crop, node)


def test_the_yearbook_knows_five_years_a_node_and_no_towns(made):
    book = table(made, "statistics")
    assert sorted(book["year"].unique()) == [*range(2013, 2023)]
    assert set(book["unit_id"]) == {"demo", *COUNTIES}
    assert not book.duplicated(["unit_id", "year", "crop"]).any()
    silent = book[(book["unit_id"] == "2") & (book["crop"] == "potato")]
    assert silent.empty and len(book) == 10 * (3 * len(CROPS) - 1)


def test_towns_partition_their_counties(made):
    towns = gpd.read_file(made / "towns.gpkg")
    assert towns["unit_id"].is_unique and len(towns) == 4
    for county, shape in COUNTIES.items():
        inside = towns[towns["parent_id"] == county]
        assert inside.union_all().symmetric_difference(shape).area < 1e-9 * shape.area
        assert shapely.area(inside.geometry.array).sum() == pytest.approx(shape.area, rel=1e-9)
    units = table(made, "units").set_index("unit_id")
    assert set(units[units["level"] == 2].index) == set(towns["unit_id"])
    assert set(units[units["level"] == 1].index) == set(COUNTIES)
    assert units.loc[towns["unit_id"], "parent_id"].tolist() == towns["parent_id"].tolist()


def test_shares_of_systems_sum_to_one(made):
    systems = table(made, "systems")
    assert set(systems["crop"]) == set(CROPS)
    sums = systems.groupby("crop")["share"].sum()
    assert np.allclose(sums, 1, atol=1e-9)
    assert systems["share"].between(0, 1).all() and (systems["intensity"] >= 1).all()


def test_what_is_sown_fits_the_cropland_of_the_truth(made):
    systems = table(made, "systems")
    per_harvested = (systems["share"] / systems["intensity"]).groupby(systems["crop"]).sum()
    truth = table(made, "towns_truth").query("year == 2020")
    sown = (truth["harvested_ha"] * truth["crop"].map(per_harvested)).sum()
    counties = gpd.GeoSeries(list(COUNTIES.values()), crs=4326)
    cropland = CROPLAND_SHARE * sum(polygon_areas_ha(counties.array))
    assert 0.88 * cropland < sown < 1.0 * cropland


def raster(path):
    with rasterio.open(path) as dataset:
        assert dataset.crs.to_epsg() == 4326
        return dataset.read(1), dataset.tags()


def test_products_are_shares_of_their_pixels(made):
    for year in YEARS:
        layers = {
            name: raster(made / f"{name}_{year}.tif")[0]
            for name in ("cropland_smooth", "cropland_coarse", "irrigated")
        }
        for name, values in layers.items():
            assert np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1, name
            assert values.max() > 0.1, name
        assert layers["cropland_smooth"].shape == tuple(
            2 * n for n in layers["cropland_coarse"].shape
        )
        assert np.all(layers["irrigated"] <= 1.5 * np.maximum(layers["cropland_coarse"], 0.1))


def test_every_activity_has_a_raster_of_possible_values(made):
    for crop in CROPS:
        for system in SYSTEMS:
            values, _ = raster(made / "potential_yield" / f"{crop}_{system}.tif")
            assert np.nanmin(values) >= 0 and 0 < np.nanmax(values) < 15
        index, _ = raster(made / "suitability" / f"{crop}_L.tif")
        assert np.nanmin(index) >= 0 and np.nanmax(index) <= 100


def test_travel_and_prices_rise_from_zero(made):
    minutes, _ = raster(made / "travel_time.tif")
    assert (minutes == 0).sum() == 4, "one cell a town"
    assert minutes.min() == 0 and 0 < minutes.max() < 24 * 60
    prices = table(made, "prices").pivot(index="crop", columns="year", values="price")
    assert set(prices.index) == set(CROPS)
    assert (prices > 0).all(axis=None) and (prices[2020] >= prices[2015]).all()


def test_everything_says_that_it_is_generated(made):
    assert "Generated data" in (made / "README.txt").read_text(encoding="utf-8")
    rasters = list(made.rglob("*.tif"))
    assert len(rasters) == 3 * len(YEARS) + 4 * len(CROPS) + 1
    for path in rasters:
        assert "Generated" in raster(path)[1]["origin"], path
    assert set(gpd.read_file(made / "towns.gpkg")["origin"]) == {"generated"}
    units = table(made, "units").set_index("unit_id")
    assert "generated" in units.loc["demo", "name"]


def test_one_seed_gives_the_same_bytes_and_another_gives_others(made, tmp_path):
    province = made.parent / "province"
    # A GeoPackage is stamped by GDAL with the time of writing, in milliseconds.
    generate_case(tmp_path / "again", write_province(tmp_path / "province", years=YEARS))
    assert files(tmp_path / "again") == files(made)
    assert (province / "dem.tif").read_bytes() == (tmp_path / "province/dem.tif").read_bytes()
    other = write_province(tmp_path / "province", years=YEARS, seed=8)
    generate_case(tmp_path / "other", other)
    first, second = files(made), files(tmp_path / "other")
    assert first.keys() == second.keys()
    same = {str(path) for path in first if first[path] == second[path]}
    # Cropland itself is given, not drawn: the product that adds no noise follows it alone.
    coarse = {f"cropland_coarse_{year}.tif" for year in YEARS}
    assert same == {"README.txt", "prices.csv", "units.csv"} | coarse


def test_a_truth_is_sown_within_its_cropland_and_irrigated_land():
    rng = np.random.default_rng(3)
    cropland = rng.uniform(0, 80, (20, 30))
    height, travel = rng.uniform(0, 900, (20, 30)), rng.uniform(0, 90, (20, 30))
    truth = draw_truth(height, cropland, travel, seed=1, warmth=0.0)
    sown = sum(truth.area.values())
    assert np.all((sown >= 0.9 * cropland - 1e-9) & (sown <= 0.98 * cropland + 1e-9))
    wet = sum(truth.area[crop, "I"] for crop in CROPS)
    assert np.all(wet <= truth.irrigated + 1e-9) and np.all(truth.irrigated <= cropland)


def test_an_elevation_that_ends_too_soon_is_refused(tmp_path):
    settings = write_province(tmp_path / "province")
    half = (112.0, 24.0, 112.1, 24.1)
    write_raster(settings.elevation, np.ones((10, 10), np.float32), half)
    with pytest.raises(InputError, match=r"dem\.tif does not cover the built-in province"):
        generate_case(tmp_path / "case", settings)
    assert not (tmp_path / "case").exists()
