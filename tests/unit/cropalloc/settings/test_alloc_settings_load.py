"""A case's file is laid over the defaults and over the case that it extends, and checked whole."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import jsonschema
import pytest
import yaml

from cropalloc.settings import load_case
from cropalloc.settings.schema import schema_text
from cropbase.errors import ConfigError

CONFIG = Path(__file__).parents[4] / "config"
CASE_FILES = sorted((CONFIG / "allocation").glob("*.yaml"))
CASES = [path.stem for path in CASE_FILES if path.stem != "default"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A copy of the repository's configuration that a test may edit."""
    monkeypatch.delenv("CROPLAYER_DATA_ROOT", raising=False)
    shutil.copytree(CONFIG / "allocation", tmp_path / "allocation")
    return tmp_path


def write(folder, name, **values):
    (folder / "allocation" / f"{name}.yaml").write_text(yaml.safe_dump(values))


def message_of(folder, name):
    with pytest.raises(ConfigError) as caught:
        load_case(name, folder)
    return str(caught.value)


@pytest.mark.parametrize("name", CASES)
def test_case_of_the_repository_is_valid(name):
    case = load_case(name, CONFIG)
    assert case.case.title
    assert case.case.generated == (case.demo is not None)


def test_schema_is_up_to_date():
    stored = (CONFIG / "allocation-schema.json").read_text(encoding="utf-8")
    assert stored == schema_text(), "run `make schema`"


def test_every_key_of_the_schema_is_described_but_the_tags_of_kinds():
    def fields(node):
        for name, value in node.get("properties", {}).items():
            yield name, value
        for inner in node.get("$defs", {}).values():
            yield from fields(inner)

    bare = {n for n, value in fields(json.loads(schema_text())) if "description" not in value}
    assert bare <= {"kind"}


def faults_of(values):
    return [
        e.message
        for e in jsonschema.Draft202012Validator(json.loads(schema_text())).iter_errors(values)
    ]


@pytest.mark.parametrize("path", CASE_FILES, ids=lambda path: path.stem)
def test_the_schema_takes_every_case_of_the_repository(path):
    assert faults_of(yaml.safe_load(path.read_text(encoding="utf-8")) or {}) == []


def test_the_schema_knows_extends_and_refuses_what_is_no_key():
    assert faults_of({"extends": "australia"}) == []
    assert faults_of({"extends": 3}) != []
    assert faults_of({"extend": "australia"}) != []
    assert faults_of({"selection": {"promot": False}}) != []


def test_default_holds_where_the_case_is_silent_and_yields_where_it_speaks(folder):
    write(folder, "default", data_root="d", maps={"country": "XX", "resolution_label": "1km"})
    write(folder, "mine", extends="demo_allocation", maps={"country": "YY"})
    case = load_case("mine", folder)
    assert (case.maps.country, case.maps.resolution_label) == ("YY", "1km")
    assert case.data_root == Path("d")


def test_a_chain_of_extends_merges_in_order(folder):
    write(folder, "a", extends="demo_allocation", case={"title": "A"}, maps={"country": "AA"})
    write(folder, "b", extends="a", statistics={"nodes": [2020]}, maps={"country": "BB"})
    write(folder, "c", extends="b", selection={"promote": False})
    case = load_case("c", folder)
    assert (case.case.title, case.maps.country) == ("A", "BB")
    assert case.case.generated, "from the end of the chain"
    assert case.statistics.nodes == [2020], "a list replaces"
    assert not case.selection.promote


@pytest.mark.parametrize("loop", [{"x": "x"}, {"x": "y", "y": "x"}, {"x": "y", "y": "z", "z": "y"}])
def test_a_loop_of_extends_is_refused(folder, loop):
    for name, other in loop.items():
        write(folder, name, extends=other)
    assert "key `extends` leads back to itself" in message_of(folder, "x")


def test_an_unknown_case_lists_those_that_are_there(folder):
    text = message_of(folder, "mars")
    assert "no configuration of a case 'mars'" in text
    assert all(name in text for name in CASES) and "default" not in text
    assert "no configuration of a case 'default'" in message_of(folder, "default")


def test_extending_an_unknown_case_names_the_file_that_does(folder):
    write(folder, "mine", extends="mars")
    text = message_of(folder, "mine")
    assert "mine.yaml: key `extends`" in text and "'mars'" in text and "australia" in text


def test_placeholders_are_filled_with_this_case_and_its_root(folder):
    write(folder, "mine", extends="demo_allocation", data_root="there", crops="{data_root}/c.yaml")
    case = load_case("mine", folder, results="out")
    assert str(case.systems.shares.path) == "out/mine/generated/systems.csv"
    assert case.crops == Path("there/c.yaml")
    assert case.suitability.potential_yield == (
        "out/mine/generated/potential_yield/{crop}_{system}.tif"
    )


def test_the_environment_wins_over_the_data_root_of_the_file(folder, monkeypatch):
    monkeypatch.setenv("CROPLAYER_DATA_ROOT", "/elsewhere")
    case = load_case("malawi", folder)
    assert case.statistics.units.path == "/elsewhere/malawi/ha_2010_MWI_long.csv"
    assert case.data_root == Path("/elsewhere")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"selection": {"promot": 1}}, ["unknown key 'selection.promot'", "'promote'"]),
        ({"statistic": {}}, ["unknown key 'statistic'", "'statistics'"]),
        ({"statistics": {"nodes": [2020, 2015]}}, ["statistics", "nodes must rise"]),
        ({"statistics": {"nodes": []}}, ["statistics.nodes", "given []", "at least 1"]),
        ({"grid": {"resolution_arcseconds": 7}}, ["grid.resolution_arcseconds", "given 7"]),
        ({"case": {"stages": "all"}}, ["case.stages", "given 'all'"]),
        ({"statistics": {"units": {"kind": "tree"}}}, ["statistics.units", "tree", "levels"]),
        (
            {"suitability": {"potential_yield": "y/{crop}_{sytem}.tif"}},
            ["suitability.potential_yield", "{sytem}", "{system}"],
        ),
    ],
)
def test_a_bad_value_is_one_readable_line(folder, values, words):
    write(folder, "mine", extends="demo_allocation", **values)
    text = message_of(folder, "mine")
    for word in ["1 fault(s)", "mine.yaml", "allocation-schema.json", *words]:
        assert word in text, text


def test_all_faults_come_in_one_message_each_with_its_file(folder):
    write(folder, "a", extends="demo_allocation", maps={"nodata": "0"})
    write(folder, "b", extends="a", selection={"margin_share": 2})
    lines = message_of(folder, "b").splitlines()
    assert any("a.yaml: key 'maps.nodata'" in line for line in lines)
    assert any("b.yaml: key 'selection.margin_share': given 2" in line for line in lines)


def test_maps_without_grids_are_refused_in_one_short_line(folder):
    write(folder, "mine", extends="demo_allocation", grid=None, systems=None)
    text = message_of(folder, "mine")
    assert "case.stages: maps needs the sections systems, grid;" in text
    assert "case.stages: statistics" in text
    assert len(text) < 400, "the configuration itself is not repeated"


def test_statistics_alone_need_no_grids(folder):
    gone = dict.fromkeys(("grid", "systems", "synergy"))
    write(folder, "mine", extends="demo_allocation", case={"stages": "statistics"}, **gone)
    assert load_case("mine", folder).grid is None
