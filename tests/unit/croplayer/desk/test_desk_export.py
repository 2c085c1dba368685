"""From answers to label tables: rows are added, and nobody's row is changed."""

from __future__ import annotations

import csv
import re

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cropbase.errors import InputError
from croplayer.blocks.classes import SEMANTIC_CLASSES
from croplayer.blocks.labels import read_labels
from croplayer.desk.export import export_task, summary, write_findings
from croplayer.desk.labeltable import LabelTable, Row
from croplayer.desk.store import Store
from croplayer.desk.tasks import SEMANTIC

HEADER = "block_id,source,semantic_class,annotator,labelled_at"


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "desk.sqlite", {"province": "tiny"})
    yield store
    store.close()


@pytest.fixture
def table(tmp_path):
    return tmp_path / "labels" / "semantic.csv"


def answer(store, block, value, annotator="Anna", source="a", note=""):
    store.add(
        request=f"request-{store.count()}", annotator=annotator, task="semantic", block_id=block,
        source=source, value=value, note=note, label_round=1,
    )  # fmt: skip


def found(outcome):
    return {(row["block_id"], row["annotator"]): row["finding"] for row in outcome.findings}


def rows(table):
    with open(table, newline="") as handle:
        return list(csv.reader(handle))


def test_a_new_table_is_one_that_the_workflow_reads(store, table):
    answer(store, "E2", "FP")
    answer(store, "E1", "TP")
    answer(store, "E3", None)
    export_task(store, SEMANTIC, table)
    assert table.read_text().splitlines()[0] == HEADER
    assert [row[:4] for row in rows(table)[1:]] == [
        ["E1", "a", "TP", "Anna"],
        ["E2", "a", "FP", "Anna"],
    ]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", row[4]) for row in rows(table)[1:])
    read = read_labels(
        table, keys=("block_id", "source"), value="semantic_class", allowed=SEMANTIC_CLASSES,
        known={("E1", "a"), ("E2", "a")}, known_name="block",
    )  # fmt: skip
    assert read["semantic_class"].tolist() == ["TP", "FP"]


def test_exporting_again_adds_nothing(store, table):
    answer(store, "E1", "TP")
    export_task(store, SEMANTIC, table)
    before = table.read_bytes()
    assert found(export_task(store, SEMANTIC, table)) == {("E1", "Anna"): "same"}
    assert table.read_bytes() == before


def test_an_old_table_keeps_every_row_and_gets_the_columns(store, table):
    table.parent.mkdir()
    old = '# by eye\nblock_id,source,semantic_class,remark\nE1,a,TP,"river, wet"\nE2,a,Noise,\n'
    table.write_text(old)
    answer(store, "E3", "FP")
    outcome = export_task(store, SEMANTIC, table)
    assert found(outcome) == {("E3", "Anna"): "added"}
    lines = table.read_text().splitlines()
    assert lines[0] == "# by eye"
    assert lines[1] == "block_id,source,semantic_class,remark,annotator,labelled_at"
    assert lines[2:4] == ['E1,a,TP,"river, wet",,', "E2,a,Noise,,,"]
    assert lines[4].startswith("E3,a,FP,,Anna,2")
    assert pd.read_csv(table, comment="#", dtype=str)["semantic_class"].tolist() == [
        "TP",
        "Noise",
        "FP",
    ]


def test_a_contradiction_is_listed_and_not_written(store, table):
    table.parent.mkdir()
    table.write_text("block_id,source,semantic_class\nE1,a,TP\nE2,a,TP\n")
    before = table.read_bytes()
    answer(store, "E1", "FP", note="=1+1 is no formula")
    outcome = export_task(store, SEMANTIC, table)
    assert found(outcome) == {("E1", "Anna"): "conflict"}
    assert table.read_bytes() == before
    told = summary([outcome], table)
    assert "conflict: E1 a: Anna says FP, semantic.csv, line 2 says TP (nobody named)" in told
    findings = table.with_name("findings.csv")
    write_findings([outcome], findings)
    listed = rows(findings)[1]
    assert listed[1] == "conflict" and listed[-1] == "'=1+1 is no formula"
    export_task(store, SEMANTIC, table, with_conflicts=True)
    assert [row[:4] for row in rows(table)[1:]] == [
        ["E1", "a", "TP", ""], ["E2", "a", "TP", ""], ["E1", "a", "FP", "Anna"],
    ]  # fmt: skip


