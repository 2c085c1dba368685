"""Statistics as people save them: each mistake in a table or a tree of units is one message."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from fault_bench import (
    Bench,
    Fault,
    bytes_instead,
    copied,
    cut_short,
    emptied,
    end_of_job,
    folder_instead,
    refuse,
    removed,
    unreadable,
    web_page_instead,
)
from workspaces import REPOSITORY

from cropalloc.settings.statistics import StatisticsSettings
from cropalloc.statistics.reading import read_statistics

UNITS = """unit_id,name,level,parent
N,Nation,0,
N1,East,1,N
N2,West,1,N
"""
LONG = """unit,crop,year,value
N,wheat,2010,5
N1,wheat,2010,3
N2,rice,2010,1234.5
"""
WIDE = "unit,year,wheat,rice\nN,2010,5,7\nN1,2010,3,\n"
NBS = "数据库：年度数据\n指标,2010年,2009年\n小麦播种面积(千公顷),5,4\n注：无\n"
FAOSTAT = "Area,Element,Item,Year,Unit,Value,Flag\nNation,Area harvested,Wheat,2010,ha,100,A\n"
BASE: dict[str, dict[str, Any]] = {
    "long": {"path": "long.csv", "crop_column": "crop", "value_column": "value"},
    "wide": {"path": "wide.csv"},
    "nbs": {"path": "Nation.csv", "unit_of_measure": "kha"},
    "faostat": {"path": "fao.csv", "areas": {"Nation": "N"}},
    "workbook": {
        "path": "book.xlsx", "unit": {"column": "A"}, "crop": {"rows": [1]}, "year": {"fixed": "2010"},
        "value_columns": "B:C",
    },
}  # fmt: skip


class Statistics(Bench):
    """Files of every kind, of which one is read."""

    def build(self) -> None:
        texts = {
            "units.csv": UNITS, "long.csv": LONG, "wide.csv": WIDE, "Nation.csv": NBS, "fao.csv": FAOSTAT,
        }  # fmt: skip
        for name, content in texts.items():
            (self.folder / name).write_text(content, "utf-8")
        book = openpyxl.Workbook()
        for row in (["", "wheat", "rice"], ["N", 5, 7], ["N1", 3, 2]):
            book.active.append(row)
        book.save(self.folder / "book.xlsx")

    def __init__(self, folder: Path, template: Path | None = None) -> None:
        super().__init__(folder, template)
        self.kind = "long"
        self.source: dict[str, Any] = {}
        self.more: dict[str, Any] = {}
        self.units: dict[str, Any] = {}

    def work(self) -> None:
        own = {**BASE[self.kind], **self.source}
        if self.kind in ("long", "wide"):
            own = {"unit_column": "unit", "year_column": "year"} | own
        path = own.pop("path")
        source = {
            "kind": self.kind, "name": "yearbook", "paths": [str(self.folder / path)],
            "unit_of_measure": "ha", **own,
        }  # fmt: skip
        units = {
            "kind": "rows", "path": "units.csv", "id": "unit_id", "name": "name", "level": "level",
            "parent": "parent", **self.units,
        }  # fmt: skip
        units["path"] = str(self.folder / units["path"])
        read_statistics(
            statistics=StatisticsSettings.model_validate(
                {"units": units, "nodes": [2010], "sources": [source], **self.more}
            ),
            crops_file=REPOSITORY / "config/crops.yaml",
            units_path=self.out / "units.parquet",
            reported_path=self.out / "reported.parquet",
            findings_path=self.out / "findings.csv",
        )


@pytest.fixture
def bench(tmp_path) -> Statistics:
    return Statistics(tmp_path / "w")


def of(kind: str, *spoils, **source):
    """Read another kind of source, with other keys, and spoil what lies there."""

    def spoil(bench):
        bench.kind, bench.source = kind, source
        for work in spoils:
            work(bench)

    return spoil


def content(name: str, text: str, encoding: str = "utf-8"):
    return bytes_instead(name, text.encode(encoding))


def long(old: str, new: str, encoding: str = "utf-8", **source):
    """The long table with a part replaced."""
    assert old in LONG
    return of("long", content("long.csv", LONG.replace(old, new), encoding), **source)


def tree(text: str, encoding: str = "utf-8", **units):
    """Another table of units."""

    def spoil(bench):
        content("units.csv", text, encoding)(bench)
        bench.units = units

    return spoil


def more(**settings):
    return lambda bench: setattr(bench, "more", settings)


def chart_only(bench):
    """A workbook in which a sheet is an image: no cell at all."""
    book = openpyxl.Workbook()
    book.save(bench.folder / "book.xlsx")


def bomb(bench):
    """A workbook whose sheet unpacks to 400 MB of spaces."""
    path = bench.folder / "book.xlsx"
    with zipfile.ZipFile(path) as old:
        members = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new:
        for name, data in members.items():
            if not name.endswith("sheet1.xml"):
                new.writestr(name, data)
        with new.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            for _ in range(410):
                sheet.write(b" " * 1024 * 1024)


FAULTS = {
    # ------------------------------------------------------------------ any file
    "no file": Fault(removed("long.csv"), ["long.csv does not exist"]),
    "a folder": Fault(folder_instead("long.csv"), ["long.csv", "cannot be read", "folder"]),
    "no permission": Fault(unreadable("long.csv"), ["long.csv", "cannot be read", "ermission"]),
    "an empty file": Fault(emptied("long.csv"), ["long.csv is empty"]),
    "an empty wide file": Fault(of("wide", emptied("wide.csv")), ["wide.csv is empty"]),
    "an empty FAOSTAT file": Fault(of("faostat", emptied("fao.csv")), ["fao.csv is empty"]),
    "a header alone": Fault(content("long.csv", "unit,crop,year,value\n"), ["no figure", "yearbook"]),
    "a web page": Fault(web_page_instead("long.csv"), ["long.csv", "web page"]),
    "a workbook called csv": Fault(
        copied("long.csv", "book.xlsx"), ["long.csv", "zip", "save it as CSV"]
    ),
    "pattern without files": Fault(of("long", path="yearbooks/*.csv"), ["yearbooks/*.csv", "data_root"]),
    "an unknown encoding": Fault(of("long", encoding="utf-9"), ["utf-9", "`encoding`"]),
    "an encoding that is none of text": Fault(of("long", encoding="zip"), ["zip", "`encoding`"]),
    "gbk read as utf-8": Fault(
        of("nbs", content("Nation.csv", NBS, "gb18030")), ["Nation.csv", "utf-8-sig", "gb18030"]
    ),
    "utf-16 of Excel": Fault(
        content("long.csv", LONG, "utf-16"), ["long.csv", "utf-16", "encoding"]
    ),
    "a null byte": Fault(long("wheat", "whe\0at"), ["long.csv", "line 2"]),
    "an open quotation mark": Fault(
        of("long", content("long.csv", LONG.replace("N1", '"N1') + "x," * 100_000)), ["long.csv"]
    ),
    # ------------------------------------------------------------------ columns
    "semicolons of Excel": Fault(
        of("long", content("long.csv", LONG.replace(",", ";"))),
        ["no column 'unit'", "unit;crop;year;value", "`delimiter`", "';'"],
    ),
    "tabs": Fault(
        of("wide", content("wide.csv", WIDE.replace(",", "\t"))), ["no column 'unit'", "`delimiter`"]
    ),
    "a column of another name": Fault(
        long("value", "area"), ["no column 'value'", "value_column", "unit, crop, year, area"]
    ),
    "a column with other letters": Fault(
        long("crop", "Crop"), ["no column 'crop'", "Crop", "did you mean"]
    ),
    "a column twice": Fault(long("value", "value,value"), ["more than one column 'value'"]),
    "crop columns that are not there": Fault(
        of("wide", crop_columns=["wheat", "maize"]), ["no column 'maize'", "crop_columns", "rice"]
    ),
    "an unnamed column": Fault(
        of("wide", content("wide.csv", WIDE.replace("rice", ""))), ["wide.csv", "column"]
    ),
    # ------------------------------------------------------------------ figures
    "decimal comma": Fault(
        long("1234.5", '"1234,5"'), ["row 4", "unit 'N2'", "'1234,5'", "allowed: a number"]
    ),
    "thousands points": Fault(long("1234.5", "1.234.567"), ["row 4", "'1.234.567'"]),
    "thousands spaces": Fault(long("1234.5", "1 234"), ["row 4", "'1 234'"]),
    "a wrong group of thousands": Fault(long("1234.5", '"12,34"'), ["row 4", "'12,34'"]),
    "a unit behind the figure": Fault(long("1234.5", "1234 ha"), ["row 4", "'1234 ha'"]),
    "an error of Excel": Fault(long("1234.5", "#REF!"), ["row 4", "'#REF!'", "`missing_values`"]),
    "a word for missing": Fault(long("1234.5", "n.d."), ["row 4", "'n.d.'", "`missing_values`"]),
    "hexadecimal": Fault(long("1234.5", "0x10"), ["row 4", "'0x10'"]),
    "underscores": Fault(long("1234.5", "1_234"), ["row 4", "'1_234'"]),
    "Arabic digits": Fault(long("1234.5", "١٢"), ["row 4", "'١٢'"]),
    "beyond the earth": Fault(long("1234.5", "1e12"), ["row 4", "'1e12'", "larger than"]),
    # ------------------------------------------------------------------ years
    "a date of Excel": Fault(long("2010,3", "40179,3"), ["row 3: no year", "40179", "four digits"]),
    "a date": Fault(long("2010,3", "2010-01-01,3"), ["row 3: no year", "2010-01-01"]),
    "a season": Fault(long("2010,3", "2010/11,3"), ["row 3: no year", "2010/11"]),
    "an empty year": Fault(long("2010,3", ",3"), ["row 3: no year"]),
    "a year of the far future": Fault(long("2010,3", "9999,3"), ["row 3: no year", "9999"]),
    "no year in the years wanted": Fault(of("long", first_year=2015), ["no figure", "`first_year`"]),
    # ------------------------------------------------------------------ crops and units
    "an unknown crop": Fault(long("rice", "ryce"), ["'ryce'", "did you mean", "`crop_names`"]),
    "a crop of no case": Fault(more(crops=["wheat", "barly"]), ["statistics.crops", "barly", "barley"]),
    "a crop name to no crop": Fault(
        of("long", crop_names={"wheat": "what"}), ["crop_names", "'what'"]
    ),
    "an unknown unit refused": Fault(
        lambda b: (long("N2", "N9")(b), more(unjoined="refuse")(b)), ["'N9'", "statistics.aliases"]
    ),
    "no unit joins": Fault(
        of("long", content("long.csv", "unit,crop,year,value\nX,wheat,2010,3\n")), ["no figure"]
    ),
    "an alias to no unit": Fault(more(aliases={"Ost": "N9"}), ["aliases", "'N9'"]),
    "thousands of hectares called hectares": Fault(
        of("nbs", unit_of_measure="ha"), ["unit_of_measure: ha", "kha", "Nation.csv, row 3"]
    ),
    "a unit of measure nobody knows": Fault(
        lambda b: (
            content("long.csv", LONG.replace("value\n", "value,m\n").replace("5\n", "5,acre\n").replace("3\n", "3,acre\n"))(b),
            setattr(b, "source", {"measure_column": "m"}),
        ),
        ["unit_of_measure: ha", "'acre'", "allowed: ha, kha"],
    ),
    # ------------------------------------------------------------------ NBS and FAOSTAT
    "an NBS export without its header": Fault(
        of("nbs", content("Nation.csv", "小麦播种面积,5,4\n")), ["no header line", "指标", "kind: wide"]
    ),
    "an NBS header without years": Fault(
        of("nbs", content("Nation.csv", NBS.replace("2010年,2009年", "a,b"))), ["row 2", "no years", "2020年"]
    ),
    "an NBS year twice": Fault(
        of("nbs", content("Nation.csv", NBS.replace("2009年", "2010年"))), ["2010", "duplicates"]
    ),
    "an NBS unit that is none": Fault(of("nbs", unit="Nord"), ["no figure"]),
    "an area FAOSTAT does not have": Fault(
        of("faostat", areas={"Nationn": "N"}), ["no area 'Nationn'", "near: Nation"]
    ),
    "an element FAOSTAT does not have": Fault(
        of("faostat", element="Harvested area"), ["'Harvested area'", "Area harvested"]
    ),
    "FAOSTAT without its column": Fault(
        of("faostat", content("fao.csv", FAOSTAT.replace("Item", "Item Code"))), ["no column 'Item'"]
    ),
    # ------------------------------------------------------------------ workbooks
    "no workbook": Fault(of("workbook", removed("book.xlsx")), ["book.xlsx does not exist"]),
    "a workbook cut short": Fault(of("workbook", cut_short("book.xlsx")), ["book.xlsx", "save it as .xlsx"]),
    "a web page called xlsx": Fault(of("workbook", web_page_instead("book.xlsx")), ["book.xlsx", "save it"]),
    "csv called xlsx": Fault(of("workbook", copied("book.xlsx", "long.csv")), ["book.xlsx"]),
    "csv given as workbook": Fault(of("workbook", path="long.csv"), ["neither .xls nor .xlsx"]),
    "no such sheet": Fault(of("workbook", sheet="Sown area"), ["no such sheet", "Sown area", "'Sheet'"]),
    "a third sheet of one": Fault(of("workbook", sheet=3), ["no such sheet", "given: 3"]),
    "an empty sheet": Fault(of("workbook", chart_only), ["no figures", "`first_row`"]),
    "columns beyond the sheet": Fault(of("workbook", value_columns="X:Z"), ["no figures", "X:Z"]),
    "a workbook that fills the memory": Fault(of("workbook", bomb), ["book.xlsx", "MB"]),
    # ------------------------------------------------------------------ units
    "no table of units": Fault(removed("units.csv"), ["units.csv does not exist"]),
    "an empty table of units": Fault(emptied("units.csv"), ["units.csv", "empty"]),
    "units with semicolons": Fault(tree(UNITS.replace(",", ";")), ["units.csv", "'unit_id'"]),
    "units in gbk": Fault(tree(UNITS.replace("East", "东部"), "gb18030"), ["units.csv", "encoding"]),
    "units without a column": Fault(tree(UNITS, id="code"), ["no column 'code'", "unit_id"]),
    "a level that is a name": Fault(
        tree(UNITS.replace("East,1", "East,province")), ["units.csv, row 3", "'N1'", "province", "0, 1, 2"]
    ),
    "no unit of level 0": Fault(tree(UNITS.replace("Nation,0,", "Nation,1,")), ["no unit of level 0"]),
    "two nations in a circle": Fault(
        tree("unit_id,name,level,parent\nA,A,1,B\nB,B,1,A\n"), ["no unit of level 0"]
    ),
    "a parent that is missing": Fault(
        lambda b: (
            tree(UNITS.replace("N1,East,1,N\n", "N1,East,1,M\n"))(b),
            more(unjoined="refuse")(b),
        ),
        ["'N1'", "yearbook"],
    ),
    "a row of units too long": Fault(
        tree(UNITS.replace("N1,East,1,N", "N1,East,1,N,x,y")), ["units.csv", "line 3"]
    ),
    "units from a vector file that is none": Fault(
        lambda b: (content("units.gpkg", "x")(b), setattr(b, "units", {"path": "units.gpkg"})),
        ["units.gpkg", "cannot be read"],
    ),
    "an excluded unit that is none": Fault(more(exclude_units=["N7"]), ["exclude_units", "N7"]),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_mistake_is_one_message(bench, name):
    FAULTS[name].spoil(bench)
    refuse(end_of_job(bench), FAULTS[name].words, out=bench.out)


@pytest.mark.parametrize("kind", BASE)
def test_without_a_mistake_it_is_read(bench, kind):
    bench.kind = kind
    ending = end_of_job(bench)
    assert ending.code == 0, ending.shown
    assert (bench.out / "reported.parquet").exists()
