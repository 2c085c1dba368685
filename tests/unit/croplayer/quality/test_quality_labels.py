from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cropbase.errors import InputError
from croplayer.quality.coverage import CLASSES, read_coverage_labels, split_by_block

PLANNED = ("E11200N2400", "E11205N2400", "E11210N2400")
SOURCES = ("google", "mapbox")


def read(tmp_path, text):
    path = tmp_path / "coverage.csv"
    path.write_text("block_id,source,coverage_type\n" + text)
    return read_coverage_labels(path, sources=SOURCES, planned=PLANNED)


def test_labels_are_read_sorted_and_in_the_papers_spelling_too(tmp_path):
    table = read(tmp_path, "E11205N2400,mapbox,Snow/Ice\nE11200N2400,google, Non-Planting\n")
    assert table.to_numpy().tolist() == [
        ["E11200N2400", "google", "non_planting"],
        ["E11205N2400", "mapbox", "snow_ice"],
    ]


def test_repeated_rows_count_once_and_are_told(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        table = read(tmp_path, "E11200N2400,google,cloudy\n" * 3)
    assert len(table) == 1
    assert "2 rows repeat others" in caplog.text


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("E11200N2400,google,fallow", r"row 2 .*unknown coverage type 'fallow'"),
        ("E11200N2400,bing,cloudy", r"row 2 .*unknown source 'bing'"),
        ("E09900N2400,google,cloudy", r"row 2 .*'E09900N2400' is not planned"),
        ("E11205N2400,google,cloudy", r"two different types, planting and cloudy"),
    ],
)
def test_faulty_rows_are_named(tmp_path, row, message):
    with pytest.raises(InputError, match=message):
        read(tmp_path, f"E11205N2400,google,planting\n{row}\n")


def test_every_fault_is_told_at_once(tmp_path):
    with pytest.raises(InputError) as caught:
        read(tmp_path, "E11200N2400,bing,cloudy\nE11200N2400,google,fallow\n")
    assert "2 fault(s)" in str(caught.value)
    assert "unknown source" in str(caught.value) and "unknown coverage type" in str(caught.value)


def test_a_missing_file_column_or_row_is_refused(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_coverage_labels(tmp_path / "none.csv", sources=SOURCES, planned=PLANNED)
    path = tmp_path / "short.csv"
    path.write_text("block_id,coverage_type\nE11200N2400,cloudy\n")
    with pytest.raises(InputError, match="no column 'source'"):
        read_coverage_labels(path, sources=SOURCES, planned=PLANNED)
    with pytest.raises(InputError, match="hold no row"):
        read(tmp_path, "")


def table_of(pairs):
    return pd.DataFrame(
        [(f"b{block:03d}", source, CLASSES[kind]) for (block, source), kind in pairs.items()],
        columns=["block_id", "source", "coverage_type"],
    )


PAIRS = st.dictionaries(
    st.tuples(st.integers(0, 30), st.sampled_from("ab")), st.integers(0, 4), min_size=1, max_size=50
)


@settings(deadline=None)
@given(PAIRS, st.floats(0.05, 0.6), st.integers(0, 5))
def test_split_keeps_blocks_whole_and_every_type_in_training(pairs, share, seed):
    labels = table_of(pairs)
    held = split_by_block(labels, share=share, seed=seed)
    sides = labels.assign(held=held).groupby("block_id")["held"].nunique()
    assert (sides == 1).all()
    assert set(labels["coverage_type"][~held]) == set(labels["coverage_type"])
    backwards = split_by_block(labels[::-1].reset_index(drop=True), share=share, seed=seed)
    np.testing.assert_array_equal(backwards[::-1], held)


def test_split_is_stratified():
    pairs = {(i, "a"): 0 for i in range(80)} | {(i, "a"): 3 for i in range(80, 100)}
    labels = table_of(pairs)
    held = split_by_block(labels, share=0.2, seed=1)
    assert labels["coverage_type"][held].value_counts().to_dict() == {"planting": 16, "cloudy": 4}


def test_a_type_with_one_sample_goes_to_training():
    labels = table_of({(0, "a"): 2} | {(i, "a"): 0 for i in range(1, 10)})
    for seed in range(20):
        held = split_by_block(labels, share=0.5, seed=seed)
        assert not held[0]
