"""Reading figures: formats, units of measure, names, doubles, faults and their messages."""

from __future__ import annotations

import pytest

from cropalloc.statistics.crops import UnknownCropError
from cropbase.errors import InputError

NBS = """数据库：分省年度数据
时间：2016年-2025年
指标\t,2021年\t,2020年\t,2019年\t,
粮食作物播种面积 (千公顷)\t,9\t,9\t,9\t,
玉米播种面积 (千公顷)\t,\t,1.5\t,2.25\t,
小麦播种面积 (千公顷)\t,3\t,0.00\t,\t,
注：1. 一。
数据来源：国家统计局"""


def table(result, *columns):
    return [tuple(row) for row in result.reported[list(columns)].itertuples(index=False)]


def test_columns_and_order_are_those_of_the_contract(country):
    result = country.read([country.long("s", "N11,wheat,2010,3", "N,wheat,2010,5")])
    assert list(result.units.columns) == ["unit_id", "name", "level", "parent_id"]
    assert list(result.reported.columns) == [
        "unit_id", "unit_name", "level", "parent_id", "year", "crop", "variable", "value",
        "unit_of_measure", "source", "flag",
    ]  # fmt: skip
    assert table(result, "unit_id", "unit_name", "level", "value", "flag") == [
        ("N", "Nation", 0, 5.0, "reported"),
        ("N11", "Alpha", 2, 3.0, "reported"),
    ]


def test_nbs_export_with_bom_preamble_footer_newest_first(country):
    path = country.write("East.csv", NBS, encoding="utf-8-sig")
    source = {"kind": "nbs", "name": "NBS", "paths": [path], "unit_of_measure": "kha", "level": 1}
    result = country.read([source])
    assert table(result, "unit_id", "crop", "year", "value") == [
        ("N1", "maize", 2019, 2250.0),
        ("N1", "maize", 2020, 1500.0),
        ("N1", "wheat", 2020, 0.0),  # a printed zero is a figure, an empty cell is none
        ("N1", "wheat", 2021, 3000.0),
    ]
    left_out = result.findings[result.findings["action"] == "left out"]
    assert list(left_out["crop"]) == ["粮食作物"] and list(left_out["row"]) == ["4"]
    assert "1 of 3 figures are missing" in " ".join(result.findings["finding"])


def test_nbs_export_of_one_item_has_a_row_a_unit(country):
    text = "数据库：x\n地区,2020年,\nEast,7,\nWest,,\n数据来源：国家统计局\n"
    path = country.write("小麦播种面积 (千公顷).csv", text, encoding="gb18030")
    source = {
        "kind": "nbs", "name": "NBS", "paths": [path], "unit_of_measure": "kha",
        "encoding": "gb18030",
    }  # fmt: skip
    assert table(country.read([source]), "unit_id", "crop", "value") == [("N1", "wheat", 7000.0)]


def test_a_wrong_encoding_is_told(country):
    path = country.write("East.csv", NBS, encoding="gb18030")
    source = {"kind": "nbs", "name": "NBS", "paths": [path], "unit_of_measure": "kha"}
    with pytest.raises(
        InputError, match=r"East\.csv is not text in the encoding utf-8-sig[\s\S]*gb18030"
    ):
        country.read([source])


FAOSTAT = """Area,Element,Item,Year,Unit,Value,Flag
Nation,Area harvested,Rye,2010,ha,10,A
Nation,Area harvested,Oats,2010,ha,5,E
Nation,Area harvested,Wheat,2010,ha,100,A
Nation,Production,Wheat,2010,t,900,A
Elsewhere,Area harvested,Wheat,2010,ha,1,A
"""


def faostat(country, text=FAOSTAT, **source):
    path = country.write("fao.csv", text, encoding="utf-8-sig")
    base = {
        "kind": "faostat", "name": "FAOSTAT", "paths": [path], "unit_of_measure": "ha",
        "areas": {"Nation": "N"},
    }  # fmt: skip
    return {**base, **source}


def test_faostat_items_of_one_crop_are_parts_and_summed(country):
    result = country.read([faostat(country)])
    assert table(result, "crop", "value", "flag") == [
        ("other_cereals", 15.0, "sum_of_2_items"),
        ("wheat", 100.0, "A"),
    ]


def test_faostat_area_that_does_not_occur(country):
    with pytest.raises(InputError, match=r"no area 'Natoin'[\s\S]*near: Nation"):
        country.read([faostat(country, areas={"Natoin": "N"})])


WIDE = """name,code,level,whea,ocer
Nation,N,0,10,NA
Alpha,N11,2,-999,3
Beta,N12,2,4,0
"""