def test_a_newer_answer_follows_the_older_one(store, table):
    table.parent.mkdir()
    table.write_text(
        f"{HEADER}\nE1,a,TP,Anna,2020-01-01T00:00:00Z\nE2,a,TP,Anna,2999-01-01T00:00:00Z\n"
    )
    answer(store, "E1", "FP")
    answer(store, "E2", "FP")
    outcome = export_task(store, SEMANTIC, table)
    assert found(outcome) == {("E1", "Anna"): "revised", ("E2", "Anna"): "conflict"}
    assert len(rows(table)) == 4 and rows(table)[1][2] == "TP"


def test_double_labels_become_a_row_each(store, table):
    for block, theirs in (("E1", "TP"), ("E2", "FP")):
        answer(store, block, "TP")
        answer(store, block, theirs, annotator="Ben")
    outcome = export_task(store, SEMANTIC, table)
    assert found(outcome) == {
        ("E1", "Anna"): "added", ("E1", "Ben"): "added",
        ("E2", "Anna"): "disagrees", ("E2", "Ben"): "disagrees",
    }  # fmt: skip
    assert len(rows(table)) == 5
    assert set(found(export_task(store, SEMANTIC, table)).values()) == {"same"}


def test_in_a_folder_of_tables_the_desk_has_its_own(store, table):
    folder = table.with_suffix("")
    folder.mkdir(parents=True)
    (folder / "by_eye.csv").write_text("block_id,source,semantic_class\nE1,a,TP\n")
    answer(store, "E1", "FP")
    answer(store, "E2", "TP")
    outcome = export_task(store, SEMANTIC, folder)
    assert found(outcome) == {("E1", "Anna"): "conflict", ("E2", "Anna"): "added"}
    assert "by_eye.csv, line 2 says TP" in summary([outcome], table)
    assert [row[0] for row in rows(folder / "desk.csv")] == ["block_id", "E2"]
    assert set(found(export_task(store, SEMANTIC, folder)).values()) == {"conflict", "same"}


def test_spelling_and_line_ends_of_the_table_are_its_own(store, table):
    table.parent.mkdir()
    table.write_bytes(f"\ufeff{HEADER}\r\nE1,a,tp,Anna,2020-01-01T00:00:00Z".encode())
    answer(store, "E1", "TP")
    answer(store, "E2", "FP")
    outcome = export_task(store, SEMANTIC, table)
    assert found(outcome) == {("E1", "Anna"): "same", ("E2", "Anna"): "added"}
    lines = table.read_bytes().split(b"\r\n")
    assert lines[0].decode() == f"\ufeff{HEADER}"
    assert lines[1] == b"E1,a,tp,Anna,2020-01-01T00:00:00Z" and lines[2].startswith(
        b"E2,a,FP,Anna,"
    )


CELL = st.text(
    st.characters(codec="utf-8", exclude_characters="\0\r\n", exclude_categories=["Cs"]), max_size=8
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(CELL, CELL), max_size=6))
def test_whatever_people_wrote_beside_the_labels_stays(tmp_path_factory, remarks):
    path = tmp_path_factory.mktemp("table") / "semantic.csv"
    with open(path, "w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(["block_id", "source", "semantic_class", "one", "two"])
        for number, remark in enumerate(remarks):
            writer.writerow([f"E{number}", "a", "TP", *remark])
    LabelTable(path, SEMANTIC).append([Row(("E9", "b"), "FP", "Anna", "2024-01-01T00:00:00Z")])
    with open(path, newline="", encoding="utf-8") as handle:
        read = list(csv.reader(handle))
    assert [tuple(row[3:5]) for row in read[1:-1]] == remarks
    assert read[-1] == ["E9", "b", "FP", "", "", "Anna", "2024-01-01T00:00:00Z"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("semantic.gpkg", "", "is no CSV table"),
        ("semantic.csv", "block_id,semantic_class\nE1,TP\n", "no column 'source'"),
        ("semantic.csv", "block_id,source,semantic_class\nE1,a,TP,x,y\n", "line 2 has 5 fields"),
    ],
)
def test_a_table_that_cannot_be_appended_to_is_one_message(tmp_path, store, name, text, message):
    path = tmp_path / name
    path.write_text(text)
    answer(store, "E1", "TP")
    with pytest.raises(InputError, match=message):
        export_task(store, SEMANTIC, path)
    assert path.read_text() == text
