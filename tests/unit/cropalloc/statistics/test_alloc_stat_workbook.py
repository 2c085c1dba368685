"""Sheets of workbooks in their three layouts. xls files are read in the test on real data."""

from __future__ import annotations

import openpyxl
import pytest

from cropalloc.settings.statistics import Place
from cropalloc.statistics.readers.workbook import column_letters, column_number
from cropbase.errors import InputError


@pytest.fixture
def sheet(country):
    """A workbook with the given rows in a sheet named Data, as a source."""

    def make(rows, **source):
        path = country.folder / "book.xlsx"
        book = openpyxl.Workbook()
        book.active.title = "Cover"
        data = book.create_sheet("Data")
        for row in rows:
            data.append(row)
        book.save(path)
        return {
            "kind": "workbook", "name": "book", "paths": [str(path)], "unit_of_measure": "kha",
            "sheet": "Data", **source,
        }  # fmt: skip

    return make


def table(result):
    columns = ["unit_id", "crop", "year", "value"]
    return [tuple(row) for row in result.reported[columns].itertuples(index=False)]


def test_a_row_a_figure(country, sheet):
    rows = [
        ["指标", "地区", "时间", "数值"],
        ["玉米播种面积（千公顷）", "Alpha", 2010, 1.5],
        ["玉米产量（吨）", "Alpha", 2010, 900],
        ["玉米播种面积（千公顷）", "Beta", "2010", None],
    ]
    source = sheet(
        rows, unit={"column": "B"}, crop={"column": "A"}, year={"column": "C"}, value_columns="D"
    )
    result = country.read([source])
    assert table(result) == [("N11", "maize", 2010, 1500.0)]
    assert "item '玉米产量（吨）': not an area" in set(result.findings["finding"])


def test_a_column_a_crop_with_merged_headers_and_the_measure_in_a_cell(country, sheet):
    rows = [
        ["Sown area by city", None, None, None, None],
        ["单位：千公顷", None, None, None, None],
        ["City", "English", "谷 物", None, "棉 花"],
        [None, None, "#稻谷", "#小 麦", None],
        ["Al pha", "x", 1, 2, 3],
        [None, None, None, None, None],
        ["Beta", "x", 4, None, 5],
    ]
    places = {"unit": {"column": "A"}, "year": {"fixed": "2010"}, "value_columns": "C:E"}
    source = sheet(
        rows, crop={"rows": [4]}, first_row=5, measure_cell="A2", **places,
    )  # fmt: skip
    result = country.read([source], aliases={"Al pha": "N11"})
    assert table(result) == [
        ("N11", "rice", 2010, 1000.0),
        ("N12", "rice", 2010, 4000.0),
        ("N11", "wheat", 2010, 2000.0),
    ]
    lost = result.findings[result.findings["finding"].str.contains("without crop")]
    assert list(lost["finding"]) == [
        "column E holds '3' without crop",
        "column E holds '5' without crop",
    ]
    assert list(lost["row"]) == ["5", "7"]


def test_years_across_and_filled_units(country, sheet):
    rows = [
        ["Unit", "Crop", 2009, 2010],
        ["Alpha", "小麦", 1, 2],
        [None, "玉米", 3, 4],
    ]
    source = sheet(
        rows, unit={"column": "A", "fill": True}, crop={"column": "B"}, year={"rows": [1]},
        value_columns="C:D",
    )  # fmt: skip
    assert table(country.read([source])) == [
        ("N11", "maize", 2009, 3000.0),
        ("N11", "maize", 2010, 4000.0),
        ("N11", "wheat", 2009, 1000.0),
        ("N11", "wheat", 2010, 2000.0),
    ]


def test_the_measure_of_the_sheet_is_checked(country, sheet):
    rows = [["单位：亩"], ["Alpha", 5]]
    source = sheet(
        rows, unit={"column": "A"}, crop={"fixed": "小麦"}, year={"fixed": "2010"},
        value_columns="B", measure_cell="A1",
    )  # fmt: skip
    with pytest.raises(
        InputError, match=r"declares unit_of_measure: kha.*say otherwise[\s\S]*mu in"
    ):
        country.read([source])


def test_absent_sheets_and_figures(country, sheet):
    places = {"unit": {"column": "A"}, "crop": {"fixed": "小麦"}, "year": {"fixed": "2010"}}
    source = sheet([["x", 1]], value_columns="B", **places)
    with pytest.raises(InputError, match=r"no such sheet\s+given: Dat\s+allowed: 'Cover', 'Data'"):
        country.read([source | {"sheet": "Dat"}])
    with pytest.raises(InputError, match=r"no figures in rows 9 to 1"):
        country.read([source | {"first_row": 9}])


def test_a_damaged_workbook(country, sheet):
    source = sheet(
        [["x", 1]],
        value_columns="B",
        unit={"column": "A"},
        crop={"fixed": "小麦"},
        year={"fixed": "2010"},
    )
    (country.folder / "book.xlsx").write_bytes(b"no workbook")
    with pytest.raises(InputError, match=r"book\.xlsx cannot be read"):
        country.read([source])


def test_exactly_one_place():
    with pytest.raises(ValueError, match="exactly one of column, rows and fixed"):
        Place(column="A", fixed="x")


@pytest.mark.parametrize(
    ("letters", "number"), [("A", 0), ("Z", 25), ("AA", 26), ("ZZ", 701), ("AAA", 702)]
)
def test_column_letters(letters, number):
    assert column_number(letters) == number and column_letters(number) == letters
