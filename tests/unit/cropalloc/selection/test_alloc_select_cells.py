"""Demand against land: minimal promotion, foreseen slack."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from cropalloc.grid import CellGrid
from cropalloc.selection import select_cells
from cropalloc.selection.demand import demand_inside, leaf_sets
from cropalloc.settings.selection import SelectionSettings
from cropbase.errors import InputError
from cropbase.tables import write_table

UNITS = pd.DataFrame(
    [("N", "Nation", 0, None), ("P", "Pi", 1, "N"), ("Q", "Qu", 1, "N")]
    + [(leaf, f"leaf {leaf}", 2, leaf[0].upper()) for leaf in ("p1", "p2", "p3", "q1")],
    columns=["unit_id", "name", "level", "parent_id"],
)
LEAVES = ["p1", "p2", "p3", "q1"]


def targets(rows):
    """Areas and members from rows (target_id, crop, {system: hectares}, leaves)."""
    areas = [
        (target, crop, 2010, system, hectares)
        for target, crop, systems, _ in rows
        for system, hectares in systems.items()
    ]
    members = [(crop, 2010, target, leaf) for target, crop, _, leaves in rows for leaf in leaves]
    return (
        pd.DataFrame(areas, columns=["target_id", "crop", "year", "system", "physical_ha"]),
        pd.DataFrame(members, columns=["crop", "year", "target_id", "leaf_id"]),
    )


def land(rows):
    """Cells and synergy from rows (leaf, mean, max, rank[, irrigated mean, max, rank])."""
    grid = CellGrid.from_bounds((0.0, 0.0, 1.0, 0.1), 36)
    n = len(rows)
    cells = grid.table(np.zeros(n, int), np.arange(n), np.array([row[0] for row in rows]))
    full = [(*row, 0.0, 0.0, None)[:7] if len(row) == 4 else row for row in rows]
    columns = [
        "leaf",
        *(f"{k}_{p}" for k in ("cropland", "irrigated") for p in ("mean_ha", "max_ha", "rank")),
    ]
    synergy = pd.DataFrame(full, columns=columns).drop(columns="leaf")
    for kind in ("cropland", "irrigated"):
        synergy[f"{kind}_rank"] = synergy[f"{kind}_rank"].astype("Int16")
    return cells, synergy.assign(cell_id=cells["cell_id"])


def select(tmp_path, target_rows, land_rows, units=UNITS, year=2010, known_for="target", **more):
    cells, synergy = land(land_rows)
    areas, members = targets(target_rows)
    tables = {
        "cells": cells,
        "synergy": synergy,
        "areas": areas,
        "members": members,
        "units": units,
    }
    for name, table in tables.items():
        write_table(table, tmp_path / f"{name}.parquet")
    select_cells(
        **{name: tmp_path / f"{name}.parquet" for name in tables},
        selection=SelectionSettings(**more),
        known_for=known_for,
        year=year,
        selected_path=tmp_path / "selected.parquet",
        consistency_path=tmp_path / "consistency.csv",
    )
    return pd.read_parquet(tmp_path / "selected.parquet"), pd.read_csv(tmp_path / "consistency.csv")


def row_of(table, unit_id, kind="cropland"):
    return table[(table["unit_id"] == unit_id) & (table["land"] == kind)].iloc[0]


FOUR = [("p1", 10, 20, 1), ("p2", 10, 20, 1), ("p3", 10, 20, 1), ("q1", 10, 20, 1)]


def test_land_stays_at_the_mean_where_it_is_enough(tmp_path):
    selected, told = select(tmp_path, [("p1", "wheat", {"H": 10.0}, ["p1"])], FOUR)
    assert selected["cropland_ha"].tolist() == [10] * 4
    assert set(selected["promoted"]) == {"none"}
    assert (told["foreseen_slack_ha"] == 0).all()


def test_the_best_rank_is_promoted_first_and_ranks_stay_whole(tmp_path):
    cells = [("p1", 10, 13, 2), ("p1", 10, 12, 1), ("p1", 10, 14, 2), ("p1", 10, 19, 3), *FOUR[1:]]
    selected, told = select(tmp_path, [("p1", "wheat", {"H": 43.0}, ["p1"])], cells)
    # 3 ha lack: rank 1 gives 2, so rank 2 follows, both of its cells; rank 3 is not needed.
    assert selected["cropland_ha"].tolist()[:4] == [13, 12, 14, 10]
    row = row_of(told, "p1")
    assert row["promoted_cells"] == 3 and row["promoted_ha"] == pytest.approx(9)
    assert row["after_ha"] == pytest.approx(49) and "3 cells were promoted" in row["sentence"]


def test_no_more_ranks_than_needed_even_when_it_fits_exactly(tmp_path):
    cells = [("p1", 10, 12, 1), ("p1", 10, 15, 2), *FOUR[1:]]
    selected, _ = select(tmp_path, [("p1", "wheat", {"H": 22.0}, ["p1"])], cells)
    assert selected["cropland_ha"].tolist()[:2] == [12, 10]


def test_what_no_promotion_gives_is_foreseen_slack(tmp_path):
    selected, told = select(tmp_path, [("p1", "wheat", {"H": 26.0}, ["p1"])], FOUR)
    row = row_of(told, "p1")
    assert selected["cropland_ha"].iloc[0] == 20
    assert row["foreseen_slack_ha"] == pytest.approx(6)
    assert "6.0 ha of the 26.0 ha asked for find no cropland" in row["sentence"]


def test_slack_of_a_part_is_no_demand_of_the_whole(tmp_path):
    rows = [("p1", "wheat", {"H": 100.0}, ["p1"]), ("P~rest", "wheat", {"H": 15.0}, ["p2", "p3"])]
    selected, told = select(tmp_path, rows, FOUR)
    assert row_of(told, "P")["demand_ha"] == pytest.approx(115)
    assert row_of(told, "P")["placeable_ha"] == pytest.approx(35)
    assert told["foreseen_slack_ha"].sum() == pytest.approx(80)
    assert selected["cropland_ha"].tolist() == [20, 10, 10, 10]  # p2 and p3 need nothing


def test_a_residual_is_compared_where_it_lies(tmp_path):
    rows = [("P~rest", "maize", {"H": 35.0}, ["p1", "p2"]), ("P~rest", "wheat", {"H": 1.0}, ["p2"])]
    selected, told = select(tmp_path, rows, FOUR)
    row = told[(told["kind"] == "targets") & (told["land"] == "cropland")].iloc[0]
    assert (row["unit_id"], row["crops"], row["leaves"]) == ("P~rest", "maize", 2)
    assert row["demand_ha"] == pytest.approx(36)  # wheat's rest in p2 lies inside
    assert selected["cropland_ha"].tolist() == [20, 20, 10, 10]


def test_a_unit_with_targets_but_no_cell_is_all_slack(tmp_path):
    rows = [("q1", "wheat", {"H": 7.0}, ["q1"]), ("p1", "wheat", {"H": 1.0}, ["p1"])]
    _, told = select(tmp_path, rows, FOUR[:3])
    quiet = told[(told["foreseen_slack_ha"] > 0) & (told["land"] == "cropland")]
    assert quiet[["unit_id", "foreseen_slack_ha"]].to_numpy().tolist() == [["Q", 7.0]]


def test_irrigated_demand_promotes_irrigated_land_and_the_cropland_around_it(tmp_path):
    cells = [
        ("p1", 10, 20, 1, 4, 12, 1),
        ("p1", 10, 20, 2, 4, 6, 2),
        *[(*f, 0, 0, None) for f in FOUR[1:]],
    ]
    selected, told = select(tmp_path, [("p1", "rice", {"I": 11.0}, ["p1"])], cells)
    assert selected["irrigated_ha"].tolist()[:2] == [12, 4]
    assert selected["cropland_ha"].tolist()[:2] == [20, 10]
    assert selected["promoted"].tolist()[:2] == ["both", "none"]
    assert row_of(told, "p1", "irrigated")["foreseen_slack_ha"] == 0
    assert (selected["irrigated_ha"] <= selected["cropland_ha"]).all()


def test_irrigated_land_is_compared_for_the_whole_area_alone_if_so_set(tmp_path):
    cells = [(*FOUR[0], 1, 2, 1), (*FOUR[1], 1, 2, 2), (*FOUR[2], 1, 2, 3), (*FOUR[3], 1, 2, 4)]
    rows = [("p1", "rice", {"I": 5.0}, ["p1"])]
    selected, told = select(tmp_path, rows, cells, known_for="whole_area")
    assert told[told["land"] == "irrigated"]["unit_id"].tolist() == ["N"]
    assert told["foreseen_slack_ha"].sum() == 0
    assert selected["irrigated_ha"].tolist() == [2, 1, 1, 1]
    _, strict = select(tmp_path, rows, cells)
    assert row_of(strict, "p1", "irrigated")["foreseen_slack_ha"] == pytest.approx(3)


def test_nothing_is_promoted_if_so_set(tmp_path):
    selected, told = select(tmp_path, [("p1", "wheat", {"H": 15.0}, ["p1"])], FOUR, promote=False)
    assert set(selected["promoted"]) == {"none"}
    row = row_of(told, "p1")
    assert row["foreseen_slack_ha"] == pytest.approx(5) and "not promoted" in row["sentence"]


def test_a_margin_wants_more_land_but_makes_no_slack(tmp_path):
    selected, told = select(
        tmp_path, [("p1", "wheat", {"H": 10.0}, ["p1"])], FOUR, margin_share=0.1
    )
    assert selected["cropland_ha"].iloc[0] == 20
    assert told["foreseen_slack_ha"].sum() == 0


def test_cells_that_nobody_looked_at_offer_nothing(tmp_path):
    cells = [("p1", np.nan, np.nan, None), *FOUR[1:]]
    selected, told = select(tmp_path, [("p1", "wheat", {"H": 3.0}, ["p1"])], cells)
    assert "p1" not in set(selected["leaf_id"])
    assert row_of(told, "p1")["foreseen_slack_ha"] == pytest.approx(3)


def test_a_unit_with_one_child_is_compared_once(tmp_path):
    _, told = select(tmp_path, [("q1", "wheat", {"H": 1.0}, ["q1"])], FOUR)
    assert set(told[told["land"] == "cropland"]["unit_id"]) == {"N", "P", "Q", "p1", "p2", "p3"}


def transport_slack(demands, covers, capacity):
    """The least demand that must stay unplaced: HiGHS on the transport problem."""
    pairs = [(t, leaf) for t, leaves in enumerate(covers) for leaf in leaves]
    rows, limits = [], []
    for t, demand in enumerate(demands):
        rows.append([1.0 if pair[0] == t else 0.0 for pair in pairs])
        limits.append(demand)
    for leaf in LEAVES:
        rows.append([1.0 if pair[1] == leaf else 0.0 for pair in pairs])
        limits.append(capacity[leaf])
    result = linprog([-1.0] * len(pairs), A_ub=rows, b_ub=limits, method="highs")
    return sum(demands) + result.fun


NESTED = [["p1"], ["p2"], ["p3"], ["q1"], ["p1", "p2", "p3"], LEAVES]
CROSSED = [["p1", "p2"], ["p2", "p3"], ["p3", "q1"]]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(NESTED + CROSSED), st.integers(1, 60)), min_size=1, max_size=7
    ),
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=4, max_size=4),
)
def test_foreseen_slack_against_highs(tmp_path_factory, wishes, grown):
    rows = [
        (f"P~{i}", f"crop{i}", {"H": float(hectares)}, leaves)
        for i, (leaves, hectares) in enumerate(wishes)
    ]
    cells = [(leaf, m + 1, m + 1 + g, 1) for leaf, (m, g) in zip(LEAVES, grown, strict=True)]
    selected, told = select(tmp_path_factory.mktemp("lp"), rows, cells)
    capacity = selected.set_index("leaf_id")["cropland_ha"].to_dict()
    covers = [leaves for leaves, _ in wishes]
    slack = transport_slack([float(h) for _, h in wishes], covers, capacity)
    foreseen = told[told["land"] == "cropland"]["foreseen_slack_ha"].sum()
    if all(leaves in NESTED for leaves in covers):
        assert foreseen == pytest.approx(slack, abs=1e-6)
        # Promotion was worth it: no more can be placed with every cell at its maximum.
        most = {leaf: m + 1 + g for leaf, (m, g) in zip(LEAVES, grown, strict=True)}
        assert transport_slack([float(h) for _, h in wishes], covers, most) == pytest.approx(slack)
    else:
        assert foreseen <= slack + 1e-6  # never claims slack that a solver would not meet


def test_demand_inside_against_sets_by_hand():
    areas, members = targets(
        [
            ("p1", "wheat", {"I": 1.0, "H": 2.0}, ["p1"]),
            ("P~rest", "wheat", {"I": 4.0}, ["p2", "p3"]),
            ("Q", "wheat", {"L": 8.0}, ["q1"]),
            ("N~rest", "maize", {"H": 16.0}, ["p3", "q1"]),
        ]
    )
    sets = leaf_sets(UNITS, members)
    demand = dict(
        zip(sets.set_id, demand_inside(sets, areas, members, ("I", "H", "L")), strict=True)
    )
    assert demand["p1"] == 3 and demand["P"] == 7 and demand["Q"] == 8 and demand["N"] == 31
    assert demand["P~rest"] == 4 and demand["N~rest"] == 24
    water = dict(zip(sets.set_id, demand_inside(sets, areas, members, ("I",)), strict=True))
    assert water["P"] == 5 and water["N"] == 5 and water["Q"] == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"year": 2015}, r"no targets of 2015(.|\n)*years 2010"),
        (
            {"target_rows": [("p1", "wheat", {"H": -1.0}, ["p1"])]},
            "physical area is no area(.|\n)*-1",
        ),
        ({"target_rows": [("p1", "wheat", {"H": np.nan}, ["p1"])]}, "physical area is no area"),
        ({"target_rows": [("x", "wheat", {"H": 1.0}, ["x"])]}, "leaf x, which is no unit"),
        ({"land_rows": [("p1", 0, 0, None)]}, "no cell has cropland"),
        ({"land_rows": [("p1", 5, 4, 1)]}, "mean cropland exceeds its maximum"),
        ({"land_rows": [("P", 5, 6, 1)]}, "belong to P, which is no lowest unit"),
        ({"units": UNITS[UNITS["unit_id"] != "P"]}, "the parent of unit p1 is no unit"),
    ],
)
def test_tables_that_do_not_fit_are_refused(tmp_path, change, message):
    given_ = {"target_rows": [("p1", "wheat", {"H": 1.0}, ["p1"])], "land_rows": FOUR} | change
    with pytest.raises(InputError, match=message):
        select(tmp_path, given_.pop("target_rows"), given_.pop("land_rows"), **given_)
