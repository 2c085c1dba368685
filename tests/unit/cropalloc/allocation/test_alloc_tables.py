"""From the case's tables to allocated areas, slack and certificate: the rule `allocate`."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from cropalloc.allocation.allocate import allocate
from cropalloc.allocation.generated import generate
from cropalloc.allocation.problem import AllocationProblem, Demand, restrict, split_into_groups
from cropalloc.settings.allocation import AllocationSettings
from cropbase.errors import CompletenessError, InputError


def case(folder, *, areas=None, cells=None, jobs=1, part=1, known_for="target", scores=None, **kw):
    """Write the inputs of a small generated case, run the rule, return its outputs."""
    cells = cells if cells is not None else pd.DataFrame(
        {
            "cell_id": np.arange(6), "leaf_id": ["a"] * 3 + ["b"] * 3,
            "cropland_ha": [50.0] * 6, "irrigated_ha": [20.0, 0, 0, 20, 0, 0],
            "promoted": ["none"] * 6,
        }
    )  # fmt: skip
    rows = areas if areas is not None else [
        ("a", "wheat", "I", 2.0, 30.0), ("a", "wheat", "H", 1.0, 40.0),
        ("b", "wheat", "I", 2.0, 50.0), ("b", "wheat", "H", 1.0, 40.0),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["target_id", "crop", "system", "intensity", "harvested_ha"])
    table["physical_ha"] = table["harvested_ha"] / table["intensity"]
    table["year"], table["share"] = 2010, 0.5
    members = table[["crop", "target_id"]].drop_duplicates()
    members = members.assign(leaf_id=members["target_id"].str.replace("~rest", ""), year=2010)
    if scores is None:
        rng = np.random.default_rng(0)
        scores = pd.DataFrame(
            rng.uniform(10, 90, (6, 4)).astype(np.float32),
            columns=["wheat_I", "wheat_H", "maize_I", "maize_H"],
        )
        scores.insert(0, "cell_id", np.arange(6))
    for name, frame in (
        ("cells", cells),
        ("scores", scores),
        ("areas", table),
        ("members", members),
    ):
        frame.to_parquet(folder / f"{name}.parquet")
    allocate(
        selected=folder / "cells.parquet", scores=folder / "scores.parquet",
        areas=folder / "areas.parquet", members=folder / "members.parquet",
        allocation=AllocationSettings(jobs=jobs, **kw), known_for=known_for, year=2010, part=part,
        areas_path=folder / "out.parquet", slack_path=folder / "slack.csv",
        certificate_path=folder / "certificate.json",
    )  # fmt: skip
    return (
        pd.read_parquet(folder / "out.parquet"),
        pd.read_csv(folder / "slack.csv"),
        json.loads((folder / "certificate.json").read_text()),
    )


def test_harvested_areas_are_the_statistics_less_the_slack(tmp_path):
    out, slack, certificate = case(tmp_path)
    harvested = out.assign(leaf=np.where(out.cell_id < 3, "a", "b")).groupby(["leaf", "system"])
    sums = harvested["harvested_ha"].sum()
    assert sums["a", "I"] == pytest.approx(30.0)
    assert sums["a", "H"] == pytest.approx(40.0)
    assert sums["b", "I"] == pytest.approx(40.0)  # 20 ha of irrigated land, two harvests
    assert slack["hectares"].tolist() == pytest.approx([5.0])
    assert certificate["relative_gap"] <= 1e-9
    assert len(certificate["parts"]) == 2


def test_slack_says_where_and_why(tmp_path):
    _, slack, _ = case(tmp_path)
    row = slack.iloc[0]
    assert (row.kind, row.unit_id, row.crop, row.system) == ("statistic", "b", "wheat", "I")
    assert row.sentence == (
        "Wheat, irrigated, unit b: 5 ha of 25 ha could not be placed because irrigated land ends"
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"areas": [("a", "wheat", "H", 1.0, 500.0)]}, "cropland ends"),
        ({"areas": [("z", "wheat", "H", 1.0, 5.0), ("a", "wheat", "H", 1.0, 5.0)]},
         "its unit has no cell with cropland"),
    ],
)  # fmt: skip
def test_reasons_of_slack(tmp_path, change, reason):
    _, slack, _ = case(tmp_path, **change)
    assert slack["sentence"].iloc[0].endswith(reason)


def test_missing_scores_are_named_as_the_reason(tmp_path):
    scores = pd.DataFrame(
        {"cell_id": np.arange(6), "wheat_H": np.array([np.nan] * 5 + [3], dtype=np.float32)}
    )
    areas = [("a", "wheat", "H", 1.0, 5.0), ("b", "wheat", "H", 1.0, 60.0)]
    _, slack, _ = case(tmp_path, areas=areas, scores=scores)
    assert slack["sentence"].tolist()[0].endswith("no cell of its unit has a score for it")
    assert slack["sentence"].tolist()[1].endswith("cropland that has a score for it ends")


def test_systems_known_for_the_whole_area_may_shift_between_targets(tmp_path):
    areas = [
        ("a", "wheat", "I", 1.0, 35.0), ("a", "wheat", "H", 1.0, 40.0),
        ("b", "wheat", "I", 1.0, 5.0), ("b", "wheat", "H", 1.0, 40.0),
    ]  # fmt: skip
    out, slack, certificate = case(tmp_path, areas=areas, known_for="whole_area")
    leaf = np.where(out.cell_id < 3, "a", "b")
    assert out.groupby(leaf)["harvested_ha"].sum().tolist() == pytest.approx([75.0, 45.0])
    assert out.groupby("system")["physical_ha"].sum()["I"] == pytest.approx(40.0)
    assert slack.empty
    assert len(certificate["parts"]) == 1


def test_slack_names_residuals_and_the_whole_area_in_words(tmp_path):
    areas = [
        ("a", "wheat", "I", 1.0, 60.0), ("a", "wheat", "H", 1.0, 10.0),
        ("b~rest", "wheat", "I", 1.0, 5.0), ("b~rest", "wheat", "H", 1.0, 200.0),
    ]  # fmt: skip
    _, slack, _ = case(tmp_path, areas=areas, known_for="whole_area")
    sentences = " / ".join(slack["sentence"])
    assert "Wheat, irrigated, all units together: " in sentences
    assert "the units within b without a statistic of their own" in sentences
    assert "whole_area" not in sentences


def test_jobs_share_the_groups_and_together_are_the_whole(tmp_path):
    whole, _, _ = case(tmp_path)
    parts = [case(tmp_path, jobs=3, part=n)[0] for n in (1, 2, 3)]
    assert len(parts[2]) == 0
    joined = pd.concat(parts).sort_values(["cell_id", "crop", "system"], ignore_index=True)
    pd.testing.assert_frame_equal(joined, whole)


def test_reference_model_gives_the_same_objective(tmp_path):
    _, _, exact = case(tmp_path)
    _, _, reference = case(tmp_path, solver="reference")
    assert reference["objective"] == pytest.approx(exact["objective"], rel=1e-9)
    assert reference["method"] == "reference (HiGHS)"


def test_rounding_below_zero_is_cleaned_and_told(tmp_path, caplog):
    areas = [("a", "wheat", "H", 1.0, 40.0), ("b~rest", "wheat", "H", 1.0, -1e-7)]
    _, _, certificate = case(tmp_path, areas=areas)
    assert "target b~rest" in certificate["cleaned"][0]
    assert "was set to zero" in caplog.text


def test_negative_statistic_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"wheat, H, target b~rest is negative"):
        case(tmp_path, areas=[("a", "wheat", "H", 1.0, 4.0), ("b~rest", "wheat", "H", 1.0, -1.0)])


def test_missing_score_column_is_named(tmp_path):
    scores = pd.DataFrame({"cell_id": np.arange(6), "wheat_H": np.ones(6, np.float32)})
    with pytest.raises(InputError, match="has no scores of wheat_I"):
        case(tmp_path, scores=scores)


def test_stale_scores_are_named(tmp_path):
    scores = pd.DataFrame({"cell_id": [0, 1]} | {f"wheat_{s}": [1.0, 1.0] for s in "IH"})
    with pytest.raises(CompletenessError, match=r"lacks cell 2[\s\S]*--forcerun score_suitability"):
        case(tmp_path, scores=scores)


def test_groups_are_the_leaves_that_statistics_join():
    problem = generate(60, 2, seed=0, n_leaves=6)
    assert [g.leaf_ids for g in split_into_groups(problem)] == [(f"u{c}",) for c in range(6)]
    joined = AllocationProblem(
        problem.cell_id, problem.leaf, problem.leaf_ids, problem.cropland_ha, problem.irrigated_ha,
        problem.activities, problem.scores,
        (*problem.demands, Demand("crop00", ("L",), "u4~rest", [4, 1], 3.0)),
    )  # fmt: skip
    groups = split_into_groups(joined)
    assert [g.leaf_ids for g in groups] == [("u0",), ("u1", "u4"), ("u2",), ("u3",), ("u5",)]
    assert sum(len(g.demands) for g in groups) == len(joined.demands)
    with pytest.raises(InputError, match="u4~rest covers leaves of more than one group"):
        restrict(joined, np.array([1]))


def test_impossible_land_is_an_error():
    problem = generate(5, 1, seed=0)
    with pytest.raises(InputError, match="impossible land, first cell 0"):
        AllocationProblem(
            problem.cell_id, problem.leaf, problem.leaf_ids, problem.cropland_ha,
            problem.cropland_ha + 1, problem.activities, problem.scores, problem.demands,
        )  # fmt: skip
