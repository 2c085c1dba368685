"""YAML, VIA JSON, statistics and label tables spoilt at random: read, or told what is wrong."""

from __future__ import annotations

import io
import json

import openpyxl
import pytest
from fuzzing import bounded, fuzz, put, spoilt, survives
from hypothesis import given
from hypothesis import strategies as st
from workspaces import REPOSITORY

from cropalloc.settings.statistics import StatisticsSettings
from cropalloc.statistics.crops import read_concordance
from cropalloc.statistics.figures import read_source
from cropalloc.statistics.findings import Findings
from cropalloc.statistics.joining import Joiner
from cropalloc.statistics.units import read_units
from cropbase.errors import ConfigError, CropError
from cropbase.tables import read_csv
from cropbase.yaml_files import read_yaml
from croplayer.active import findings as label_findings
from croplayer.active.tables import check_rows, read_rows, settle
from croplayer.imports.via import read_via
from croplayer.settings import load_settings

YAML = [
    (REPOSITORY / "config" / name).read_bytes()
    for name in ("demo.yaml", "default.yaml", "allocation/demo_allocation.yaml")
]
YAML_WORDS = [
    b"\t",
    b"&a ",
    b"*a",
    b"!!float ",
    b"<<: ",
    b"{",
    b"- ",
    b": ",
    b"? ",
    b"!!timestamp 20",
]
REGION = {
    "shape_attributes": {"name": "polygon", "all_points_x": [1, 5.5, 9], "all_points_y": [1, 2, 8]},
    "region_attributes": {"type": "field"},
}
SHAPES = [
    REGION["shape_attributes"],
    {"name": "rect", "x": 1, "y": 2, "width": 3, "height": 4},
    {"name": "ellipse", "cx": 1, "cy": 2, "rx": 3, "ry": 4, "theta": 0.5},
]
IMAGES = {
    f"a{k}.tif{k}": {
        "filename": f"a{k}.tif",
        "size": k,
        "regions": [REGION | {"shape_attributes": shape}],
    }
    for k, shape in enumerate(SHAPES)
}
VIA = [json.dumps(IMAGES).encode(), json.dumps({"_via_img_metadata": IMAGES}, indent=1).encode()]
VIA_WORDS = [b"null", b"1e400", b"NaN", b"[", b"{", b"true", b'"regions": 7', b"-", b"9" * 400]
LONG = b"unit,crop,year,value\nN,wheat,2010,5\nN1,rice,2011,1234.5\nN1,maize,2010,NA\n"
NBS = "数据库：年度数据\n指标,2010年,2009年\n小麦播种面积(千公顷),5,4\n玉米播种面积(千公顷),,4\n注：无\n".encode()
FAOSTAT = b"Area,Element,Item,Year,Unit,Value,Flag\nN,Area harvested,Wheat,2010,ha,100,A\n"
UNITS = b"unit_id,name,level,parent\nN,Nation,0,\nN1,East,1,N\n"
TABLE = b"block_id,source,semantic_class,annotator,labelled_at\nE11200N2400,a,TP,Li,2021-05-01T10:00:00Z\n"
CSV_WORDS = [b",", b";", b"1e309", b"inf", b"\xb3", b"\xe5", b"#", b"\n", b"2010", b"=1+1"]


def workbook() -> bytes:
    book = openpyxl.Workbook()
    for row in (["", "wheat", "rice"], ["N", 5, 7.5], ["N1", 3, None]):
        book.active.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("fuzz")
    (made / "config/provinces").mkdir(parents=True)
    (made / "config/default.yaml").write_bytes(YAML[1])
    (made / "units.csv").write_bytes(UNITS)
    return made


@given(data=spoilt(YAML, YAML_WORDS))
@fuzz(20)
def test_yaml(folder, data):
    put(folder / "config/provinces/p.yaml", data)
    survives(lambda: load_settings("p", folder / "config"))


@given(text=st.text(alphabet="{}[]&*:-?!|>'\"# \n\tab01~<=.", max_size=60))
@fuzz(60)
def test_yaml_of_its_own_signs(folder, text):
    path = put(folder / "signs.yaml", text.encode())
    survives(lambda: read_yaml(path))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
         + "".join(f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 10)}]\n" for k in range(1, 12)), "aliases"),
        ("a: &a [*a]\n", "inside itself"),
        ("a: " + "[" * 2_000, "nested too deeply"),
        ("{" * 2_000, "nested too deeply"),
    ],
)  # fmt: skip
def test_yaml_that_would_fill_the_memory_is_refused(folder, text, words):
    path = put(folder / "bomb.yaml", text.encode())
    with bounded(), pytest.raises(ConfigError, match=words):
        read_yaml(path)


