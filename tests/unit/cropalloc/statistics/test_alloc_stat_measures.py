"""Units of area and items of tables."""

from __future__ import annotations

import pytest

from cropalloc.statistics.measures import HECTARES, Item, parse_item, parse_measure


def test_conversions_from_their_definitions_in_square_metres():
    assert HECTARES["mu"] * 15 == pytest.approx(1, rel=1e-15)
    assert HECTARES["10k_mu"] == pytest.approx(10_000 * HECTARES["mu"], rel=1e-15)
    assert HECTARES["km2"] == 1e6 / 1e4 and HECTARES["kha"] == 1000 * HECTARES["ha"]


@pytest.mark.parametrize(
    ("text", "measure"),
    [
        ("千公顷", "kha"), ("（千公顷）", "kha"), ("单位：千公顷", "kha"), ("万亩", "10k_mu"), ("亩", "mu"),
        ("公顷", "ha"), ("HA", "ha"), ("1000 ha", "kha"), ("万公顷", "10k_ha"), ("吨", None), ("", None),
    ],
)  # fmt: skip
def test_measures_are_read(text, measure):
    assert parse_measure(text) == measure


@pytest.mark.parametrize(
    ("text", "item"),
    [
        ("玉米播种面积（千公顷）", Item("玉米", "kha", True)),
        ("稻谷播种面积 (千公顷) ", Item("稻谷", "kha", True)),
        ("玉米产量（吨）", Item("玉米", None, False)),
        ("#稻谷", Item("稻谷", None, True)),
        ("棉 花", Item("棉花", None, True)),
        ("Maize (corn)", Item("Maize (corn)", None, True)),
        ("whea", Item("whea", None, True)),
    ],
)
def test_items_are_taken_apart(text, item):
    assert parse_item(text) == item
