"""The hierarchy of units and its irregularities."""

from __future__ import annotations

import geopandas as gpd
import pytest
import shapely

from cropalloc.settings.statistics import BoundaryCheck, LevelledUnits, RowUnits
from cropalloc.statistics.findings import Findings
from cropalloc.statistics.joining import Joiner, plain_name
from cropalloc.statistics.units import check_boundaries, read_units
from cropbase.errors import InputError

HEADER = "id,name,level,parent\n"
ROWS = "N,Nation,0,\nN1,East,1,N\nN2,West,1,N\nN11,Alpha,2,N1\n"


def read(tmp_path, text, *, parent="parent", exclude=()):
    path = tmp_path / "units.csv"
    path.write_text(HEADER + text, encoding="utf-8-sig")
    findings = Findings()
    settings = RowUnits(path=str(path), id="id", name="name", level="level", parent=parent)
    units = read_units(settings, exclude=list(exclude), findings=findings)
    return units, findings.table()


def parents(units):
    return {
        u: (None if p != p else p)
        for u, p in zip(units.table.unit_id, units.table.parent_id, strict=True)
    }


def test_rows_with_a_parent_column(tmp_path):
    units, findings = read(tmp_path, ROWS)
    assert parents(units) == {"N": None, "N1": "N", "N2": "N", "N11": "N1"}
    assert units.lowest == ["N11", "N2"] and findings.empty


def test_parents_by_prefix_with_a_root_of_another_prefix(tmp_path):
    text = "MWI,Malawi,0.0,\nMI02,Centre,1.0,\nMI02001,Dedza,2.0,\nMI02001,Dedza,2.0,\n"
    units, findings = read(tmp_path, text, parent=None)
    assert parents(units) == {"MWI": None, "MI02": "MWI", "MI02001": "MI02"}
    assert findings.empty  # equal rows are the rule in a table of figures


def test_orphans_are_listed_with_all_below_them(tmp_path):
    units, findings = read(tmp_path, ROWS + "N3,Lost,1,X\nN31,Child,2,N3\nN9,Same,1,N2\n")
    assert set(units.table["unit_id"]) == {"N", "N1", "N2", "N11"}
    assert list(findings["finding"]) == [
        "unit 'Lost' is an orphan: its parent 'X' is no unit",
        "unit 'Child' is an orphan: it lies below the orphan 'N3'",
        "unit 'Same' is an orphan: its parent 'N2' is not of a level above",
    ]
    assert list(findings["row"]) == [6, 7, 8]


def test_doubles_with_another_name_or_parent_are_listed(tmp_path):
    units, findings = read(tmp_path, ROWS + "N11,Alfa,2,N2\n")
    assert parents(units)["N11"] == "N1"
    assert sorted(findings["finding"]) == [
        "unit has the name 'Alfa' here and 'Alpha' in row 5",
        "unit has the parent 'N2' here and 'N1' in row 5",
    ]


def test_namesakes_under_one_parent_are_listed(tmp_path):
    _, findings = read(tmp_path, ROWS + "N12,Alpha,2,N1\n")
    assert "two units of one parent have the name 'Alpha': N11 and N12" in list(findings["finding"])


