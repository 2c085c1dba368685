"""Agreement of annotators, against pixels counted by brute force and kappa by its definition."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from croplayer.active.agreement import agreement_of_polygons, agreement_of_table

# At the equator a square of degrees is nearly a square of metres, so pixels weigh alike.
SIDE, N = 0.01, 100


def kappa(matrix: np.ndarray) -> float:
    """Cohen's kappa of a confusion matrix, by its definition."""
    p = matrix / matrix.sum()
    expected = (p.sum(0) * p.sum(1)).sum()
    return (np.trace(p) - expected) / (1 - expected)


def square(x0, y0, x1, y1):
    return shapely.box(*(SIDE / N * np.array([x0, y0, x1, y1])))


def layers(drawn: dict[str, list], extent=(0, 0, N, N)):
    """Polygons [(class, x0, y0, x1, y1), ...] of each annotator on one ground."""
    rows = [(who, row[0], square(*row[1:])) for who, part in drawn.items() for row in part]
    polygons = gpd.GeoDataFrame(
        {"annotator": [r[0] for r in rows], "class": [r[1] for r in rows]},
        geometry=[r[2] for r in rows],
        crs=4326,
    )
    extents = gpd.GeoDataFrame(
        {"extent_id": list(drawn), "annotator": list(drawn)},
        geometry=[square(*extent)] * len(drawn),
        crs=4326,
    )
    return polygons, extents


def by_pixels(part: list) -> np.ndarray:
    """(N, N) index of the class of each pixel, 0 none; later classes of the alphabet lose."""
    names, image = sorted({row[0] for row in part}, reverse=True), np.zeros((N, N), int)
    for name in names:
        for other, x0, y0, x1, y1 in part:
            if other == name:
                image[y0:y1, x0:x1] = {"fallow": 1, "paddy": 2, "terraces": 3}[name]
    return image


boxes = st.lists(
    st.tuples(
        st.sampled_from(["fallow", "paddy", "terraces"]),
        *(st.integers(0, N // 2) for _ in range(2)),
        *(st.integers(N // 2 + 1, N) for _ in range(2)),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=30, deadline=None)
@given(boxes, boxes)
def test_iou_and_kappa_are_those_of_pixels(one, other):
    table = agreement_of_polygons(*layers({"x": one, "y": other}))
    assert table["where"].tolist() == ["x and y", "all"]
    row = table.iloc[0]
    a, b = by_pixels(one), by_pixels(other)
    assert row["iou"] == pytest.approx(
        ((a > 0) & (b > 0)).sum() / ((a > 0) | (b > 0)).sum(), abs=1e-4
    )
    assert row["agreement"] == pytest.approx((a == b).mean(), abs=1e-4)
    matrix = np.array([[((a == i) & (b == j)).sum() for j in range(4)] for i in range(4)])
    if len({*a.ravel(), *b.ravel()}) > 1:
        assert row["kappa"] == pytest.approx(kappa(matrix), abs=1e-3)
    else:
        assert np.isnan(row["kappa"])


def test_only_the_shared_ground_counts():
    polygons, extents = layers({"x": [("paddy", 0, 0, 100, 100)], "y": [("paddy", 0, 0, 50, 100)]})
    extents = extents.set_geometry([square(0, 0, 100, 100), square(0, 0, 60, 100)], crs=4326)
    row = agreement_of_polygons(polygons, extents).iloc[0]
    assert row["iou"] == pytest.approx(50 / 60, abs=1e-4)
    assert row["shared_ha"] == pytest.approx(1113.2 * 1105.7 / 1e4 * 0.6, rel=1e-3)


def test_extents_of_one_annotator_or_of_nobody_are_no_second_opinion():
    polygons, extents = layers({"x": [("paddy", 0, 0, 9, 9)], "y": [("paddy", 0, 0, 9, 9)]})
    for people in (["x", "x"], ["", ""], ["x", ""]):
        extents["annotator"] = people
        assert agreement_of_polygons(polygons, extents).empty


def test_nothing_drawn_by_either_has_no_iou():
    polygons, extents = layers({"x": [("paddy", 0, 0, 9, 9)], "y": [("paddy", 0, 0, 9, 9)]})
    row = agreement_of_polygons(polygons.iloc[:0], extents).iloc[0]
    assert np.isnan(row["iou"]) and np.isnan(row["kappa"])
    assert row["agreement"] == 1


def rows(marks: dict[str, str]) -> pd.DataFrame:
    """One row a block of each annotator, from texts of letters: T TP, F FP, N Noise, . none."""
    classes = {"T": "TP", "F": "FP", "N": "Noise"}
    return pd.DataFrame(
        [
            (f"b{i}", "a", classes[letter], who, pd.NaT, "line 1")
            for who, text in marks.items()
            for i, letter in enumerate(text)
            if letter != "."
        ],
        columns=["block_id", "source", "semantic_class", "annotator", "labelled_at", "_feature"],
    )


def test_kappa_of_a_table_is_that_of_its_definition():
    table = agreement_of_table(
        rows({"x": "TTTTFFNN.", "y": "TTFTFFNTT", "z": "........T"}), "semantic"
    )
    assert table[["first", "second", "blocks"]].to_numpy().tolist() == [
        ["x", "y", 8],
        ["y", "z", 1],
    ]
    matrix = np.array([[3, 1, 0], [0, 2, 0], [1, 0, 1]])
    assert table["kappa"][0] == pytest.approx(kappa(matrix))
    assert table["agreement"][0] == 6 / 8
    assert np.isnan(table["kappa"][1])
