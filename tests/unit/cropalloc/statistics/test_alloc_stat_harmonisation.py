"""The rule harmonise_statistics: files in, files out, one message for all crops without a top."""

from __future__ import annotations

import pandas as pd
import pytest

from cropalloc.statistics import average_statistics, harmonise_statistics
from cropbase.errors import InputError

LINES = (
    "N,wheat,2010,110", "N1,wheat,2010,60", "N2,wheat,2010,40", "N11,wheat,2010,10",
    "N,rice,2010,7",
)  # fmt: skip


def run(country, *lines, leaves=None, **statistics):
    sources = [country.long("s", *lines)]
    result = country.read(sources, **statistics)
    settings = country.settings(sources, **statistics)
    folder = country.folder
    average_statistics(
        reported=result.paths["reported.parquet"], units=result.paths["units.parquet"],
        statistics=settings, nodes_path=folder / "nodes.parquet",
    )  # fmt: skip
    cells = None
    if leaves is not None:
        cells = folder / "cells.parquet"
        pd.DataFrame({"cell_id": range(len(leaves)), "leaf_id": leaves}).to_parquet(cells)
    paths = [folder / name for name in ("targets.parquet", "members.parquet", "audit.csv")]
    harmonise_statistics(
        nodes=folder / "nodes.parquet", units=result.paths["units.parquet"], leaves=cells,
        statistics=settings, targets_path=paths[0], members_path=paths[1], audit_path=paths[2],
        reference_path=folder / "reference.parquet",
    )  # fmt: skip
    return pd.read_parquet(paths[0]), pd.read_parquet(paths[1]), pd.read_csv(paths[2]), paths


def test_tables_of_the_contract(country):
    targets, members, audit, _ = run(country, *LINES)
    assert list(targets.columns) == [
        "target_id", "crop", "year", "unit_id", "level", "residual", "harvested_ha", "flag",
    ]  # fmt: skip
    rows = targets.set_index(["crop", "target_id"])
    assert rows.loc[("wheat", "N11"), "harvested_ha"] == pytest.approx(10)
    assert rows.loc[("wheat", "N1~rest"), "harvested_ha"] == pytest.approx(56)
    assert rows.loc[("wheat", "N1~rest"), ["unit_id", "level", "residual"]].tolist() == [
        "N1",
        1,
        True,
    ]
    assert rows.loc[("wheat", "N2"), "harvested_ha"] == pytest.approx(44)
    assert rows.loc[("rice", "N"), "flag"] == "mean_of_1"
    assert list(members.columns) == ["crop", "year", "target_id", "leaf_id"]
    for _, group in members.groupby(["crop", "year"]):
        assert sorted(group["leaf_id"]) == ["N11", "N12", "N21"]
    assert list(audit.columns) == [
        "unit_id", "crop", "year", "before_ha", "after_ha", "factor", "reason",
    ]  # fmt: skip
    scaled = audit.set_index("unit_id").loc["N1"]
    assert (scaled.before_ha, scaled.after_ha) == (60, pytest.approx(66))
    assert scaled.factor == pytest.approx(1.1)


def test_levels_that_are_kept_aside_are_the_reference_and_move_no_target(country):
    targets, _, _, paths = run(country, *LINES, use_levels=1)
    reference = pd.read_parquet(paths[0].with_name("reference.parquet"))
    assert reference.values.tolist() == [["N11", "wheat", 2010, 10.0]]
    assert set(targets["unit_id"]) == {"N", "N1", "N2"}
    assert not targets["residual"].any()


def test_without_that_the_reference_is_empty(country):
    *_, paths = run(country, *LINES)
    assert pd.read_parquet(paths[0].with_name("reference.parquet")).empty


def test_leaves_come_from_the_cells(country):
    targets, members, _, _ = run(country, *LINES, leaves=["N12", "N12", "N21", None])
    assert set(members["leaf_id"]) == {"N12", "N21"}
    # N11 has no cells: all of N1 goes to N12.
    assert targets.set_index("target_id")["harvested_ha"].to_dict() == pytest.approx(
        {"N": 7, "N1": 66, "N2": 44}
    )
    assert members[members["target_id"] == "N1"]["leaf_id"].tolist() == ["N12"]


def test_a_leaf_that_is_no_unit(country):
    with pytest.raises(InputError, match=r"units of the statistics\s+given: N13[\s\S]*near: N1"):
        run(country, *LINES, leaves=["N12", "N13"])


def test_all_crops_without_a_figure_of_the_nation_in_one_message(country):
    lines = ("N1,wheat,2010,5", "N1,rice,2010,5", "N,maize,2010,1")
    with pytest.raises(InputError) as error:
        run(country, *lines)
    text = str(error.value)
    assert "2 crop(s) and node(s)" in text and "rice 2010: 'N' has no figure" in text
    assert "wheat 2010" in text and "maize" not in text and "unknown_top: known_part" in text
    targets, members, _, _ = run(country, *lines, unknown_top="known_part")
    assert set(members[members["crop"] == "rice"]["leaf_id"]) == {"N11", "N12"}
    assert len(targets) == 3


def test_the_same_bytes_for_the_same_input(country):
    first = [path.read_bytes() for path in run(country, *LINES)[3]]
    second = [path.read_bytes() for path in run(country, *LINES)[3]]
    assert first == second
