"""Pictures of coverage types, label classes and definitions: chosen and counted as they say."""

from __future__ import annotations

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from croplayer.comparison.catalogue import read_catalogue
from croplayer.report.definitions import plot_definitions
from croplayer.report.examples import plot_coverage_examples, plot_label_examples
from croplayer.settings.products import GROUPS

MOSAICS = {"summer": [], "winter": []}
CATALOGUE = "config/products.yaml"


def rows_of(figure):
    """{text at the left of a row of pictures: titles of its pictures}."""
    rows, name = {}, None
    for axes in figure.axes:
        name = axes.get_ylabel() or name
        rows.setdefault(name, [])
        if axes.get_title():
            rows[name].append(axes.get_title())
    return rows


@pytest.mark.parametrize("labelled", [True, False])
def test_examples_of_coverage_are_blocks_of_that_type(province, drawn, tmp_path, labelled):
    table, files = province
    labels = None
    # Labels that differ from what the model says: the last type is labelled nowhere.
    marks = pd.DataFrame(
        {"block_id": table["block_id"], "source": "summer", "coverage_type": "cloudy"}
    )
    marks.loc[:9, "coverage_type"] = "planting"
    if labelled:
        labels = tmp_path / "labels.csv"
        marks.to_csv(labels, index=False)
    seen = drawn("examples")
    plot_coverage_examples(
        blocks=files, labels=labels, mosaics=MOSAICS, output=tmp_path / "a.png",
        table_csv=tmp_path / "a.csv", most=4,
    )  # fmt: skip
    found = pd.read_csv(tmp_path / "a.csv").set_index("coverage_type")
    predicted = list(table["coverage_type_b"])
    assert found["predicted_winter"].to_dict() == {n: predicted.count(n) for n in found.index}
    expected = [10, 0, 0, 38, 0] if labelled else [0] * 5
    assert found["labelled_summer"].tolist() == expected
    rows = rows_of(seen["figure"])
    if labelled:
        assert next(iter(rows)) == "planting\n10 labelled"
        assert list(rows)[2] == "snow or ice\n0 labelled\nno example"
    of = {
        (row.block_id, source): getattr(row, f"coverage_type_{letter}")
        for row in table.itertuples()
        for source, letter in zip(MOSAICS, "ab", strict=True)
    }
    words = {"planting": "planting", "cloudy": "cloudy", "no data": "nodata"}
    for text, titles in rows.items():
        kind = words.get(text.split("\n")[0])
        assert len(titles) <= 4
        for title in titles if kind else []:
            block_id, source = title.split("\n")
            if labelled:
                assert marks.set_index("block_id").loc[block_id, "coverage_type"] == kind
            else:
                assert of[block_id, source] == kind


@pytest.fixture
def labels(tmp_path):
    """Eight paddy polygons of growing size, one class of the user's own, an empty extent."""
    squares = [shapely.box(112 + 0.01 * k, 24, 112.001 + 0.0101 * k, 24.001) for k in range(8)]
    polygons = gpd.GeoDataFrame(
        {"polygon_id": [str(k) for k in range(9)], "class": ["paddy"] * 8 + ["lotus"],
         "source": [""] * 8 + ["winter"], "area_ha": [*map(float, range(1, 9)), 3.0]},
        geometry=[*squares, shapely.box(112.2, 24, 112.201, 24.001)], crs=4326,
    )  # fmt: skip
    extents = gpd.GeoDataFrame(
        {"extent_id": ["e", "f"], "source": "", "polygons": [9, 0], "area_ha": [900.0, 400.0]},
        geometry=[shapely.box(112, 24, 112.3, 24.1), shapely.box(112.4, 24, 112.42, 24.02)],
        crs=4326,
    )
    polygons.to_parquet(tmp_path / "polygons.parquet")
    extents.to_parquet(tmp_path / "extents.parquet")
    return tmp_path