def test_wide_table_with_minus_999_and_na_as_missing(country):
    path = country.write("wide.csv", WIDE)
    source = {
        "kind": "wide", "name": "w", "paths": [path], "unit_of_measure": "ha", "vocabulary": "spam",
        "unit_column": "code", "level_column": "level", "year": 2010, "ignore_columns": ["name"],
    }  # fmt: skip
    result = country.read([source])
    assert table(result, "unit_id", "crop", "value") == [
        ("N11", "other_cereals", 3.0),
        ("N12", "other_cereals", 0.0),
        ("N", "wheat", 10.0),
        ("N12", "wheat", 4.0),
    ]
    assert list(result.findings["crop"]) == ["other_cereals", "wheat"]
    assert result.findings["finding"].str.startswith("1 of 3 figures are missing").all()


def test_a_short_row_is_listed_not_swallowed(country):
    source = country.long("s", "N,wheat,2010,5", "N11,wheat,2010")
    findings = country.read([source]).findings
    assert findings["finding"].str.contains("the row has 3 cells, the header 4").any()


@pytest.mark.parametrize(
    ("measure", "hectares"),
    [("ha", 30), ("kha", 30_000), ("mu", 2), ("10k_mu", 20_000), ("km2", 3_000), ("10k_ha", 3e5)],
)
def test_figures_become_hectares(country, measure, hectares):
    result = country.read([country.long("s", "N,wheat,2010,30", unit_of_measure=measure)])
    assert result.reported["value"].item() == pytest.approx(hectares, rel=1e-12)
    assert result.reported["unit_of_measure"].item() == measure


def test_another_unit_of_measure_than_declared_is_refused(country):
    path = country.write("East.csv", NBS)
    source = {"kind": "nbs", "name": "NBS", "paths": [path], "unit_of_measure": "ha"}
    with pytest.raises(InputError) as error:
        country.read([source])
    text = str(error.value)
    assert "'NBS' declares unit_of_measure: ha, but its files say otherwise" in text
    assert "kha in" in text and "row 5 (item '玉米播种面积 (千公顷)')" in text


def test_mixed_units_in_one_source_are_refused(country):
    text = "unit,crop,year,value,measure\nN,wheat,2010,5,ha\nN11,wheat,2010,2,亩\n"
    path = country.write("m.csv", text)
    source = country.long("s", "N,wheat,2010,1") | {"paths": [path], "measure_column": "measure"}
    with pytest.raises(InputError, match=r"mix it with other units[\s\S]*mu in .*row 3, 1 figures"):
        country.read([source])


def test_unknown_crops_of_all_sources_in_one_message(country):
    first = country.long("one", "N,whaet,2010,5")
    second = country.long("two", "N,barly,2010,5", "N,wheat,2010,5")
    with pytest.raises(UnknownCropError) as error:
        country.read([first, second])
    text = str(error.value)
    assert "2 crop name(s)" in text
    assert "source 'one': 'whaet' (did you mean wheat" in text
    assert "source 'two': 'barly' (did you mean barley" in text


def test_items_that_the_configuration_leaves_out_are_listed(country):
    source = country.long(
        "s", "N,wheat,2010,5", "N,total 1,2010,9", "N,Weizen,2010,1",
        left_out=["total*"], crop_names={"Weizen": "rye?"},
    )  # fmt: skip
    with pytest.raises(UnknownCropError, match=r"'rye\?'"):
        country.read([source])
    source["crop_names"] = {"Weizen": "barley"}
    result = country.read([source])
    assert set(result.reported["crop"]) == {"wheat", "barley"}
    assert list(result.findings["finding"]) == ["item 'total 1': left out by the configuration"]


def test_only_the_crops_of_the_case_and_a_finding_for_an_absent_one(country):
    source = country.long("s", "N,wheat,2010,5", "N,rice,2010,9")
    result = country.read([source], crops=["wheat", "tea"])
    assert set(result.reported["crop"]) == {"wheat"}
    assert list(result.findings["finding"]) == [
        "no source has a figure of this crop",
        "item 'rice': not among the crops of the case",
    ]
    with pytest.raises(UnknownCropError, match=r"'wheet' \(did you mean wheat"):
        country.read([source], crops=["wheet"])


def test_names_that_do_not_join_are_listed_or_refused(country):
    source = country.long("s", "N,wheat,2010,5", "Alpa,wheat,2010,2", "Alpa,wheat,2011,2")
    findings = country.read([source]).findings
    assert list(findings["finding"]) == ["'Alpa' joins to no unit; near: (alpha)"]
    assert list(findings["action"]) == ["left out with 2 figures"]
    with pytest.raises(InputError, match=r"1 name\(s\) join to no unit[\s\S]*row 3: 'Alpa'"):
        country.read([source], unjoined="refuse")


def test_aliases_and_endings_join_and_are_listed(country):
    source = country.long(
        "s", "Old Alpha,wheat,2010,5", "Gamma,wheat,2010,2", "beta (with x),wheat,2010,1"
    )
    result = country.read([source], aliases={"Old Alpha": "N11"}, name_suffixes=["City"])
    assert table(result, "unit_id", "value") == [("N11", 5.0), ("N12", 1.0), ("N21", 2.0)]
    assert list(result.findings["finding"]) == [
        "'Old Alpha' is joined to 'Alpha' by the alias 'N11'",
        "'Gamma' is joined to 'Gamma City' by the name without its ending",
        "'beta (with x)' is joined to 'Beta' by the name without notes, spaces and case",
    ]