def test_excluded_units_go_with_all_below(tmp_path):
    units, findings = read(tmp_path, ROWS, exclude=["N1"])
    assert set(units.table["unit_id"]) == {"N", "N2"}
    assert list(findings["unit_id"]) == ["N1", "N11"]
    with pytest.raises(InputError, match=r"exclude_units[\s\S]*given: N19"):
        read(tmp_path, ROWS, exclude=["N19"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("N1,East,1,\n", "no unit of level 0"),
        ("N,Nation,zero,\n", r"row 2: the level of unit 'N' is no level\s+given: zero"),
    ],
)
def test_a_hierarchy_without_a_top_or_levels(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read(tmp_path, text)


def levelled(tmp_path, path):
    findings = Findings()
    settings = LevelledUnits.model_validate(
        {
            "path": str(path),
            "levels": [
                {"id": "c0", "name": "n0"},
                {"id": "c1", "name": "n1", "other_names": ["z1"]},
                {"id": "c2", "name": "n2"},
            ],
        }
    )
    return read_units(settings, exclude=[], findings=findings), findings.table()


ROWS_OF_LEVELS = [
    ("N", "Nation", "N1", "East", "东", "N11", "Alpha"),
    ("N", "Nation", "N1", "East", "东", "N12", "Beta"),
    ("N", "Nation", "N2", "West", "西", "", ""),
    ("N", "Nation", "N1", "East", "东", "N12", "Beta"),
    ("N", "Nation", "N1", "East", "东", "", "Nameless"),
]
NAMES = ["c0", "n0", "c1", "n1", "z1", "c2", "n2"]


def test_levels_in_columns_of_a_csv_and_of_boundaries_alike(tmp_path):
    csv = tmp_path / "levels.csv"
    csv.write_text("\n".join([",".join(NAMES), *map(",".join, ROWS_OF_LEVELS)]), encoding="utf-8")
    square = shapely.box(0, 0, 1, 1)
    frame = gpd.GeoDataFrame(
        [dict(zip(NAMES, row, strict=True)) for row in ROWS_OF_LEVELS],
        geometry=[square] * len(ROWS_OF_LEVELS), crs=4326,
    )  # fmt: skip
    gpkg = tmp_path / "levels.gpkg"
    frame.to_file(gpkg)
    for path in (csv, gpkg):
        units, findings = levelled(tmp_path, path)
        assert parents(units) == {"N": None, "N1": "N", "N2": "N", "N11": "N1", "N12": "N1"}
        assert units.names["N1"] == ["East", "东"] and units.lowest == ["N11", "N12", "N2"]
        assert set(findings["finding"]) == {
            "unit 'Beta' has 2 rows",
            "unit 'Nameless' of level 2 has no id",
        }


def test_boundaries_without_units_and_units_without_boundaries(tmp_path):
    units, _ = read(tmp_path, ROWS)
    path = tmp_path / "map.csv"
    path.write_text("code,label\nN11,Alpha\nN7,Lake\n,Island\n")
    findings = Findings()
    check_boundaries(units, BoundaryCheck(path=str(path), id="code", name="label"), findings)
    assert list(findings.table()["finding"]) == [
        "boundary 'Lake' (N7) joins to no unit of the lowest level",
        "boundary 'Island' has no id",
        "unit 'West' joins to no boundary",
    ]


def test_absent_columns_and_files(tmp_path):
    with pytest.raises(InputError, match=r"no column 'parents'\s+given: id, name, level, parent"):
        read(tmp_path, ROWS, parent="parents")
    settings = RowUnits(path=str(tmp_path / "no.shp"), id="a", name="b", level="c")
    with pytest.raises(InputError, match="does not exist"):
        read_units(settings, exclude=[], findings=Findings())


@pytest.mark.parametrize(
    ("text", "plain"),
    [("济源市〔1〕", "济源市"), ("郑  州  市", "郑州市"), ("保定市（含定州市）", "保定市"), ("石河子市[1]", "石河子市"), ("New  York (x)", "new york")],
)  # fmt: skip
def test_notes_spaces_and_case_do_not_count(text, plain):
    assert plain_name(text) == plain


def test_a_level_or_a_parent_decides_between_namesakes(tmp_path):
    text = "N,Nation,0,\nN1,Jilin,1,N\nN2,West,1,N\nN11,Jilin,2,N1\nN21,Same,2,N2\nN12,Same,2,N1\n"
    units, _ = read(tmp_path, text)
    joiner = Joiner(units, aliases={}, suffixes=[])
    assert joiner.join("Jilin").how == "ambiguous"
    assert joiner.join("Jilin", level=1).unit_id == "N1"
    assert joiner.join("Jilin", level=2).unit_id == "N11"
    assert joiner.join("Same").candidates == ("N12", "N21")
    assert joiner.join("Same", within="West").unit_id == "N21"
