"""What a user's mistake in an allocation case leads to: one readable message, or a row that tells it.

The case is the built-in one in small (generated: two counties, four towns, 288 cells). Most rows
call what the rules call, in their order; three go through snakemake itself.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import yaml
from alloc_stages import STAGES, Stages
from alloc_tiny_province import write_province
from rasterio.transform import Affine
from workspaces import REPOSITORY, Workspace, merge

from cropalloc.demo.generate import generate_case
from cropalloc.settings import load_case
from cropbase.errors import ConfigError, CropError

pytestmark = [pytest.mark.xdist_group("rules"), pytest.mark.timeout(300)]

TABLE = {"kind": "long", "unit_column": "unit_id", "year_column": "year", "crop_column": "crop"}
YEARBOOK = {
    **TABLE,
    "name": "yearbook",
    "paths": ["{results}/generated/statistics.csv"],
    "unit_of_measure": "kha",
    "value_column": "area_kha",
}
TINY: dict[str, Any] = {
    "extends": "demo_allocation",
    "case": {"title": "Tiny (generated)"},
    "demo": None,
    "statistics": {"nodes": [2020], "sources": [YEARBOOK], "use_levels": None},
    "synergy": {
        "cropland": {
            "sources": [
                {"name": name, "paths": [f"{{results}}/generated/cropland_{name}_{{year}}.tif"]}
                for name in ("smooth", "coarse")
            ]
        }
    },
}


@pytest.fixture(scope="module")
def generated(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    generate_case(folder / "generated", write_province(folder / "province"))
    return folder / "generated"


class TinyCase:
    """The case's configuration and inputs, to be spoilt by a test."""

    def __init__(self, folder: Path, generated: Path) -> None:
        self.folder = folder
        self.home = folder / "results/tiny"
        self.inputs = self.home / "generated"
        shutil.copytree(generated, self.inputs)
        shutil.copytree(
            REPOSITORY / "config/allocation", folder / "config/allocation", dirs_exist_ok=True
        )
        self.values = yaml.safe_load(yaml.safe_dump(TINY))
        self.configure()

    def configure(self, **changes: Any) -> None:
        """Merge `changes` into the case's file."""
        merge(self.values, changes)
        path = self.folder / "config/allocation/tiny.yaml"
        path.write_text(yaml.safe_dump(self.values), encoding="utf-8")

    def stages(self) -> Stages:
        """The stages, from the configuration as it is now."""
        case = load_case("tiny", self.folder / "config", results=str(self.folder / "results"))
        return Stages(case, self.home, REPOSITORY / "config/crops.yaml")

    def table(self, name: str) -> pd.DataFrame:
        """A CSV below the case's results."""
        return pd.read_csv(self.home / name, dtype={"unit_id": str, "target_id": str})


@pytest.fixture
def case(tmp_path, generated) -> TinyCase:
    return TinyCase(tmp_path, generated)


def edit(name, change):
    """Spoil a CSV of the inputs: `change` takes the table of texts and returns another."""

    def spoil(case):
        path = case.inputs / name
        change(pd.read_csv(path, dtype=str, keep_default_na=False)).to_csv(path, index=False)

    return spoil


def put(name, where, column, text):
    """Write `text` into `column` of the rows for which `where` holds (None: the first row)."""

    def change(table):
        rows = table.index == 0 if where is None else table.eval(where)
        table.loc[rows, column] = text
        return table

    return edit(name, change)


def rewrite(name, change):
    """Spoil a raster: `change` takes values and profile and returns both."""

    def spoil(case):
        path = case.inputs / name
        with rasterio.open(path) as dataset:
            values, profile = change(dataset.read(1), dict(dataset.profile))
        keep = {k: profile[k] for k in ("width", "height", "count", "crs", "transform", "nodata")}
        path.unlink()
        with rasterio.open(path, "w", driver="GTiff", dtype=values.dtype, **keep) as dataset:
            dataset.write(values, 1)

    return spoil


def remove(name):
    return lambda case: (case.inputs / name).unlink()


def cut_short(name):
    return lambda case: os.truncate(case.inputs / name, 900)


def configure(**changes):
    return lambda case: case.configure(**changes)


def moved(cells):
    def change(values, profile):
        t = profile["transform"]
        return values, profile | {"transform": Affine(t.a, t.b, t.c + cells * t.a, t.d, t.e, t.f)}

    return change


def both(*spoils):
    return lambda case: [spoil(case) for spoil in spoils]


def keep_towns(where):
    def spoil(case):
        path = case.inputs / "towns.gpkg"
        towns = gpd.read_file(path)
        path.unlink()
        towns[towns.eval(where)].to_file(path, layer="towns")

    return spoil


MEASURES = both(
    edit("statistics.csv", lambda t: t.assign(unit=np.where(t["unit_id"] == "1", "ha", "kha"))),
    configure(statistics={"sources": [YEARBOOK | {"measure_column": "unit"}]}),
)
RICE_I = "potential_yield/rice_I.tif"
SMOOTH = "cropland_smooth_2020.tif"

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
    for name in STAGES[: STAGES.index(stage)]:
        stages.run_one(name)
    with pytest.raises(CropError) as caught:
        stages.run_one(stage)
    text = str(caught.value)
    for word in words:
        assert word in text, text
    assert stages.outputs(stage) == []
    assert list(case.home.rglob("*.part")) == [], "nothing half-written"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"selection": {"promot": True}}, ["unknown key 'selection.promot'", "'promote'"]),
        ({"statistics": {"nodes": ["MMXX"]}}, ["statistics.nodes.0", "given 'MMXX'"]),
    ],
)
def test_a_faulty_configuration_is_refused(case, changes, words):
    case.configure(**changes)
    with pytest.raises(ConfigError) as caught:
        case.stages()
    for word in ["tiny.yaml", *words]:
        assert word in str(caught.value)


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
    REFUSED["different figures of one thing"][0](case)
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
