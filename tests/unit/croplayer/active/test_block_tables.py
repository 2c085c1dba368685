"""Tables of block labels: who is right when rows of several people and times meet."""

from __future__ import annotations

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from croplayer.active import tables
from croplayer.active.findings import LabelAttributeError, LabelError, LabelFileError
from croplayer.active.lock import LabelLockError
from croplayer.active.tables import import_table

IDS = ("E11200N2400", "E11205N2400", "E11205N2405")
HEAD = "block_id,source,semantic_class,annotator,labelled_at\n"


@pytest.fixture
def run(tmp_path):
    """Write a CSV (or take files), import it, return (settled rows, findings)."""
    plan = tmp_path / "blocks.parquet"
    shapes = [shapely.box(i, 0, i + 1, 1) for i in range(len(IDS))]
    gpd.GeoDataFrame({"block_id": IDS}, geometry=shapes, crs=4326).to_parquet(plan)

    def work(text="", *, name="semantic", files=None):
        if files is None:
            files = [tmp_path / "table.csv"]
            files[0].write_text(text, encoding="utf-8")
        output, report = tmp_path / "out" / f"{name}.csv", tmp_path / "out" / "findings.csv"
        import_table(
            name=name, files=files, blocks=plan, sources=["a", "b"], output=output, report=report
        )
        rows = [tuple(row) for row in pd.read_csv(output, dtype=str).fillna("").to_numpy()]
        return rows, pd.read_csv(report, dtype=str)

    work.folder = tmp_path
    return work


def test_a_table_of_before_without_annotators_is_as_it_was(run):
    text = "block_id,source,semantic_class\nE11205N2400,b,FP\nE11200N2400,a,TP\n"
    rows, _ = run(text)
    assert rows == [("E11200N2400", "a", "TP"), ("E11205N2400", "b", "FP")]
    assert (
        (run.folder / "out/semantic.csv").read_text().startswith("block_id,source,semantic_class\n")
    )


@pytest.mark.parametrize(
    ("rows", "expected", "kind"),
    [
        ("x,TP,2024-01-01|x,FP,2024-01-02", "FP", "revised"),
        ("x,FP,2024-01-02|x,TP,2024-01-01", "FP", "revised"),
        ("x,TP,|x,FP,2024-01-02", "FP", "revised"),
        ("x,TP,2024-01-02T08:00+08:00|x,FP,2024-01-02T00:30Z", "FP", "revised"),
        ("x,TP,|x,TP,", "TP", "revised"),
        ("x,TP,|y,FP,", None, "disagreement"),
        ("x,TP,|y,FP,|z,FP,", "FP", "disagreement"),
        ("x,TP,|y,TP,", "TP", None),
        ("x,TP,2024-01-01|y,FP,2024-01-01|x,FP,2024-01-02", "FP", "revised"),
        (",TP,|y,FP,", None, "disagreement"),
        ("x,TP,|y,FP,|z,Noise,", None, "disagreement"),
    ],
)
def test_the_last_word_of_each_and_then_the_majority(run, rows, expected, kind):
    lines = []
    for row in rows.split("|"):
        who, label, when = row.split(",")
        lines.append(f"E11200N2400,a,{label},{who},{when}\n")
    settled, findings = run(HEAD + "".join(lines))
    assert settled == ([("E11200N2400", "a", expected)] if expected else [])
    kinds = set(findings["kind"]) - {"summary"}
    assert kinds == ({kind} if kind else set())


