"""What people draw, label and annotate: each mistake in a layer or table is one message."""

from __future__ import annotations

import sqlite3
from functools import cache

import geopandas as gpd
import numpy as np
import pytest
import shapely
from fault_bench import (
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
from fault_labels import Labels, Plan, Table, Via, vector
from label_province import EXTENTS, FIELDS, PROVINCE, extents, fields

BOW = shapely.Polygon([(112, 24), (112.02, 24.02), (112.02, 24), (112, 24.02)])
SWAPPED = shapely.transform(PROVINCE, lambda xy: xy[:, ::-1])
METRES = shapely.box(400_000, 2_600_000, 410_000, 2_610_000)
MOON = (
    'GEOGCS["Moon",DATUM["Moon",SPHEROID["Moon",1737400,0]],PRIMEM["Reference",0],'
    'UNIT["degree",0.0174532925199433]]'
)
COUNTY = {"county_id": ["1"], "county": ["C"], "city": ["D"]}


def shapefile_without(suffix: str, name: str, make):
    """A layer saved as a shapefile of which one file was not copied."""

    def spoil(bench):
        path = bench.folder / f"{name}.shp"
        make().to_file(path)
        path.with_suffix(suffix).unlink()
        if isinstance(bench, Plan):
            bench.province[{"province": "boundary", "counties": "counties"}[name]] = path.name
        else:
            bench.files[name] = path.name

    return spoil


def province_layer():
    return gpd.GeoDataFrame({"name": ["p"]}, geometry=[PROVINCE], crs=4326)


def keys(**changes):
    return lambda bench: bench.province.update(changes)


def nan_corner(shape):
    xy = shapely.get_coordinates(shape)
    xy[1, 0] = np.nan
    return shapely.Polygon(xy)


def point_polygon(bench):
    """A polygon of one point, as a digitiser's slip leaves it, written past all checks."""
    wkb = (
        b"\x01\x03\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00"
        + np.array([112.01, 24.01]).tobytes()
    )
    blob = b"GP\x00\x01" + (4326).to_bytes(4, "little") + wkb
    path = bench.folder / "cropland.gpkg"
    with sqlite3.connect(path) as connection:
        # The spatial index's triggers need functions that only GDAL has.
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type='trigger'"
        ).fetchall():
            connection.execute(f'DROP TRIGGER "{name}"')
        connection.execute("UPDATE cropland SET geom = ? WHERE fid = 1", (blob,))


PLAN_FAULTS = {
    "no boundary": Fault(removed("province.gpkg"), ["province.gpkg", "does not exist"]),
    "an empty boundary": Fault(emptied("province.gpkg"), ["province.gpkg", "GeoPackage"]),
    "a folder as boundary": Fault(folder_instead("province.gpkg"), ["province.gpkg", "no folder"]),
    "a boundary that may not be read": Fault(unreadable("province.gpkg"), ["province.gpkg"]),
    "a web page as boundary": Fault(web_page_instead("province.gpkg"), ["province.gpkg", "QGIS"]),
    "a boundary cut short": Fault(cut_short("province.gpkg"), ["province.gpkg"]),
    "a shapefile without .shx": Fault(
        shapefile_without(".shx", "province", province_layer), ["province.shp", ".shx"]
    ),
    "a shapefile without .prj": Fault(
        shapefile_without(".prj", "province", province_layer), ["no coordinate reference system", ".prj"]
    ),
    "a county shapefile without .dbf": Fault(
        shapefile_without(".dbf", "counties", lambda: province_layer().assign(**COUNTY)),
        ["counties.shp", "county_id", ".dbf"],
    ),
    "latitude before longitude": Fault(
        vector("province.gpkg", geometry=[SWAPPED]), ["leaves the grid", "longitude", "EPSG:4326"]
    ),
    "metres called degrees": Fault(
        vector("province.gpkg", geometry=[METRES]), ["leaves the grid", "400000", "EPSG:4326"]
    ),
    "a self-intersection": Fault(
        vector("province.gpkg", geometry=[BOW]), ["invalid geometry", "Self-intersection", "Fix geometries"]
    ),
    "a line for a province": Fault(
        vector("province.gpkg", geometry=[shapely.LineString([(112, 24), (112.1, 24.1)])]),
        ["province.gpkg", "LineString", "olygon"],
    ),
    "a point for a province": Fault(
        vector("province.gpkg", geometry=[shapely.Point(112, 24)]), ["province.gpkg", "Point", "olygon"]
    ),
    "a corner that is no number": Fault(
        lambda b: (
            vector("province.parquet", geometry=[nan_corner(PROVINCE)])(b),
            b.province.update(boundary="province.parquet"),
        ),
        ["province.parquet"],
    ),
    "a layer without features": Fault(
        vector("province.gpkg", province_layer().iloc[:0]), ["province.gpkg", "no features"]
    ),
    "a feature without geometry": Fault(
        vector("province.gpkg", geometry=[PROVINCE, None]), ["province.gpkg", "without geometry"]
    ),
    "no layer of that name": Fault(keys(boundary_layer="south"), ["province.gpkg", "south"]),
    "no attribute of that name": Fault(
        keys(boundary_query={"field": "NAME", "value": "p"}), ["no attribute 'NAME'", "name"]
    ),
    "no feature of that name": Fault(
        keys(boundary_query={"field": "name", "value": "q"}), ["name = 'q'", "allowed: p"]
    ),
    "a county id twice": Fault(
        vector(
            "counties.gpkg", geometry=[PROVINCE, PROVINCE], county_id=["1", "1"], county=["C", "D"], city=["D", "D"]
        ),
        ["counties.gpkg", "not unique", "dissolve"],
    ),
    "a county without an id": Fault(
        vector(
            "counties.gpkg", geometry=[PROVINCE, PROVINCE], county_id=["1", None], county=["C", "D"], city=["D", "D"]
        ),
        ["counties.gpkg", "county_id", "empty"],
    ),
    "counties of another place": Fault(
        vector("counties.gpkg", geometry=[shapely.box(10, 50, 11, 51)], **COUNTY),
        ["no county lies in the province", "province.counties"],
    ),
    "an invalid county": Fault(
        vector("counties.gpkg", geometry=[BOW], **COUNTY), ["county 1 (C) is invalid", "repair_counties"]
    ),
    "counties as points": Fault(
        vector("counties.gpkg", geometry=[shapely.Point(112.05, 24.05)], **COUNTY), ["counties.gpkg", "olygon"]
    ),
}  # fmt: skip

