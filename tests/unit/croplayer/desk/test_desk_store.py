"""The log of answers, beside a model of it in plain Python."""

from __future__ import annotations

import sqlite3
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cropbase.errors import InputError
from croplayer.desk.store import Store

IDENTITY = {"province": "tiny", "sources": "a,b", "block_degrees": "0.05"}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "desk.sqlite"


def add(store, request, value="TP", annotator="Anna", block="E1", source="a", task="semantic"):
    return store.add(
        request=request, annotator=annotator, task=task, block_id=block, source=source,
        value=value, note="", label_round=1,
    )  # fmt: skip


def values(store, task="semantic"):
    return {
        (event.annotator, event.block_id): (event.action, event.value)
        for event in store.standing(task)
    }


def test_every_acknowledged_row_is_synced_to_the_disk(path):
    store = Store(path, IDENTITY)
    assert store._db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert store._db.execute("PRAGMA synchronous").fetchone()[0] == 2  # FULL
    store.close()


def test_a_request_that_comes_twice_is_written_once(path):
    store = Store(path, IDENTITY)
    assert add(store, "request-1", "TP")
    assert not add(store, "request-1", "FP")
    assert values(store) == {("Anna", "E1"): ("answer", "TP")}
    undone = [store.undo(request="undo-1", annotator="Anna", task="semantic") for _ in range(2)]
    assert undone[0] == undone[1]
    assert store.count() == 2
    store.close()


def test_rows_are_never_changed_or_deleted(path):
    store = Store(path, IDENTITY)
    add(store, "request-1")
    for statement in ("UPDATE events SET value = 'FP'", "DELETE FROM events"):
        with pytest.raises(sqlite3.IntegrityError, match="never"):
            store._db.execute(statement)
    assert values(store) == {("Anna", "E1"): ("answer", "TP")}
    store.close()


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["Anna", "Ben"]),
        st.sampled_from(["E1", "E2", "E3"]),
        st.sampled_from(["TP", "FP", None, "undo"]),
    ),
    max_size=25,
)


@settings(max_examples=30, deadline=None)
@given(STEPS)
def test_what_stands_is_what_a_stack_of_answers_says(tmp_path_factory, steps):
    store = Store(tmp_path_factory.mktemp("log") / "desk.sqlite", IDENTITY)
    stacks: dict[str, list] = {"Anna": [], "Ben": []}
    names = count()
    for annotator, block, what in steps:
        request = f"request-{next(names)}"
        if what == "undo":
            undone = store.undo(request=request, annotator=annotator, task="semantic")
            # The newest row that stands, whichever block it is of: not simply the newest row, for an
            # older answer to the same block comes back when a newer one is undone.
            newest = {}
            for position, (name, value) in enumerate(stacks[annotator]):
                newest[name] = (position, value)
            if not newest:
                assert undone is None
                continue
            position, value = max(newest.values())
            assert (undone.value or None) == value
            del stacks[annotator][position]
        else:
            add(store, request, what, annotator, block)
            stacks[annotator].append((block, what))
    expected = {}
    for annotator, stack in stacks.items():
        for block, value in stack:
            expected[annotator, block] = ("skip", "") if value is None else ("answer", value)
    assert values(store) == expected
    assert store.count() >= len(expected)
    store.close()


def test_a_file_of_another_province_is_refused_and_left_alone(path):
    store = Store(path, IDENTITY)
    add(store, "request-1")
    store.close()
    with pytest.raises(InputError, match="holds answers to something else") as caught:
        Store(path, IDENTITY | {"sources": "b,a"})
    assert "sources a,b" in str(caught.value) and "desk.database" in str(caught.value)
    again = Store(path, IDENTITY)
    assert again.count() == 1
    again.close()


def test_a_file_that_is_no_database_is_one_message(tmp_path):
    path = tmp_path / "desk.sqlite"
    path.write_text("block_id,source\n" * 100)
    with pytest.raises(InputError, match="cannot be used"):
        Store(path, IDENTITY)
    assert path.read_text().startswith("block_id")
