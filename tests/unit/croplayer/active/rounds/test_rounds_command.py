"""`python -m croplayer.active.rounds`: what a person sees."""

from __future__ import annotations

import json

import pytest
from label_province import FIELDS, LabelProvince, fields

from croplayer.active.rounds.__main__ import main


@pytest.fixture
def province(tmp_path, monkeypatch) -> LabelProvince:
    made = LabelProvince(tmp_path)
    monkeypatch.chdir(tmp_path)
    return made


@pytest.fixture
def run(province, capsys):
    """Run a command; returns (exit code, what it said)."""

    def work(*words):
        code = main([*words, "--config-folder", str(province.config)])
        said = capsys.readouterr()
        return code, said.out + said.err

    return work


def test_adding_says_what_changed_since_the_last_round(province, run):
    code, said = run("add", "p", "--author", "x", "--note", "the plain")
    assert code == 0
    assert "Round 1 added" in said and "authors: x" in said
    fields(FIELDS[:2]).to_file(province.labels / "cropland.gpkg")
    code, said = run("add", "p")
    assert code == 0
    assert "Round 2 added" in said and "Since the last round:" in said
    line = next(line for line in said.splitlines() if line.split()[:2] == ["cropland", "all"])
    assert line.split()[2:7] == ["3", "2", "0", "1", "0"]


def test_list_diff_and_check(province, run):
    run("add", "p", "--note", "the plain")
    fields(FIELDS[:2]).to_file(province.labels / "cropland.gpkg")
    record = province.folder / "results/p/rounds/1/decision.json"
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({"sentence": "Continue: more."}))
    _, said = run("list", "p")
    for words in (
        "round 1",
        "after none",
        "cropland: 3 features",
        "note: the plain",
        "Continue: more.",
    ):
        assert words in said
    _, ahead = run("diff", "p", "1", "working")
    run("add", "p")
    _, said = run("diff", "p", "1", "2")
    assert said == ahead
    assert run("check", "p") == (0, "2 round(s), all as they were added\n")


def test_labels_with_faults_become_no_round(province, run):
    frame = fields()
    frame.loc[0, "class"] = "rice"
    frame.to_file(province.labels / "cropland.gpkg")
    code, said = run("add", "p")
    assert code == 1
    assert "unknown class 'rice'" in said and "no round was added" in said
    assert not (province.folder / "rounds").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("diff", "p", "1", "9"), "there is no round 9"),
        (("diff", "p", "one", "1"), "a number, or 'working'"),
        (("add", "p"), "are those of round 1"),
        (("list", "q"), "no configuration of a province 'q'"),
    ],
)
def test_a_mistake_is_one_message(province, run, words, message):
    run("add", "p")
    code, said = run(*words)
    assert code == 1
    assert message in said and "Traceback" not in said


def test_a_province_without_rounds_says_how_to_begin(run):
    code, said = run("list", "p")
    assert code == 0 and "adds one" in said


@pytest.mark.parametrize("words", [["--help"], ["add", "--help"], ["diff", "--help"]])
def test_help(words, capsys):
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 0
    assert "round" in capsys.readouterr().out
