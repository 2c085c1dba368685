"""What a flaw in an allocation case leads to that is no refusal: a row that tells it.

The case is the built-in one in small. Most tests call what the rules call, in their order; three go
through snakemake itself.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tiny_case import SMOOTH, TinyCase, edit, generate, keep_towns, put, rewrite
from workspaces import Workspace

from cropbase.errors import CropError

pytestmark = [pytest.mark.xdist_group("rules"), pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    return generate(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def case(tmp_path, generated) -> TinyCase:
    return TinyCase(tmp_path, generated)


def test_a_node_without_targets_is_refused_before_it_is_scored(case):
    case.configure(statistics={"nodes": [1990, 2020]})
    stages = case.stages()
    stages.run(until="combine_cropland")
    stages.year = 1990
    for name in ("score_suitability", "select_cells"):
        with pytest.raises(CropError, match=r"(?s)target.* of 1990.*years 2020"):
            stages.run_one(name)


def account_closes(case):
    """Every judged row of the account: map = statistics less slack."""
    account = case.table("maps/account_2020.csv").query("judged")
    lost = account["statistics_ha"] - account["slack_ha"]
    assert np.allclose(account["map_ha"], lost, rtol=1e-6, atol=1e-6)
    return account[account["system"] == "A"]


def test_without_a_fault_nothing_is_told(case):
    case.stages().run()
    for name in ("statistics/findings.csv", "grid/findings.csv", "systems/clips.csv"):
        assert case.table(name).empty, name
    assert case.table("allocation/2020/001/slack.csv").empty
    assert case.table("allocation/2020/consistency.csv")["sentence"].isna().all()
    assert (account_closes(case)["slack_ha"] == 0).all()


def test_equal_rows_count_once_and_are_told(case):
    stages = case.stages()
    stages.run(until="read_statistics")
    before = pd.read_parquet(case.home / "statistics/reported.parquet")
    edit("statistics.csv", lambda t: pd.concat([t, t.head(3)]))(case)
    stages.run(until="read_statistics")
    assert pd.read_parquet(case.home / "statistics/reported.parquet").equals(before)
    (finding,) = case.table("statistics/findings.csv").itertuples()
    assert finding.finding == "3 figures are in this file twice, with the same value"
    assert (finding.action, finding.row) == ("counted once", 87)


def test_nan_is_a_missing_figure_and_told_never_zero(case):
    put(
        "statistics.csv",
        "unit_id == 'demo' and crop == 'rice' and year == '2018'",
        "area_kha",
        "NaN",
    )(case)
    case.stages().run(until="average_statistics")
    (finding,) = case.table("statistics/findings.csv").itertuples()
    assert finding.crop == "rice" and finding.action == "no figure there"
    assert finding.finding == "1 of 15 figures are missing (first: unit 'demo', 2018)"
    nodes = pd.read_parquet(case.home / "statistics/nodes.parquet").set_index(["unit_id", "crop"])
    book = pd.read_csv(case.inputs / "statistics.csv").query("unit_id == 'demo' and crop == 'rice'")
    assert nodes.at[("demo", "rice"), "flag"] == "mean_of_4"
    assert nodes.at[("demo", "rice"), "value"] == pytest.approx(book["area_kha"].mean() * 1000)


def test_a_unit_that_joins_to_none_is_told_with_its_figures(case):
    put("statistics.csv", "unit_id == '1'", "unit_id", "One")(case)
    case.stages().run(until="read_statistics")
    (finding,) = case.table("statistics/findings.csv").itertuples()
    assert (finding.finding, finding.action) == (
        "'One' joins to no unit",
        "left out with 30 figures",
    )


def test_a_unit_without_cells_is_told_and_its_area_goes_to_the_rest_of_its_parent(case):
    keep_towns("parent_id != '1'")(case)
    stages = case.stages()
    stages.run()
    found = case.table("grid/findings.csv")
    assert found["unit_id"].tolist() == ["1-01", "1-02"]
    assert set(found["kind"]) == {"unit_without_cell"}
    assert found["finding"].tolist() == ["Left 1 (1-01) has no cell", "Left 2 (1-02) has no cell"]
    audit = case.table("statistics/audit.csv").query("unit_id == '1' and after_ha == 0")
    assert set(audit["reason"]) == {"has no cells: its area goes to the other units of 'demo'"}
    assert len(audit) == 6
    targets = pd.read_parquet(stages.targets)
    assert "1" not in set(targets["unit_id"])
    nation = pd.read_parquet(case.home / "statistics/nodes.parquet").query("unit_id == 'demo'")
    assert targets["harvested_ha"].sum() == pytest.approx(nation["value"].sum(), rel=1e-9)
    account_closes(case)


def test_statistics_above_cropland_become_slack_that_is_foreseen_named_and_accounted(case):
    threefold = edit("statistics.csv", lambda t: t.assign(area_kha=t["area_kha"].astype(float) * 3))
    threefold(case)
    case.stages().run()
    rows = case.table("allocation/2020/consistency.csv").query("land == 'cropland' and level == 1")
    for row in rows.itertuples():
        assert row.demand_ha > row.max_ha
        assert row.foreseen_slack_ha == pytest.approx(row.demand_ha - row.max_ha, abs=1e-3)
        assert "find no cropland, even at the maximum of" in row.sentence
        assert row.sentence.startswith(("Left: ", "Right: "))
    slack = case.table("allocation/2020/001/slack.csv")
    assert slack["sentence"].str.contains("could not be placed because cropland ends").any()
    of_targets = slack[slack["system"] == "I+H+L"]
    account = account_closes(case)
    assert account["slack_ha"].sum() == pytest.approx(of_targets["hectares"].sum(), rel=1e-9)
    assert account["slack_ha"].sum() > 0.5 * account["statistics_ha"].sum()


def test_irrigated_area_above_irrigated_land_becomes_slack_a_unit(case):
    shares = {"I": "0.95", "H": "0.03", "L": "0.02"}
    edit("systems.csv", lambda t: t.assign(share=t["system"].map(shares)))(case)
    case.configure(systems={"known_for": "target"})
    case.stages().run()
    rows = case.table("allocation/2020/consistency.csv").query("land == 'irrigated' and level == 1")
    assert len(rows) == 2
    for row in rows.itertuples():
        assert row.foreseen_slack_ha == pytest.approx(row.demand_ha - row.max_ha, abs=1e-3)
        assert "find no irrigated land, even at the maximum of" in row.sentence
    slack = case.table("allocation/2020/001/slack.csv")
    assert set(slack["system"]) == {"I"}
    assert slack["hectares"].sum() == pytest.approx(rows["foreseen_slack_ha"].sum(), rel=1e-5)
    where = "(?:unit [12]|the units within demo without a statistic of their own)"
    assert slack["sentence"].str.contains(f", irrigated, {where}: .* irrigated land ends").all()
    account_closes(case)


def test_an_intensity_of_nan_takes_the_default_and_is_told(case, caplog):
    put("systems.csv", "crop == 'rice'", "intensity", "NaN")(case)
    stages = case.stages()
    stages.run(until="classify_systems")
    assert "no cropping intensity of rice_H, rice_I, rice_L" in caplog.text
    areas = pd.read_parquet(stages.areas).query("crop == 'rice'")
    assert (areas["intensity"] == 1).all()


@pytest.fixture
def workspace(tmp_path, generated) -> tuple[Workspace, TinyCase]:
    """A working directory of the whole workflow with the tiny case in it."""
    made = Workspace(tmp_path / "w")
    return made, TinyCase(made.folder, generated)


def snakemake(workspace, *words):
    return workspace.run(
        [
            *("-m", "snakemake", *words, "--config", "cases=tiny", "--cores", "1"),
            *("--workflow-profile", "workflow/profiles/local"),
        ]
    )


def test_snakemake_ends_with_the_message_alone_and_leaves_nothing_half_written(workspace):
    made, case = workspace
    edit("statistics.csv", lambda t: pd.concat([t, t.head(1).assign(area_kha="9")]))(case)
    result = snakemake(made, "results/tiny/statistics/reported.parquet")
    assert result.returncode != 0
    for word in [
        "different figures of one unit",
        "unit demo, maize, 2018: 2330 ha",
        "`duplicates`",
    ]:
        assert word in result.stdout, result.stdout
    assert "Traceback" not in result.stdout, result.stdout
    assert not (case.home / "statistics").exists() or not list((case.home / "statistics").iterdir())


def test_snakemake_refuses_an_unknown_key_before_any_job(workspace):
    made, case = workspace
    case.configure(selection={"promot": True})
    result = snakemake(made, "results/tiny/statistics/reported.parquet")
    assert result.returncode != 0
    assert "unknown key 'selection.promot'; did you mean 'promote'?" in result.stdout
    assert "Traceback" not in result.stdout, result.stdout
    assert not (case.home / "statistics").exists()


def test_snakemake_makes_anew_what_rests_on_a_stale_raster_and_nothing_else(workspace):
    made, case = workspace
    target = "results/tiny/synergy/2020.parquet"
    result = snakemake(made, target)
    assert result.returncode == 0, result.stdout
    rewrite(SMOOTH, lambda values, profile: (values * np.float32(0.9), profile))(case)
    planned = snakemake(made, "-n", target).stdout
    assert "combine_cropland" in planned and SMOOTH in planned, planned
    assert "prepare_cells" not in planned and "read_statistics" not in planned, planned