LABEL_FAULTS = {
    "no file": Fault(removed("cropland.gpkg"), ["cropland.gpkg", "does not exist", "labels.cropland"]),
    "an empty file": Fault(emptied("cropland.gpkg"), ["cropland.gpkg", "cannot be read", "QGIS"]),
    "cut short": Fault(cut_short("cropland.gpkg", 0.3), ["cropland.gpkg"]),
    "a web page": Fault(web_page_instead("extents.gpkg"), ["labels.extents", "cannot be read"]),
    "an empty layer": Fault(vector("cropland.gpkg", fields().iloc[:0]), ["cropland.gpkg", "no features"]),
    "a shapefile without .shx": Fault(
        shapefile_without(".shx", "cropland", fields), ["cropland.shp", ".shx"]
    ),
    "a shapefile without .dbf": Fault(
        shapefile_without(".dbf", "extents", extents), ["extents.shp", "extent_id", "has no attribute"]
    ),
    "a shapefile without .prj": Fault(
        shapefile_without(".prj", "cropland", fields), ["coordinate reference system", ".prj"]
    ),
    "an attribute table alone": Fault(
        lambda b: (
            fields().to_file(b.folder / "cropland.shp"), b.files.update(cropland="cropland.dbf"),
            (b.folder / "cropland.shp").unlink(), (b.folder / "cropland.shx").unlink(),
        ),
        ["cropland.dbf", "no geometries"],
    ),
    "a table for a layer": Fault(
        lambda b: ((b.folder / "cropland.csv").write_text("a,b\n1,2\n"), b.files.update(cropland="cropland.csv")),
        ["cropland.csv", "no geometries"],
    ),
    "latitude before longitude": Fault(
        vector("cropland.gpkg", fields([shapely.transform(s, lambda xy: xy[:, ::-1]) for s in FIELDS])),
        ["is no place", "latitude 112", "QGIS"],
    ),
    "metres called degrees": Fault(
        vector("cropland.gpkg", fields([METRES])), ["is no place", "400000"]
    ),
    "degrees called metres": Fault(
        vector("extents.gpkg", extents().set_crs(3857, allow_override=True)), ["outside", "CRS"]
    ),
    "a polygon of one point": Fault(point_polygon, ["cropland.gpkg"]),
    "a corner that is no number": Fault(
        lambda b: (
            vector("cropland.parquet", fields([nan_corner(FIELDS[0]), *FIELDS[1:]]))(b),
            b.files.update(cropland="cropland.parquet"),
        ),
        ["cropland.parquet", "row 0", "nvalid"],
    ),
    "a datum of the moon": Fault(
        lambda b: (
            shapefile_without(".cpg", "cropland", fields)(b),
            (b.folder / "cropland.prj").write_text(MOON),
        ),
        ["cropland.shp", "cannot be brought to EPSG:4326", "Set CRS"],
    ),
    "lines": Fault(
        vector("cropland.gpkg", fields([shapely.LineString(FIELDS[0].exterior.coords)])),
        ["fid 1: given LineString", "layer of their own"],
    ),
    "a self-intersection": Fault(
        vector("cropland.gpkg", fields([BOW])), ["fid 1", "Self-intersection", "labels.repair"]
    ),
    "a class nobody knows": Fault(
        vector("cropland.gpkg", fields(**{"class": ["paddy", "padi", "maize"]})), ["fid 2: unknown class 'padi'"]
    ),
    "a split nobody knows": Fault(
        vector("extents.gpkg", extents(split=["train", "test"])), ["split is 'test'", "train, validation"]
    ),
    "no training extent": Fault(
        vector("extents.gpkg", extents(split=["validation", "validation"])), ["train"]
    ),
    "an extent id twice": Fault(
        vector("extents.gpkg", extents(extent_id=["a", "a"])), ["extent_id of fid 1, fid 2"]
    ),
    "an extent without a split": Fault(
        vector("extents.gpkg", extents(split=["train", None])), ["fid 2", "split"]
    ),
    "a source nobody has": Fault(
        vector("cropland.gpkg", fields(source=["bing", "", ""])), ["unknown source 'bing'", "a, b"]
    ),
    "a time of Excel": Fault(
        vector("cropland.gpkg", fields(labelled_at=["44317", "", ""])), ["'44317' is no time"]
    ),
    "a day first": Fault(
        vector("cropland.gpkg", fields(labelled_at=["31.12.2021", "", ""])), ["'31.12.2021' is no time"]
    ),
    "extents too near": Fault(
        lambda b: setattr(b, "settings", {"leakage_metres": 50_000}), ["m apart", "labels.leakage_metres"]
    ),
    "extents of both splits": Fault(
        vector("extents.gpkg", gpd.GeoDataFrame(
            {"extent_id": ["a", "b"], "split": ["train", "validation"]}, geometry=[EXTENTS[0], EXTENTS[0]], crs=4326
        )),
        ["train and validation share"],
    ),
    "a polygon id twice": Fault(
        vector("cropland.gpkg", fields(polygon_id=["x", "x", "y"])), ["polygon_id of fid 1, fid 2"]
    ),
}  # fmt: skip