def test_label_classes_are_counted_and_shown_in_their_middle_sizes(labels, drawn):
    seen = drawn("examples")
    plot_label_examples(
        polygons=labels / "polygons.parquet", extents=labels / "extents.parquet", mosaics=MOSAICS,
        output=labels / "a.png", table_csv=labels / "a.csv", most=3,
    )  # fmt: skip
    found = pd.read_csv(labels / "a.csv").set_index("class")
    assert list(found.index) == ["paddy", "lotus", "no cropland"]
    assert found["count"].tolist() == [8, 1, 1]
    assert found.loc["paddy", ["area_ha", "median_ha", "smallest_ha", "largest_ha"]].tolist() == [
        36, 4.5, 1, 8,
    ]  # fmt: skip
    assert found.loc["no cropland", "area_ha"] == 400
    rows = rows_of(seen["figure"])
    assert rows["paddy\n8 polygons"] == ["3 ha\nsummer", "5 ha\nwinter", "6 ha\nsummer"]
    assert rows["lotus\n1 polygons"] == ["3 ha\nwinter"], "drawn on winter's imagery"
    assert rows["no cropland\n1 extents"] == ["400 ha\nsummer"]


def test_an_example_has_no_outlines_of_the_other_source(labels, drawn):
    polygons = gpd.read_parquet(labels / "polygons.parquet")
    other = polygons.iloc[8:].assign(source="summer")
    pd.concat([polygons, other], ignore_index=True).to_parquet(labels / "polygons.parquet")
    seen = drawn("examples")
    plot_label_examples(
        polygons=labels / "polygons.parquet", extents=labels / "extents.parquet", mosaics=MOSAICS,
        output=labels / "a.png", table_csv=labels / "a.csv", most=1,
    )  # fmt: skip
    lotus = seen["figure"].axes[1]
    assert lotus.get_title() == "3 ha\nwinter"
    assert len(lotus.lines) == 2 + 2, "one outline and its rim, and the two lines of the scale bar"


def test_an_example_shows_its_polygon_whole_and_square_on_the_ground(labels, drawn):
    seen = drawn("examples")
    plot_label_examples(
        polygons=labels / "polygons.parquet", extents=labels / "extents.parquet", mosaics=MOSAICS,
        output=labels / "a.png", table_csv=labels / "a.csv", most=1,
    )  # fmt: skip
    axes = seen["figure"].axes[0]  # the fifth of eight by size: the box from 112.04 on
    (west, east), (south, north) = axes.get_xlim(), axes.get_ylim()
    shown = shapely.box(west, south, east, north)
    polygons = gpd.read_parquet(labels / "polygons.parquet")
    assert any(shown.contains(shape) for shape in polygons.geometry)
    assert (east - west) * axes.get_aspect() ** -1 == pytest.approx(north - south, rel=1e-6)


def test_definitions_are_those_of_the_catalogue(drawn, tmp_path):
    seen = drawn("definitions")
    plot_definitions(
        catalogue=CATALOGUE, compared=["clcd"], output=tmp_path / "a.png",
        table_csv=tmp_path / "a.csv",
    )  # fmt: skip
    known = read_catalogue(CATALOGUE)
    axes = seen["figure"].axes[0]
    names = [text.get_text().removesuffix(" *") for text in axes.get_yticklabels()]
    entries = {entry.title: entry for entry in known.products.values()}
    assert names[0] == "this map" and len(names) == 1 + len(entries)
    assert [name for name in names if "compared here" in name] == ["CLCD\n(compared here)"]
    words = {"in": "in", "out": "out", "unclear": "?"}
    marks = {(round(t.get_position()[1] - 0.52), round(t.get_position()[0] - 0.5)): t.get_text()
             for t in axes.texts}  # fmt: skip
    for r, name in enumerate(names[1:], start=1):
        definition = entries[name.removesuffix("\n(compared here)")].definition
        for c, group in enumerate(GROUPS):
            assert marks[r, c] == words[getattr(definition, group)]
    facts = pd.read_csv(tmp_path / "a.csv").set_index("product")
    assert facts["compared_here"].sum() == 1
    assert facts.loc["ESRI Land Cover", "unclear_classes"] == "4 flooded vegetation"
    assert facts.loc["CLCD", "pixel_size"] == 30


def test_labels_without_any_polygon_are_no_mistake(labels, drawn):
    for name in ("polygons", "extents"):
        frame = gpd.read_parquet(labels / f"{name}.parquet").iloc[:0]
        frame.to_parquet(labels / f"{name}.parquet")
    seen = drawn("examples")
    plot_label_examples(
        polygons=labels / "polygons.parquet", extents=labels / "extents.parquet", mosaics=MOSAICS,
        output=labels / "a.png", table_csv=labels / "a.csv",
    )  # fmt: skip
    assert list(rows_of(seen["figure"])) == ["nothing is labelled\nno example"]
    assert pd.read_csv(labels / "a.csv").empty
