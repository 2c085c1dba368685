"""Label tables: what is accepted, and the message for everything else."""

from __future__ import annotations

import pytest

from cropbase.errors import InputError
from croplayer.blocks.labels import label_digest, read_labels

KNOWN = {("E1", "a"), ("E1", "b"), ("E2", "a"), ("E2", "b")}


def read(tmp_path, text, **changes):
    path = tmp_path / "semantic.csv"
    path.write_text(text, encoding="utf-8")
    given = {
        "keys": ("block_id", "source"),
        "value": "semantic_class",
        "allowed": ("TP", "FP"),
        "known": KNOWN,
        "known_name": "planned block and source",
    }
    return read_labels(path, **(given | changes))


def test_rows_come_sorted_and_trimmed(tmp_path):
    text = "\ufeffsource, block_id ,semantic_class,who\nb,E2,TP,x\na , E1,FP,y\n"
    table = read(tmp_path, text)
    assert table.to_numpy().tolist() == [["E1", "a", "FP"], ["E2", "b", "TP"]]


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        (
            "block_id,source,semantic_class\nE1,a,Tp\n",
            ["line 2: unknown semantic_class", "given: Tp", "TP, FP"],
        ),
        ("block_id,source,semantic_class\nE1,a,TP\nE1,b,\n", ["line 3", "an empty field"]),
        (
            "block_id,source,semantic_class\nE9,a,TP\n",
            ["line 2: E9 of a is no planned block", "E1 of a"],
        ),
        ("block_id,source,semantic_class\nE1,c,TP\n", ["E1 of c is no planned block"]),
        (
            "block_id,source,semantic_class\nE1,a,TP\nE2,a,TP\nE1,a,TP\n",
            ["line 4: E1 of a is labelled twice", "line 2 and line 4"],
        ),
        ("block_id,class\nE1,TP\n", ["no column 'source'", "block_id, source, semantic_class"]),
    ],
)
def test_every_fault_names_the_line_and_what_is_allowed(tmp_path, text, messages):
    with pytest.raises(InputError) as error:
        read(tmp_path, text)
    assert "semantic.csv" in str(error.value)
    for message in messages:
        assert message in str(error.value)


def test_an_empty_file_and_a_heading_alone_are_no_labels(tmp_path):
    assert read(tmp_path, "").empty
    assert read(tmp_path, "block_id,source,semantic_class\n").empty


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere.csv does not exist"):
        read_labels(
            tmp_path / "nowhere.csv",
            keys=("block_id",),
            value="option",
            allowed=("both",),
            known=set(),
            known_name="block",
        )


def test_an_optional_column_may_be_absent_or_empty(tmp_path):
    table = read(tmp_path, "block_id,source,semantic_class\nE1,a,TP\n", optional=("reason",))
    assert table["reason"].tolist() == [""]


def test_the_digest_heeds_labels_and_not_their_order(tmp_path):
    table = read(tmp_path, "block_id,source,semantic_class\nE1,a,TP\nE2,a,FP\n")
    assert label_digest(table) == label_digest(table[::-1])
    assert label_digest(table) != label_digest(table.assign(semantic_class="TP"))
