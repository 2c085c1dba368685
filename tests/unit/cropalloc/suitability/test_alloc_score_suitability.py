"""Scores of activities: Eq. 8-10, fallbacks, and what a user is told."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from suitability_case import (
    BOTH,
    GRID,
    INDEX,
    SHAPE,
    TRAVEL,
    YIELD,
    score,
    write_case,
    write_raster,
)

from cropalloc.settings.suitability import SuitabilitySettings
from cropalloc.suitability.rasters import CellSampler
from cropalloc.suitability.scaling import access_score, scale_min_max
from cropbase.errors import InputError
from cropbase.tables import write_table


@pytest.fixture
def case(tmp_path):
    return write_case(tmp_path)


def expected_scores():
    """Eq. 8-10 by hand."""
    fresh = {"whea": 0.8, "maiz": 0.5}
    price = {"whea": 250.0, "maiz": 180.0}
    revenue = {k: v.ravel() / fresh[k[:4]] * price[k[:4]] for k, v in YIELD.items()}
    low, high = min(v.min() for v in revenue.values()), max(v.max() for v in revenue.values())
    access = 100 * (TRAVEL.max() - TRAVEL.ravel()) / (TRAVEL.max() - TRAVEL.min())
    return {k: np.sqrt(access * 100 * (v - low) / (high - low)) for k, v in revenue.items()}


def test_scores_are_those_of_equations_8_to_10(case):
    scores, _ = score(case)
    assert list(scores) == ["cell_id", "maize_I", "maize_H", "wheat_I", "wheat_H", "wheat_L"]
    assert all(scores[name].dtype == np.float32 for name in list(scores)[1:])
    by_hand = expected_scores()
    for spam, crop in (("whea", "wheat"), ("maiz", "maize")):
        for system in "IH":
            got = scores[f"{crop}_{system}"].to_numpy()
            assert got == pytest.approx(by_hand[spam + system], rel=1e-4, abs=1e-3)
    assert scores["wheat_L"].to_numpy() == pytest.approx(INDEX.ravel(), rel=1e-6)


def test_access_falls_with_travel_time():
    access = access_score(
        np.array([10.0, 60.0, 500.0, np.nan]), log_scale=False, missing_is_farthest=True
    )
    assert access.tolist() == [100, pytest.approx(100 * 440 / 490), 0, 0]
    never = access_score(np.array([10.0, np.nan]), log_scale=True, missing_is_farthest=False)
    assert never[0] == 100 and np.isnan(never[1])


def test_min_max_without_a_spread():
    assert scale_min_max(np.array([3.0, 3.0]), 3.0, 3.0).tolist() == [100, 100]
    assert scale_min_max(np.array([0.0, 0.0]), 0.0, 0.0).tolist() == [0, 0]


def test_prices_cancel_out_when_each_activity_is_scaled_alone(case):
    alone, _ = score(case, revenue_scaling="activity")
    pd.DataFrame({"crop": ["wheat", "maize"], "price": [1.0, 9999.0]}).to_csv(
        case / "prices.csv", index=False
    )
    dear, _ = score(case, revenue_scaling="activity")
    pd.testing.assert_frame_equal(alone, dear, rtol=1e-4, atol=1e-3)
    together, _ = score(case, revenue_scaling="all")
    assert together["wheat_I"].max() < 5 < together["maize_I"].max()


def test_scaling_over_a_crop_keeps_irrigated_against_rainfed(case):
    scores, _ = score(case, revenue_scaling="crop", travel_time=None)
    top = scores[["wheat_I", "wheat_H"]].to_numpy().max()
    assert top == pytest.approx(100, abs=1e-3)
    order = (YIELD["wheaI"] > YIELD["wheaH"]).ravel()
    assert ((scores["wheat_I"] > scores["wheat_H"]).to_numpy() == order).all()


def test_only_cells_with_cropland_are_scored_and_span_the_scale(case):
    synergy = pd.read_parquet(case / "synergy.parquet")
    best = int(np.argmax(INDEX))
    synergy.loc[best, ["cropland_mean_ha", "cropland_max_ha"]] = 0.0
    write_table(synergy, case / "synergy.parquet")
    scores, _ = score(case)
    assert best not in set(scores["cell_id"]) and len(scores) == 11


def test_kilograms_and_indices_of_gaez_are_scaled(case):
    plain, _ = score(case)
    for name, values in YIELD.items():
        write_raster(case / f"{name[:4]}_{name[4]}_py_2010.tif", values * 1000)
    write_raster(case / "whea_L_bs_2010.tif", INDEX * 100)
    scaled, _ = score(case, potential_yield_unit="kg_per_ha", suitability_index_max=10000)
    pd.testing.assert_frame_equal(plain, scaled, rtol=1e-4, atol=1e-3)


def test_missing_is_never_and_not_zero(case):
    values = YIELD["wheaI"].copy()
    values[1, 1] = np.nan
    write_raster(case / "whea_I_py_2010.tif", values)
    scores, report = score(case)
    assert np.isnan(scores["wheat_I"].iloc[5]) and scores["wheat_I"].notna().sum() == 11
    assert report.set_index("item").loc["wheat_I", "cells_never"] == 1


def test_an_absent_raster_is_an_error_that_names_activity_and_file(case):
    (case / "whea_I_py_2010.tif").unlink()
    with pytest.raises(
        InputError,
        match=r"wheat_I: there is no raster .*whea_I_py_2010\.tif(.|\n)*`wheat_I: uniform`",
    ):
        score(case)


def test_a_stale_raster_is_never_taken(case):
    with pytest.raises(InputError, match=r"cannot be scored(.|\n)*_py_2015\.tif"):
        score(case, year=2015)


def test_scores_that_are_all_zero_are_an_error_naming_the_activity(case):
    write_raster(case / "whea_L_bs_2010.tif", np.zeros(SHAPE))
    with pytest.raises(
        InputError, match="wheat_L: all its scores are zero or missing where it is needed"
    ):
        score(case)


def test_scores_above_zero_elsewhere_do_not_help(case):
    values = INDEX.copy()
    values[:, 2:] = 0  # the east
    write_raster(case / "whea_L_bs_2010.tif", values)
    score(case, [("west", "wheat", "L", ["west"])])
    with pytest.raises(InputError, match="wheat_L: all its scores"):
        score(case, [("east", "wheat", "L", ["east"])])


def test_a_fallback_takes_the_score_of_another_activity_and_is_told(case):
    (case / "whea_I_py_2010.tif").unlink()
    scores, report = score(case, fallbacks={"wheat_I": "wheat_H"})
    assert scores["wheat_I"].tolist() == scores["wheat_H"].tolist()
    assert "fallback wheat_H" in report.set_index("item").loc["wheat_I", "sentence"]


def test_a_fallback_need_not_be_needed_itself(case):
    (case / "whea_I_py_2010.tif").unlink()
    scores, _ = score(case, [("N", "wheat", "I", BOTH)], fallbacks={"wheat_I": "maize_H"})
    assert list(scores) == ["cell_id", "wheat_I"] and scores["wheat_I"].max() > 0


def test_uniform_is_proportional_to_the_share_of_cropland(case):
    scores, report = score(
        case, potential_yield=None, suitability_index=None, prices=None, default_fallback="uniform"
    )
    for name in list(scores)[1:]:
        assert scores[name].to_numpy() == pytest.approx(100 * np.linspace(0.1, 0.9, 12), rel=1e-5)
    assert "fallback uniform" in report.set_index("item").loc["maize_H", "sentence"]


def test_fallbacks_in_a_circle_are_named(case):
    for name in ("whea_I_py_2010.tif", "whea_H_py_2010.tif"):
        (case / name).unlink()
    with pytest.raises(InputError, match="wheat_I -> wheat_H -> wheat_I"):
        score(case, fallbacks={"wheat_I": "wheat_H", "wheat_H": "wheat_I"})


def test_a_fallback_that_leads_nowhere_is_named(case):
    for name in ("whea_I_py_2010.tif", "maiz_H_py_2010.tif"):
        (case / name).unlink()
    with pytest.raises(InputError, match=r"wheat_I: there is no raster(.|\n)*maize_H"):
        score(case, [("N", "wheat", "I", BOTH)], fallbacks={"wheat_I": "maize_H"})


def test_a_fallback_must_score_where_it_is_needed(case):
    (case / "whea_I_py_2010.tif").unlink()
    values = INDEX.copy()
    values[:, 2:] = 0
    write_raster(case / "whea_L_bs_2010.tif", values)
    with pytest.raises(InputError, match="wheat_L: all its scores are zero or missing there"):
        score(case, [("east", "wheat", "I", ["east"])], fallbacks={"wheat_I": "wheat_L"})


def test_a_fallback_of_an_unknown_crop_is_named(case):
    with pytest.raises(InputError, match="crop id 'whet' is not in"):
        score(case, fallbacks={"wheat_I": "whet_H"})


def test_a_missing_price_is_an_error_naming_the_crop(case):
    pd.DataFrame({"crop": ["wheat"], "price": [1.0]}).to_csv(case / "prices.csv", index=False)
    with pytest.raises(InputError, match=r"no price of maize(.|\n)*`maize: wheat`"):
        score(case)
    _, report = score(case, prices={"path": case / "prices.csv", "fallbacks": {"maize": "wheat"}})
    assert report.set_index("item").loc["maize_I", "sentence"] == "price of wheat"


def test_prices_are_those_of_the_year(case):
    table = pd.DataFrame(
        {"crop": ["wheat", "wheat", "maize"], "year": [2010, 2015, 2010], "price": [1, 2, 3]}
    )
    table.to_csv(case / "prices.csv", index=False)
    prices = {"path": case / "prices.csv", "year_column": "year"}
    _, report = score(case, prices=prices)
    assert report.set_index("item").loc["wheat_I", "price"] == 1
    for name in YIELD:
        write_raster(case / f"{name[:4]}_{name[4]}_py_2015.tif", YIELD[name])
    write_raster(case / "whea_L_bs_2015.tif", INDEX)
    with pytest.raises(InputError, match="no price of 2015 of maize"):
        score(case, year=2015, prices=prices)
    with pytest.raises(InputError, match="line 3: wheat has two prices"):
        score(case)


def test_a_price_of_zero_is_refused(case):
    pd.DataFrame({"crop": ["wheat", "maize"], "price": [0, 1]}).to_csv(
        case / "prices.csv", index=False
    )
    with pytest.raises(InputError, match="line 2: the price of wheat is not above 0"):
        score(case)


def test_crops_without_a_gaez_name_use_that_of_their_proxy(case):
    write_raster(case / "wheat_L.tif", INDEX)
    scores, report = score(
        case, [("N", "rye", "L", BOTH)], suitability_index=f"{case}/{{gaez}}_{{system}}.tif"
    )
    assert scores["rye_L"].to_numpy() == pytest.approx(INDEX.ravel(), rel=1e-6)
    assert report.set_index("item").loc["rye_L", "raster"] == "wheat_L.tif"


def test_a_target_where_the_crop_can_never_grow_is_allowed_with_zero_or_reported(case):
    values = INDEX.copy()
    values[:, 2:] = np.nan
    write_raster(case / "whea_L_bs_2010.tif", values)
    wanted = [("west", "wheat", "L", ["west"]), ("east", "wheat", "L", ["east"])]
    scores, report = score(case, wanted)
    east = scores["wheat_L"].to_numpy().reshape(SHAPE)[:, 2:]
    assert (east == 0).all()
    assert (
        report[report["target_id"] == "east"]["sentence"].str.contains("allowed with score 0").all()
    )
    scores, report = score(case, wanted, target_without_score="report")
    assert np.isnan(scores["wheat_L"].to_numpy().reshape(SHAPE)[:, 2:]).all()
    assert report[report["target_id"] == "east"]["sentence"].str.contains("will be slack").all()


def test_urban_cells_hold_no_crop_and_crowded_cells_are_capped(case):
    urban = np.zeros(SHAPE)
    urban[0, 0] = 0.8
    people = np.zeros(SHAPE)
    people[2, 3] = 100_000  # on some 107 km2
    scores, report = score(
        case,
        urban={"path": write_raster(case / "urban.tif", urban), "above": 0.5},
        population={
            "path": write_raster(case / "people.tif", people),
            "values": "per_pixel",
            "above": 900,
            "action": "cap",
            "cap_score": 1.5,
            "systems": ["L"],
        },
    )
    assert scores.iloc[0, 1:].isna().all() and scores.iloc[1:, 1:].notna().all(axis=None)
    assert scores["wheat_L"].iloc[11] <= 1.5 < scores["wheat_L"].iloc[1:11].min() + 1.5
    assert scores["wheat_I"].iloc[11] == pytest.approx(
        expected_scores()["wheaI"][11], rel=1e-4, abs=1e-3
    )
    assert "1 cells above 900" in report.set_index("item").loc["population", "sentence"]


def sampler():
    row, col = (x.ravel() for x in np.mgrid[: SHAPE[0], : SHAPE[1]])
    return CellSampler(GRID.table(row, col, np.full(12, "A")), GRID, 2, 1.0)


def test_a_finer_raster_is_averaged(tmp_path):
    fine = np.random.default_rng(1).random((30, 40))
    path = write_raster(tmp_path / "fine.tif", fine, degrees=0.01)
    expected = fine.reshape(3, 10, 4, 10).mean(axis=(1, 3)).ravel()
    assert sampler().values(path, "x") == pytest.approx(expected, rel=1e-5)


def test_a_coarser_raster_is_interpolated(tmp_path):
    # A plane is kept by bilinear interpolation between pixel centres.
    lon, lat = np.meshgrid(99.0 + 0.5 * np.arange(6) + 0.25, 31.5 - 0.5 * np.arange(6) - 0.25)
    path = write_raster(
        tmp_path / "coarse.tif", 3 * lon - 2 * lat, degrees=0.5, west=99.0, north=31.5
    )
    cell = sampler()
    assert cell.values(path, "x") == pytest.approx(3 * cell.lon - 2 * cell.lat, rel=1e-4)


def test_people_are_kept_when_counts_become_densities(tmp_path):
    counts = np.random.default_rng(2).uniform(0, 500, (30, 40))
    path = write_raster(tmp_path / "people.tif", counts, degrees=0.01)
    density = sampler().density_per_km2(path, "x")
    total = (density * np.repeat(GRID.row_areas_ha, 4) / 100).sum()
    assert total == pytest.approx(counts.sum(), rel=1e-5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: write_raster(p, INDEX[:2]), "does not cover the cells(.|\n)*4 of 12 cells"),
        (lambda p: write_raster(p, INDEX, crs=None), "no coordinate reference system"),
        (lambda p: write_raster(p, INDEX * 100), "impossible values(.|\n)*suitability_index_max"),
        (lambda p: write_raster(p, INDEX - 9999, nodata=None), "impossible values(.|\n)*nodata"),
    ],
)
def test_unfit_rasters_are_named(case, make, message):
    make(case / "whea_L_bs_2010.tif")
    with pytest.raises(InputError, match=message):
        score(case)


def test_no_need_and_no_cropland_are_errors(case):
    with pytest.raises(InputError, match="covers no leaf"):
        score(case, [("N", "wheat", "L", []), ("M", "maize", "H", BOTH)])
    write_table(
        pd.read_parquet(case / "synergy.parquet").assign(cropland_max_ha=0.0),
        case / "synergy.parquet",
    )
    with pytest.raises(InputError, match="no cell has cropland in 2010"):
        score(case)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"potential_yield": "{crp}_{system}.tif"}, "unknown placeholder {crp}"),
        ({"potential_yield": "{system}.tif"}, "must hold {crop}, {spam} or {gaez}"),
        ({"fallbacks": {"wheat_I": "wheat"}}, "'wheat' is no activity"),
        ({"fallbacks": {"uniform": "wheat_H"}}, "'uniform' is no activity"),
    ],
)
def test_settings_refuse_what_cannot_be(values, message):
    with pytest.raises(ValidationError, match=message):
        SuitabilitySettings(**values)