ROW = "E11200N2400,a,TP\n"


def table(text: str, encoding: str = "utf-8"):
    return bytes_instead("semantic.csv", text.encode(encoding))


HEAD = "block_id,source,semantic_class\n"
TABLE_FAULTS = {
    "an empty file": Fault(emptied("semantic.csv"), ["semantic.csv", "no column 'block_id'"]),
    "a folder": Fault(folder_instead("semantic.csv"), ["semantic.csv", "no label file"]),
    "a web page": Fault(web_page_instead("semantic.csv"), ["semantic.csv", "web page"]),
    "a workbook": Fault(bytes_instead("semantic.csv", b"PK\x03\x04x"), ["semantic.csv", "save it as CSV"]),
    "semicolons": Fault(
        table((HEAD + ROW).replace(",", ";")), ["no column 'block_id'", "semicolons"]
    ),
    "gbk": Fault(table("block_id,source,semantic_class,annotator\nE11200N2400,a,TP,王\n", "gbk"), ["utf-8-sig"]),
    "utf-16": Fault(table(HEAD + ROW, "utf-16"), ["semantic.csv", "UTF-8"]),
    "a class in another word": Fault(table(HEAD + ROW.replace("TP", "yes")), ["line 2", "'yes'", "TP, FP"]),
    "a block of another province": Fault(
        table(HEAD + ROW.replace("E11200", "E10000")), ["line 2", "E10000N2400", "e.g. E11200N2400"]
    ),
    "a block by its name in degrees": Fault(table(HEAD + ROW.replace("E11200N2400", "112.00 24.00")), ["112.00 24.00"]),
    "a source of another name": Fault(table(HEAD + ROW.replace(",a,", ",google,")), ["'google'", "e.g. a, b"]),
    "two words at one time": Fault(table(HEAD + ROW + ROW.replace("TP", "FP")), ["line 2, line 3", "TP and FP"]),
    "a comma too many": Fault(table(HEAD + ROW.replace("\n", ",sure\n")), ["line 2: 4 fields", "quotation marks"]),
    "a column twice": Fault(
        table("block_id,source,source,semantic_class\nE11200N2400,a,a,TP\n"), ["more than one column 'source'"]
    ),
    "an open quotation mark": Fault(table(HEAD + '"' + ROW), ["semantic.csv, line", "quotation mark"]),
    "a time of Excel": Fault(
        table(HEAD.replace("\n", ",labelled_at\n") + ROW.replace("\n", ",44317.5\n")), ["44317.5", "no time"]
    ),
}  # fmt: skip


