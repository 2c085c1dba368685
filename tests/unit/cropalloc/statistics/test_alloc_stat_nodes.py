"""Five-year means and interpolation inside a series, against pandas and numpy by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cropalloc.statistics import average_statistics
from cropalloc.statistics.nodes import node_values
from cropbase.errors import InputError


def figures(values, unit="N", crop="wheat", source="s"):
    return pd.DataFrame(
        [(unit, crop, "harvested_area", year, float(v), source) for year, v in values.items()],
        columns=["unit_id", "crop", "variable", "year", "value", "source"],
    )


def nodes_of(values, nodes, half=2, extend=False):
    table = node_values(figures(values), nodes=nodes, half_width_years=half, extend=extend)
    return {row.year: (row.value, row.flag) for row in table.itertuples()}


def test_a_node_is_the_mean_of_the_years_around_it():
    values = {1987: 99, 1988: 1, 1989: 2, 1990: 3, 1992: 6, 1993: 99}
    assert nodes_of(values, [1990]) == {1990: (3.0, "mean_of_4")}


def test_a_gap_is_interpolated_between_the_neighbouring_nodes():
    found = nodes_of({1990: 10, 2005: 40}, [1990, 1995, 2000, 2005])
    assert found[1995] == (20.0, "interpolated") and found[2000] == (30.0, "interpolated")


def test_nothing_is_carried_beyond_the_ends_unless_asked():
    values = {2000: 10, 2005: 20}
    nodes = [1990, 1995, 2000, 2005, 2010]
    assert set(nodes_of(values, nodes)) == {2000, 2005}
    extended = nodes_of(values, nodes, extend=True)
    assert extended[1990] == (10.0, "extended") and extended[2010] == (20.0, "extended")


def test_series_of_units_do_not_mix():
    table = pd.concat([figures({1990: 1, 2000: 3}, "A"), figures({1995: 8}, "B", source="t")])
    found = node_values(table, nodes=[1990, 1995, 2000], half_width_years=2, extend=False)
    by_unit = {(r.unit_id, r.year): (r.value, r.flag, r.source) for r in found.itertuples()}
    assert by_unit == {
        ("A", 1990): (1.0, "mean_of_1", "s"),
        ("A", 1995): (2.0, "interpolated", "s"),
        ("A", 2000): (3.0, "mean_of_1", "s"),
        ("B", 1995): (8.0, "mean_of_1", "t"),
    }


@given(
    st.dictionaries(st.integers(1985, 2025), st.floats(0, 1e7), min_size=1),
    st.lists(st.integers(1988, 2022), min_size=1, max_size=7, unique=True).map(sorted),
    st.integers(0, 4),
)
def test_law_nodes_equal_a_window_mean_or_numpy_interp(values, nodes, half):
    found = nodes_of(values, nodes, half)
    series = pd.Series(values)
    means = {}
    for node in nodes:
        window = series[(series.index >= node - half) & (series.index <= node + half)]
        if len(window):
            means[node] = window.mean()
    inside = [n for n in nodes if means and min(means) <= n <= max(means)]
    assert sorted(found) == inside
    for node in inside:
        expected = np.interp(node, sorted(means), [means[n] for n in sorted(means)])
        assert found[node][0] == pytest.approx(expected, rel=1e-12, abs=1e-9)
        assert found[node][1].startswith("mean_of_" if node in means else "interpolated")


def test_the_rule_writes_the_columns_of_the_figures(country):
    lines = [f"N,wheat,{year},{year - 2000}" for year in (2008, 2010, 2012)]
    result = country.read([country.long("s", *lines)])
    target = country.folder / "nodes.parquet"
    average_statistics(
        reported=result.paths["reported.parquet"], units=result.paths["units.parquet"],
        statistics=country.settings([country.long("s", *lines)]), nodes_path=target,
    )  # fmt: skip
    table = pd.read_parquet(target)
    assert list(table.columns) == list(result.reported.columns)
    assert table[["unit_name", "year", "value", "flag"]].values.tolist() == [
        ["Nation", 2010, 10.0, "mean_of_3"]
    ]


def test_no_figure_near_any_node(country):
    source = country.long("s", "N,wheat,2000,1")
    result = country.read([source])
    with pytest.raises(
        InputError, match=r"within 2 years of a node\s+given: figures of 2000 to 2000, nodes 2010"
    ):
        average_statistics(
            reported=result.paths["reported.parquet"], units=result.paths["units.parquet"],
            statistics=country.settings([source]), nodes_path=country.folder / "n.parquet",
        )  # fmt: skip