def test_an_alias_that_leads_nowhere(country):
    with pytest.raises(
        InputError, match=r"'X' leads to 'Alphq', which is no unit[\s\S]*near: Alpha"
    ):
        country.read([country.long("s", "N,wheat,2010,5")], aliases={"X": "Alphq"})


DOUBLE = ("N,wheat,2010,5", "N11,wheat,2010,1", "N11,wheat,2010,4")


def test_different_doubles_are_refused(country):
    with pytest.raises(InputError) as error:
        country.read([country.long("s", *DOUBLE)])
    text = str(error.value)
    assert "unit N11, wheat, 2010: 1 ha (" in text and "row 4)" in text and "`duplicates`" in text


@pytest.mark.parametrize(("rule", "value"), [("first", 1.0), ("sum", 5.0), ("mean", 2.5)])
def test_different_doubles_as_configured_and_listed(country, rule, value):
    result = country.read([country.long("s", *DOUBLE, duplicates=rule)])
    assert table(result, "unit_id", "value") == [("N", 5.0), ("N11", value)]
    assert len(result.findings) == 1 and result.findings["unit_id"].item() == "N11"


def test_equal_doubles_count_once(country):
    result = country.read([country.long("s", "N,wheat,2010,5", "N,wheat,2010,5", duplicates="sum")])
    assert table(result, "value") == [(5.0,)]
    assert result.findings["action"].item() == "counted once"


def test_two_sources_of_one_figure(country):
    sources = [country.long("a", "N,wheat,2010,5"), country.long("b", "N,wheat,2010,6")]
    with pytest.raises(
        InputError, match=r"the sources give\(s\) different figures[\s\S]*overlap: first"
    ):
        country.read(sources)
    result = country.read(sources, overlap="first")
    assert table(result, "value", "source") == [(5.0, "a")]
    assert "5 ha of a, is used" in result.findings["action"].item()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("N11,wheat,2010,-5", r"row 3, unit 'N11', crop wheat, 2010: '-5'"),
        ("N11,wheat,2010,five", r"1 figure\(s\) are no area[\s\S]*'five'"),
        ("N11,wheat,2010,inf", r"'inf'"),
        ("N11,wheat,10,5", r"row 3: no year\s+given: 10"),
    ],
)
def test_faulty_cells_are_named(country, line, message):
    with pytest.raises(InputError, match=message):
        country.read([country.long("s", "N,wheat,2010,5", line)])


def test_thousands_separators(country):
    source = country.long("s", 'N,wheat,2010,"1,234.5"')
    assert country.read([source]).reported["value"].item() == 1234.5


def test_years_outside_the_range_are_not_read(country):
    lines = [f"N,wheat,{year},5" for year in range(2005, 2012)]
    result = country.read([country.long("s", *lines, first_year=2007, last_year=2009)])
    assert list(result.reported["year"]) == [2007, 2008, 2009]


def test_absent_files_columns_and_patterns(country):
    source = country.long("s", "N,wheat,2010,5")
    with pytest.raises(InputError, match="does not exist"):
        country.read([source | {"paths": [str(country.folder / "no.csv")]}])
    with pytest.raises(InputError, match=r"no file fits the pattern .*no\*\.csv"):
        country.read([source | {"paths": [str(country.folder / "no*.csv")]}])
    with pytest.raises(
        InputError, match=r"no column 'ha' \(key `value_column`\)\s+given: unit, crop"
    ):
        country.read([source | {"value_column": "ha"}])


def test_nothing_left_is_an_error(country):
    with pytest.raises(InputError, match="hold no figure of any crop and unit"):
        country.read([country.long("s", "N,wheat,2010,NA")])


def test_the_same_bytes_for_the_same_input(country):
    sources = [country.long("s", "N11,wheat,2010,3", "N,wheat,2010,5", "zz,wheat,2010,1")]
    first = {k: p.read_bytes() for k, p in country.read(sources).paths.items()}
    second = {k: p.read_bytes() for k, p in country.read(sources).paths.items()}
    assert first == second


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"nodes": [2015, 2010]}, "nodes must rise"),
        ({"variable": "yield"}, "no source has the variable 'yield'"),
    ],
)
def test_settings_that_contradict_each_other(country, change, message):
    with pytest.raises(ValueError, match=message):
        country.settings([country.long("s", "N,wheat,2010,5")], **change)


def test_two_sources_need_two_names(country):
    source = country.long("s", "N,wheat,2010,5")
    with pytest.raises(ValueError, match="two sources have the name 's'"):
        country.settings([source, source])