def via(**changes):
    """Change the shape of the one region."""

    def spoil(bench):
        bench.region["shape_attributes"] |= changes
        bench.write({"a.tif1": {"filename": "a.tif", "size": 1, "regions": [bench.region]}})

    return spoil


def via_content(content):
    return lambda bench: bench.write(content)


VIA_FAULTS = {
    "no file": Fault(removed("via.json"), ["via.json does not exist"]),
    "an empty file": Fault(emptied("via.json"), ["via.json are not JSON", "Export Annotations"]),
    "cut short": Fault(cut_short("via.json"), ["via.json are not JSON"]),
    "the CSV export": Fault(bytes_instead("via.json", b"#filename,file_size\na.tif,1\n"), ["as JSON"]),
    "a web page": Fault(web_page_instead("via.json"), ["via.json is a web page"]),
    "utf-16": Fault(bytes_instead("via.json", '{"a": 1}'.encode("utf-16")), ["via.json", "UTF-8"]),
    "brackets without end": Fault(bytes_instead("via.json", b"[" * 100_000), ["not JSON"]),
    "a COCO file": Fault(
        via_content({"images": [], "annotations": [], "categories": []}), ["image 'images'", "no filename"]
    ),
    "a list": Fault(via_content([]), ["hold no images", "given: list"]),
    "two points": Fault(via(all_points_x=[1, 5], all_points_y=[1, 1]), ["a.tif, region 0", "three different points"]),
    "one point thrice": Fault(via(all_points_x=[1, 1, 1], all_points_y=[2, 2, 2]), ["three different points"]),
    "more x than y": Fault(via(all_points_x=[1, 2, 3, 4]), ["4 x but 3 y"]),
    "texts for numbers": Fault(via(all_points_x=["1", "5", "5"]), ["not all numbers"]),
    "no end": Fault(via(all_points_x=[1, float("inf"), 5]), ["not all finite"]),
    "a number beyond all floats": Fault(via(all_points_x=[1, 10**400, 5]), ["a.tif, region 0", "finite"]),
    "a point": Fault(via(name="point"), ["shape 'point' has no area", "polygon, rect, circle, ellipse"]),
    "a name that is a list": Fault(via(name=["polygon"]), ["a.tif, region 0"]),
    "no shape": Fault(
        via_content({"a": {"filename": "a.tif", "regions": [{}]}}), ["shape_attributes is missing"]
    ),
    "an image twice": Fault(
        via_content({k: {"filename": "a.tif", "regions": []} for k in "ab"}), ["a.tif: appears twice"]
    ),
}  # fmt: skip

TABLES = {
    "plan": (Plan, PLAN_FAULTS),
    "labels": (Labels, LABEL_FAULTS),
    "table": (Table, TABLE_FAULTS),
    "via": (Via, VIA_FAULTS),
}


@pytest.fixture(scope="module")
def templates(tmp_path_factory):
    """The folder of an unspoilt bench of a class, made once."""

    @cache
    def of(make):
        return make(tmp_path_factory.mktemp("template") / "w").folder

    return of


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, (_, faults) in TABLES.items() for name in faults]
)
def test_a_mistake_is_one_message(tmp_path, templates, kind, name):
    make, faults = TABLES[kind]
    bench = make(tmp_path / "w", templates(make))
    faults[name].spoil(bench)
    refuse(end_of_job(bench), faults[name].words, out=bench.out)


@pytest.mark.parametrize("kind", TABLES)
def test_without_a_mistake_it_works(tmp_path, kind):
    bench = TABLES[kind][0](tmp_path / "w")
    ending = end_of_job(bench)
    assert ending.code == 0, ending.shown


def test_a_copied_layer_is_no_other_layer(tmp_path):
    bench = Labels(tmp_path / "w")
    copied("extents.gpkg", "cropland.gpkg")(bench)
    refuse(end_of_job(bench), ["extents.gpkg", "has no attribute 'extent_id'"], out=bench.out)