@given(data=spoilt(VIA, VIA_WORDS))
@fuzz(60)
def test_via(folder, data):
    path = put(folder / "via.json", data)
    survives(lambda: read_via(path))


SOURCES = {
    "long": ("t.csv", [LONG], {"crop_column": "crop", "value_column": "value"}),
    "wide": ("t.csv", [b"unit,year,wheat,rice\nN,2010,5,7\nN1,2011,3,\n"], {}),
    "nbs": ("N.csv", [NBS], {"unit_of_measure": "kha"}),
    "faostat": ("t.csv", [FAOSTAT], {"areas": {"N": "N"}}),
    "workbook": (
        "t.xlsx", [workbook()],
        {"unit": {"column": "A"}, "crop": {"rows": [1]}, "year": {"fixed": "2010"}, "value_columns": "B:C"},
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def concordance():
    return read_concordance(REPOSITORY / "config/crops.yaml")


@pytest.mark.parametrize("kind", SOURCES)
def test_statistics(folder, concordance, kind):
    name, originals, keys = SOURCES[kind]
    path = folder / kind / name
    path.parent.mkdir()
    source = {"kind": kind, "name": "s", "paths": [str(path)], "unit_of_measure": "ha"} | keys
    if kind in ("long", "wide"):
        source |= {"unit_column": "unit", "year_column": "year"}
    units = {"kind": "rows", "path": str(folder / "units.csv"), "id": "unit_id", "name": "name"}
    statistics = StatisticsSettings.model_validate(
        {
            "units": units | {"level": "level", "parent": "parent"},
            "nodes": [2010],
            "sources": [source],
        }
    )
    hierarchy = read_units(statistics.units, exclude=[], findings=Findings())

    def read():
        read_source(
            statistics.sources[0],
            concordance=concordance,
            joiner=Joiner(hierarchy, aliases={}, suffixes=[]),
            wanted=None,
            refuse_unjoined=False,
            findings=Findings(),
            unknown={},
        )

    path.write_bytes(originals[0])
    assert survives(read)

    @given(data=spoilt(originals, CSV_WORDS))
    @fuzz(25)
    def run(data):
        put(path, data)
        survives(read)

    run()


@given(data=spoilt([UNITS], CSV_WORDS))
@fuzz(60)
def test_units(folder, data):
    path = put(folder / "spoilt_units.csv", data)
    keys = {
        "path": str(path),
        "id": "unit_id",
        "name": "name",
        "level": "level",
        "parent": "parent",
    }
    base = {"nodes": [2010], "sources": [{
        "kind": "long", "name": "s", "paths": ["x"], "unit_of_measure": "ha", "unit_column": "u",
        "year": 2010, "crop_column": "c", "value_column": "v",
    }]}  # fmt: skip
    settings = StatisticsSettings.model_validate(base | {"units": {"kind": "rows", **keys}})
    survives(lambda: read_units(settings.units, exclude=[], findings=Findings()))


@given(data=spoilt([TABLE], CSV_WORDS))
@fuzz(40)
def test_block_labels(folder, data):
    path = put(folder / "semantic.csv", data)

    def read():
        findings = label_findings.Findings()
        rows = read_rows([path], "semantic")
        rows = check_rows(
            rows, "semantic", planned={"E11200N2400"}, sources={"a"}, findings=findings
        )
        if len(rows):
            settle(rows, "semantic", findings)
        findings.raise_errors()

    survives(read)


@given(data=spoilt([TABLE, LONG], CSV_WORDS))
@fuzz(40)
def test_csv(folder, data):
    path = put(folder / "any.csv", data)
    survives(lambda: read_csv(path, ("block_id",), as_text=True, comment="#"))
    survives(lambda: read_csv(path))


def test_an_error_that_is_no_crop_error_fails(folder):
    """The harness itself: what it must not let pass, and what it may."""
    with pytest.raises(ZeroDivisionError):
        survives(lambda: 1 / 0)
    with pytest.raises(MemoryError):
        survives(lambda: bytearray(4_000_000_000))

    def tells():
        raise CropError("no")

    assert not survives(tells)