FAULTS = {
    "unknown class": ("E11200N2400,a,Good,x,\n", "line 2: unknown semantic_class 'Good'"),
    "empty class": ("E11200N2400,a,,x,\n", "an empty field"),
    "unknown source": ("E11200N2400,c,TP,x,\n", "source 'c' is none of this province"),
    "unknown block": ("E9N9,a,TP,x,\n", "block_id 'E9N9' is none of this province"),
    "no time": ("E11200N2400,a,TP,x,yesterday\n", "labelled_at 'yesterday' is no time"),
    "two at once": (
        "E11200N2400,a,TP,x,2024-01-01\nE11200N2400,a,FP,x,2024-01-01\n",
        "line 2, line 3: TP and FP at one time",
    ),
    "two without time": ("E11200N2400,a,TP,,\nE11200N2400,a,FP,,\n", "TP and FP at one time"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_named_with_its_line_and_nothing_is_written(run, fault):
    text, words = FAULTS[fault]
    with pytest.raises(LabelAttributeError) as caught:
        run(HEAD + text)
    assert words in str(caught.value)
    assert not (run.folder / "out").exists()


def test_all_faults_come_in_one_message(run):
    text = HEAD + FAULTS["unknown class"][0] + FAULTS["unknown block"][0]
    with pytest.raises(LabelError, match=r"2 fault\(s\)(.|\n)*Good(.|\n)*E9N9"):
        run(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("block_id,semantic_class\nE11200N2400,TP\n", "no column 'source'"),
        ("", "an empty file"),
        (HEAD + "E11200N2400,a,TP,x,,surplus\n", "line 2: 6 fields"),
    ],
)
def test_a_table_of_another_form_is_refused(run, text, words):
    with pytest.raises(LabelFileError) as caught:
        run(text)
    assert words in str(caught.value)


def test_an_absent_table_is_refused(run):
    with pytest.raises(LabelFileError, match=r"none\.csv"):
        run(files=[run.folder / "none.csv"])


def test_coverage_types_as_in_the_paper_and_comments(run):
    rows, _ = run(
        "\ufeffblock_id,source,coverage_type\n# by eye\n\nE11200N2400,a,Snow/Ice\n", name="coverage"
    )
    assert rows == [("E11200N2400", "a", "snow_ice")]


def test_reasons_with_commas_are_kept(run):
    rows, _ = run(
        'block_id,option,reason\nE11200N2400,only_a,"clear, recent"\n', name="corrections"
    )
    assert rows == [("E11200N2400", "only_a", "clear, recent")]


def test_a_file_an_annotator_and_a_geopackage_among_them(run):
    folder = run.folder / "semantic"
    folder.mkdir()
    (folder / "x.csv").write_text(HEAD + "E11200N2400,a,TP,x,2024-01-01T00:00:00Z\n")
    frame = gpd.GeoDataFrame(
        {
            "block_id": ["E11200N2400", "E11205N2400"],
            "source": ["a", "a"],
            "semantic_class": ["FP", "TP"],
            "annotator": ["y", "y"],
            "labelled_at": pd.to_datetime(["2024-01-02T00:00:00Z"] * 2),
        },
        geometry=[shapely.box(0, 0, 1, 1)] * 2,
        crs=4326,
    )
    frame.to_file(folder / "y.gpkg")
    rows, findings = run(files=[folder])
    assert rows == [("E11205N2400", "a", "TP")]
    said = findings.loc[findings["kind"] == "disagreement", "what"]
    assert said.tolist() == ["x: TP; y: FP"]


def test_a_name_or_a_time_changes_no_byte_that_is_learned_from(run):
    run(HEAD + "E11200N2400,a,TP,x,2024-01-01\n")
    before = (run.folder / "out/semantic.csv").read_bytes()
    run(HEAD + "E11200N2400,a,TP,z,2025-01-01\n")
    assert (run.folder / "out/semantic.csv").read_bytes() == before


def test_a_table_saved_while_it_is_read_fails_and_writes_nothing(run, monkeypatch):
    def settle(*arguments):
        found = original(*arguments)
        with open(run.folder / "table.csv", "a") as handle:
            handle.write("E11205N2400,a,FP,x,\n")
        return found

    original = tables.settle
    monkeypatch.setattr(tables, "settle", settle)
    with pytest.raises(LabelLockError, match="changed while it was read"):
        run(HEAD + "E11200N2400,a,TP,x,\n")
    assert not (run.folder / "out").exists()
