"""Harmonisation: every rule by hand, and the laws on random hierarchies with random gaps."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cropalloc.statistics.harmonise import Options, UnknownTopError, harmonise
from cropalloc.statistics.tree import UnitTree
from cropbase.errors import InputError


def tree_of(parents, leaves=None):
    """Tree from {unit: parent or None}; levels follow."""

    def level(key):
        return 0 if parents[key] is None else 1 + level(parents[key])

    rows = [(key, key, level(key), parent) for key, parent in parents.items()]
    return UnitTree(pd.DataFrame(rows, columns=["unit_id", "name", "level", "parent_id"]), leaves)


COUNTRY = {"N": None, "A": "N", "B": "N", "a1": "A", "a2": "A", "a3": "A", "b1": "B", "b2": "B"}


def run(figures, leaves=None, parents=COUNTRY, **options):
    result = harmonise(tree_of(parents, leaves), figures, {}, Options(**options))
    return {t.target_id: (t.harvested_ha, set(t.leaves)) for t in result.targets}, result


def areas(targets):
    return {key: pytest.approx(value, rel=1e-12) for key, (value, _) in targets.items()}


def test_all_reported_are_scaled_to_their_parents():
    figures = {"N": 110, "A": 60, "B": 40, "a1": 10, "a2": 20, "a3": 30, "b1": 10, "b2": 10}
    targets, result = run(figures)
    assert areas(targets) == {"a1": 11, "a2": 22, "a3": 33, "b1": 22, "b2": 22}
    factors = {c.unit_id: c.factor for c in result.changes}
    assert factors["A"] == pytest.approx(1.1) and factors["b1"] == pytest.approx(2.2)
    assert all("Eq. 1-2" in change.reason for change in result.changes)


def test_known_children_keep_their_figures_and_the_rest_gets_the_residual():
    targets, result = run({"N": 100, "A": 60, "B": 40, "a1": 10, "a2": 20})
    assert areas(targets) == {"a1": 10, "a2": 20, "A~rest": 30, "B": 40}
    assert targets["A~rest"][1] == {"a3"} and targets["B"][1] == {"b1", "b2"}
    assert [(c.unit_id, c.before_ha, c.after_ha) for c in result.changes] == [
        ("A~rest", None, 30.0)
    ]


def test_plain_eq2_scales_them_up_instead():
    targets, _ = run({"N": 100, "A": 60, "B": 40, "a1": 10, "a2": 20}, plain_eq2=True)
    assert areas(targets) == {"a1": 20, "a2": 40, "A~rest": 0, "B": 40}


def test_known_children_above_their_parent_are_scaled_down():
    targets, result = run({"N": 100, "A": 60, "B": 40, "a1": 40, "a2": 80})
    assert areas(targets) == {"a1": 20, "a2": 40, "A~rest": 0, "B": 40}
    assert any("exceed the parent" in c.reason for c in result.changes)


@pytest.mark.parametrize("error", [5e-8, -5e-8])
def test_rounding_of_a_residual_is_set_to_zero_and_told(error):
    targets, result = run({"N": 100, "A": 60, "B": 40, "a1": 20, "a2": 40 - error})
    assert targets["A~rest"][0] == 0.0
    assert sum(v for v, _ in targets.values()) == pytest.approx(100, rel=1e-14)
    assert any("is rounding and set to zero" in c.reason for c in result.changes)


def test_a_wider_tolerance_takes_more_for_rounding():
    figures = {"N": 100, "A": 60, "B": 40, "a1": 20, "a2": 39.99}
    assert run(figures)[0]["A~rest"][0] == pytest.approx(0.01)
    assert run(figures, rounding_tolerance=1e-3)[0]["A~rest"][0] == 0.0


def test_a_crop_known_for_the_nation_only_is_one_target():
    targets, _ = run({"N": 850})
    assert targets == {"N": (850, {"a1", "a2", "a3", "b1", "b2"})}


def test_a_child_without_a_figure_is_represented_by_those_below_it():
    targets, _ = run({"N": 100, "B": 40, "a1": 10})
    assert areas(targets) == {"a1": 10, "B": 40, "N~rest": 50}
    assert targets["N~rest"][1] == {"a2", "a3"}


def test_zero_targets_still_partition_the_leaves():
    targets, _ = run({"N": 40, "A": 0, "B": 40, "b1": 40})
    assert areas(targets) == {"A": 0, "b1": 40, "B~rest": 0}
    assert targets["A"][1] == {"a1", "a2", "a3"} and targets["B~rest"][1] == {"b2"}


def test_zeros_under_a_positive_parent_are_set_aside():
    targets, result = run({"N": 100, "A": 60, "B": 40, "b1": 0, "b2": 0})
    assert areas(targets) == {"A": 60, "B~rest": 40} and targets["B~rest"][1] == {"b1", "b2"}
    assert {c.unit_id for c in result.changes if "set aside" in c.reason} == {"b1", "b2"}


def test_figures_under_a_zero_parent_become_zero():
    targets, _ = run({"N": 60, "A": 60, "B": 0, "b1": 3, "b2": 5})
    assert areas(targets) == {"A": 60, "b1": 0, "b2": 0}


def test_missing_as_zero_where_a_sibling_reported():
    figures = {"N": 100, "A": 100, "a1": 10}
    targets, result = run(figures, missing="zero")
    assert areas(targets) == {"B": 0, "a1": 100, "a2": 0, "a3": 0}
    assert {c.unit_id for c in result.changes if c.before_ha is None} == {"B", "a2", "a3"}


def test_missing_as_zero_spares_units_below_which_something_is_known():
    targets, _ = run({"N": 100, "A": 70, "b1": 30}, missing="zero")
    assert areas(targets) == {"A": 70, "b1": 30, "b2": 0}


def test_missing_as_zero_leaves_a_level_alone_that_nobody_reported():
    assert set(run({"N": 850}, missing="zero")[0]) == {"N"}


def test_bottom_up_takes_the_sum_where_all_children_reported():
    figures = {"N": 999, "A": 1, "B": 40, "a1": 10, "a2": 20, "a3": 30, "b1": 30}
    targets, result = run(figures, direction="bottom_up")
    assert areas(targets) == {"a1": 10, "a2": 20, "a3": 30, "b1": 30, "B~rest": 10}
    changed = {c.unit_id: (c.before_ha, c.after_ha) for c in result.changes if c.before_ha}
    assert changed == {"A": (1, 60), "N": (999, 100)}
    assert result.total_ha == 100


def test_a_unit_without_cells_gives_its_area_to_its_siblings():
    figures = {"N": 60, "A": 60, "B": 0, "a1": 10, "a2": 20, "a3": 30}
    targets, result = run(figures, leaves=["a1", "a2", "b1", "b2"])
    assert areas(targets) == {"a1": 20, "a2": 40, "B": 0}
    told = next(c for c in result.changes if c.unit_id == "a3")
    assert (told.before_ha, told.after_ha) == (30, 0) and "has no cells" in told.reason


def test_a_unit_without_cells_gives_its_area_to_the_residual():
    figures = {"N": 100, "A": 60, "B": 40, "a1": 10, "a3": 30}
    targets, _ = run(figures, leaves=["a1", "a2", "b1", "b2"])
    assert areas(targets) == {"a1": 10, "A~rest": 50, "B": 40} and targets["A~rest"][1] == {"a2"}


def test_rounding_beside_a_unit_without_cells_is_still_only_rounding():
    figures = {"N": 100, "A": 60, "B": 40, "a1": 40, "a3": 19.994}
    targets, _ = run(figures, leaves=["a1", "a2", "b1", "b2"], rounding_tolerance=1e-3)
    assert areas(targets) == {"a1": 60 * 40 / 59.994, "A~rest": 60 * 19.994 / 59.994, "B": 40}


def test_parts_with_and_without_cells_above_their_parent_shrink_alike():
    figures = {"N": 100, "A": 60, "B": 40, "a1": 60, "a3": 60}
    targets, _ = run(figures, leaves=["a1", "a2", "b1", "b2"])
    assert areas(targets) == {"a1": 30, "A~rest": 30, "B": 40}


def test_a_province_without_cells_is_told_once():
    figures = {"N": 100, "A": 60, "B": 40, "b1": 30, "b2": 10}
    targets, result = run(figures, leaves=["a1", "a2", "a3"])
    assert areas(targets) == {"A": 100}
    assert [c.unit_id for c in result.changes if "no cells" in c.reason] == ["B"]


def test_a_top_without_a_figure_is_refused_or_its_known_part_is_placed():
    figures = {"A": 60, "a1": 10, "b1": 5}
    with pytest.raises(UnknownTopError, match="'N' has no figure, and 1 of its 5 lowest units"):
        run(figures)
    targets, result = run(figures, unknown_top="known_part")
    assert areas(targets) == {"a1": 10, "A~rest": 50, "b1": 5}
    assert result.unplaced_leaves == ("b2",) and result.total_ha == 65
    assert any("get none of this crop" in c.reason for c in result.changes)


def test_a_top_without_a_figure_whose_parts_are_all_known_is_their_sum():
    targets, result = run({"A": 60, "B": 40})
    assert areas(targets) == {"A": 60, "B": 40} and result.total_ha == 100


def test_very_small_figures_do_not_overflow():
    targets, _ = run({"N": 1e8, "A": 1e-310, "B": 1e-310})
    assert areas(targets) == {"A": 5e7, "B": 5e7}


def test_flags_travel_to_the_targets():
    tree = tree_of(COUNTRY)
    flags = {"A": "mean_of_5", "B": "interpolated"}
    result = harmonise(tree, {"N": 120, "A": 60, "B": 40}, flags, Options())
    assert {t.target_id: t.flag for t in result.targets} == {
        "A": "mean_of_5+scaled", "B": "interpolated+scaled",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("leaves", "message"),
    [
        (["a1", "zz"], r"1 unit\(s\) of the grid are not among[\s\S]*given: zz"),
        (["A"], "have units below them: A"),
        ([], "no unit has cells"),
    ],
)
def test_leaves_that_are_no_lowest_units(leaves, message):
    with pytest.raises(InputError, match=message):
        tree_of(COUNTRY, leaves)


# --- laws --------------------------------------------------------------------------------------


@st.composite
def cases(draw):
    """A random hierarchy of 2 to 4 levels, figures with gaps, and the leaves that have cells."""
    parents, level = {"r": None}, ["r"]
    for _ in range(draw(st.integers(1, 3))):
        below = []
        for key in level:
            for number in range(draw(st.integers(0, 4))):
                parents[f"{key}.{number}"] = key
                below.append(f"{key}.{number}")
        level = below
    figure = st.one_of(
        st.none(), st.just(0.0), st.floats(1e-3, 1e7), st.integers(1, 1000).map(float)
    )
    figures = {key: draw(figure) for key in parents}
    figures["r"] = draw(st.floats(1e-3, 1e8))
    childless = sorted(set(parents) - set(parents.values()))
    with_cells = draw(st.lists(st.sampled_from(childless), min_size=1, unique=True))
    return parents, {k: v for k, v in figures.items() if v is not None}, sorted(with_cells)


options = st.builds(
    Options,
    missing=st.sampled_from(["unknown", "zero"]),
    direction=st.sampled_from(["top_down", "bottom_up"]),
    plain_eq2=st.booleans(),
    unknown_top=st.sampled_from(["refuse", "known_part"]),
    rounding_tolerance=st.sampled_from([0.0, 1e-9, 1e-3]),
)


@settings(max_examples=300, deadline=None)
@given(cases(), options)
def test_law_targets_sum_to_the_nation_and_partition_the_leaves(case, option):
    parents, figures, leaves = case
    result = harmonise(tree_of(parents, leaves), figures, {}, option)
    total = sum(target.harvested_ha for target in result.targets)
    assert total == pytest.approx(result.total_ha, rel=1e-9)
    if option.direction == "top_down":
        assert result.total_ha == figures["r"]
    assert all(target.harvested_ha >= 0 for target in result.targets)
    members = sorted(leaf for target in result.targets for leaf in target.leaves)
    assert members == leaves and all(target.leaves for target in result.targets)


@settings(max_examples=200, deadline=None)
@given(cases())
def test_law_within_a_fully_known_tree_leaf_shares_are_products_of_shares(case):
    """With every figure positive, a leaf gets the nation times its share at every level."""
    parents, figures, _ = case
    figures = {key: (figures.get(key) or 1.0) for key in parents}
    children = {}
    for key, parent in parents.items():
        children.setdefault(parent, []).append(key)
    expected = {"r": figures["r"]}
    for key in sorted(parents, key=lambda k: k.count(".")):
        siblings = children.get(key, [])
        for child in siblings:
            expected[child] = expected[key] * figures[child] / sum(figures[s] for s in siblings)
    result = harmonise(tree_of(parents), figures, {}, Options())
    leaves = set(parents) - set(parents.values())
    assert {t.target_id for t in result.targets} == leaves
    for target in result.targets:
        assert target.harvested_ha == pytest.approx(expected[target.target_id], rel=1e-9)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.floats(0.1, 1e6)), min_size=1, max_size=8), st.floats(0.1, 1e6)
)
def test_law_two_levels_against_the_formula(values, nation):
    parents = {"r": None, **{f"c{i}": "r" for i in range(len(values))}}
    known = {f"c{i}": v for i, v in enumerate(values) if v is not None}
    found = {
        t.target_id: t.harvested_ha
        for t in harmonise(
            tree_of(parents), {"r": nation, **known}, {}, Options(rounding_tolerance=0)
        ).targets
    }
    series = pd.Series(known, dtype=float)
    if series.empty:
        expected = pd.Series({"r": nation})
    elif len(series) == len(values):
        expected = series * nation / series.sum()
    else:
        expected = series * min(1.0, nation / series.sum())
        expected["r~rest"] = max(0.0, nation - series.sum())
    assert found.keys() == set(expected.index)
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, rel=1e-9, abs=1e-9 * nation)


@settings(max_examples=100, deadline=None)
@given(cases())
def test_law_harmonising_twice_changes_nothing(case):
    """Targets of real units put back as figures of a full tree are already in harmony."""
    parents, figures, _ = case
    tree = tree_of(parents)
    first = {t.target_id: t for t in harmonise(tree, figures, {}, Options()).targets}
    again = {"r": figures["r"]} | {
        t.unit_id: t.harvested_ha for t in first.values() if not t.residual
    }
    second = {t.target_id: t.harvested_ha for t in harmonise(tree, again, {}, Options()).targets}
    for key, target in first.items():
        if not target.residual:
            assert second[key] == pytest.approx(target.harvested_ha, rel=1e-6, abs=1e-6)
