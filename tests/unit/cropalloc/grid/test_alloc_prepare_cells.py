"""Which unit a cell belongs to, and what is told about the rest."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from rasterio.transform import Affine

from cropalloc.grid import prepare_cells, read_cells
from cropalloc.settings.grid import AllocationGridSettings
from cropbase.errors import InputError
from cropbase.tables import write_table


def units(tmp_path, rows):
    path = tmp_path / "units.parquet"
    write_table(pd.DataFrame(rows, columns=["unit_id", "name", "level", "parent_id"]), path)
    return path


NATION = [("N", "Nation", 0, None), ("A", "Alpha", 1, "N"), ("B", "Beta", 1, "N")]


def layer(tmp_path, shapes, name="units.gpkg", crs="EPSG:4326"):
    table = gpd.GeoDataFrame(
        {"code": list(shapes), "title": [f"{k} name" for k in shapes]},
        geometry=list(shapes.values()),
        crs=crs,
    )
    table.to_file(tmp_path / name)
    return tmp_path / name


def prepare(tmp_path, unit_path, leaves, arcseconds=360, **more):
    settings = AllocationGridSettings(resolution_arcseconds=arcseconds, leaves=leaves, **more)
    prepare_cells(
        units=unit_path,
        grid=settings,
        cells_path=tmp_path / "cells.parquet",
        findings_path=tmp_path / "findings.csv",
    )
    cells, grid = read_cells(tmp_path / "cells.parquet")
    return cells, grid, pd.read_csv(tmp_path / "findings.csv")


def polygons(path, attribute="code", **more):
    layer_more = {k: more.pop(k) for k in ("match", "level", "renames") if k in more}
    entry = {"path": path, "attribute": attribute, **layer_more}
    return {"kind": "polygons", "layers": [entry], **more}


def test_a_cell_belongs_to_the_unit_that_its_centre_lies_in(tmp_path):
    a = shapely.Polygon([(0, 0), (0.93, 0.07), (0.61, 0.9), (0.02, 0.7)])
    b = shapely.Polygon([(0.93, 0.07), (1.4, 0.5), (0.61, 0.9)])
    path = layer(tmp_path, {"A": a, "B": b})
    cells, grid, findings = prepare(tmp_path, units(tmp_path, NATION), polygons(path))
    expected = {}
    for row, col in np.ndindex(grid.shape):
        centre = shapely.Point(
            grid.lon_edges[col] + grid.degrees / 2, grid.lat_edges[row] - grid.degrees / 2
        )
        for unit, shape in (("A", a), ("B", b)):
            if shape.contains(centre):
                expected[row * grid.columns + col] = unit
    assert dict(zip(cells["cell_id"], cells["leaf_id"], strict=True)) == expected
    assert len(findings) == 0


def test_the_order_of_the_features_does_not_matter(tmp_path):
    shapes = {"A": shapely.box(0, 0, 1, 1), "B": shapely.box(0.47, 0, 2, 1)}
    unit_path = units(tmp_path, NATION)
    one = prepare(tmp_path, unit_path, polygons(layer(tmp_path, shapes, "one.gpkg")))
    turned = dict(reversed(shapes.items()))
    two = prepare(tmp_path, unit_path, polygons(layer(tmp_path, turned, "two.gpkg")))
    pd.testing.assert_frame_equal(one[0], two[0])
    overlap = one[2][one[2]["kind"] == "overlapping_polygons"]
    assert overlap["cells"].tolist() == [50]  # 5 columns of centres from 0.55 on, 10 rows


def test_a_unit_without_a_centre_takes_the_cell_that_it_overlaps_most(tmp_path):
    small = shapely.box(0.26, 0.51, 0.315, 0.54)  # mostly in column 2, beside every centre
    path = layer(tmp_path, {"A": shapely.box(0, 0, 1, 1), "B": small})
    cells, _grid, findings = prepare(tmp_path, units(tmp_path, NATION), polygons(path))
    assert cells[cells["leaf_id"] == "B"][["row", "col"]].to_numpy().tolist() == [[4, 2]]
    assert len(cells) == 100
    told = findings[findings["kind"] == "unit_without_centre"].iloc[0]
    assert told["unit_id"] == "B" and "from A" in told["action"]


def test_two_small_units_do_not_get_the_same_cell(tmp_path):
    rows = [*NATION, ("C", "Gamma", 1, "N")]
    shapes = {
        "A": shapely.box(0, 0, 1, 1),
        "B": shapely.box(0.21, 0.51, 0.24, 0.54),
        "C": shapely.box(0.26, 0.51, 0.31, 0.54),
    }
    cells, _, _ = prepare(tmp_path, units(tmp_path, rows), polygons(layer(tmp_path, shapes)))
    where = {u: g[["row", "col"]].to_numpy().tolist() for u, g in cells.groupby("leaf_id")}
    assert where["C"] == [[4, 2]]  # C overlaps the cell more
    assert "B" not in where  # and B overlaps no other


def test_a_small_unit_never_takes_the_only_cell_of_another(tmp_path):
    shapes = {"A": shapely.box(0.0, 0.0, 0.1, 0.1), "B": shapely.box(0.01, 0.01, 0.04, 0.04)}
    path = layer(tmp_path, shapes)
    cells, _, findings = prepare(tmp_path, units(tmp_path, NATION), polygons(path))
    assert cells["leaf_id"].tolist() == ["A"]
    assert findings["kind"].tolist() == ["unit_without_cell"]


def test_a_unit_without_a_centre_is_only_reported_if_so_set(tmp_path):
    shapes = {"A": shapely.box(0, 0, 1, 1), "B": shapely.box(0.26, 0.51, 0.29, 0.54)}
    leaves = polygons(layer(tmp_path, shapes), unit_without_centre="report")
    cells, _, findings = prepare(tmp_path, units(tmp_path, NATION), leaves)
    assert set(cells["leaf_id"]) == {"A"}
    assert findings[["kind", "unit_id"]].to_numpy().tolist() == [["unit_without_cell", "B"]]


def test_a_later_layer_fills_what_the_finer_one_leaves(tmp_path):
    rows = [*NATION, ("A1", "Alpha one", 2, "A"), ("A2", "Alpha two", 2, "A")]
    fine = layer(
        tmp_path, {"A1": shapely.box(0, 0, 0.5, 1), "A2": shapely.box(0.5, 0, 1, 1)}, "fine.gpkg"
    )
    coarse = layer(
        tmp_path, {"A": shapely.box(0, 0, 1, 1), "B": shapely.box(1, 0, 2, 1)}, "coarse.gpkg"
    )
    leaves = {
        "kind": "polygons",
        "layers": [{"path": fine, "attribute": "code"}, {"path": coarse, "attribute": "code"}],
    }
    cells, _, findings = prepare(tmp_path, units(tmp_path, rows), leaves)
    assert cells["leaf_id"].value_counts().to_dict() == {"A1": 50, "A2": 50, "B": 100}
    assert findings["kind"].tolist() == ["boundary_above_the_leaves"]


def test_names_join_by_name_and_by_renames(tmp_path):
    shapes = {"A": shapely.box(0, 0, 1, 1), "Betta": shapely.box(1, 0, 2, 1)}
    rows = [("N", "Nation", 0, None), ("x1", "A name", 1, "N"), ("x2", "Beta", 1, "N")]
    leaves = polygons(
        layer(tmp_path, shapes), "title", match="name", renames={"Betta name": "Beta"}
    )
    cells, _, findings = prepare(tmp_path, units(tmp_path, rows), leaves)
    assert set(cells["leaf_id"]) == {"x1", "x2"} and findings.empty


def test_a_boundary_without_a_unit_is_told_with_its_area(tmp_path):
    path = layer(tmp_path, {"A": shapely.box(0, 0, 1, 1), "Z": shapely.box(1, 0, 2, 1)})
    _, _, findings = prepare(tmp_path, units(tmp_path, NATION), polygons(path))
    told = findings.set_index("kind")
    assert "'Z'" in told.loc["boundary_without_unit", "finding"]
    assert told.loc["boundary_without_unit", "area_ha"] == pytest.approx(1.23e6, rel=0.01)
    assert told.loc["unit_without_cell", "unit_id"] == "B"


def faulty(tmp_path, rows=NATION, shapes=None, crs="EPSG:4326", **more):
    shapes = shapes or {"A": shapely.box(0, 0, 1, 1)}
    prepare(tmp_path, units(tmp_path, rows), polygons(layer(tmp_path, shapes, crs=crs), **more))


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"attribute": "ADM"}, "has no attribute 'ADM'(.|\n)*allowed: code, title"),
        ({"shapes": {"Q": shapely.box(0, 0, 1, 1)}}, "no polygon belongs to a lowest unit"),
        ({"rows": [*NATION, ("A", "again", 1, "N")]}, "lists unit A more than once"),
        ({"crs": None}, "no coordinate reference system"),
        (
            {
                "rows": [*NATION, ("C", "A name", 1, "N"), ("D", "A name", 1, "N")],
                "attribute": "title",
                "match": "name",
            },
            "belongs to several units(.|\n)*C, D",
        ),
    ],
)
def test_faults_of_boundaries_are_named(tmp_path, fault, message):
    with pytest.raises(InputError, match=message):
        faulty(tmp_path, **fault)


def test_an_absent_layer_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.gpkg cannot be read"):
        prepare(tmp_path, units(tmp_path, NATION), polygons(tmp_path / "nowhere.gpkg"))


def value_raster(tmp_path, values, dtype="float32"):
    path = tmp_path / "values.tif"
    height, width = values.shape
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=height,
        width=width,
        count=1,
        dtype=dtype,
        crs="EPSG:4326",
        transform=Affine(0.1, 0, 10, 0, -0.1, 5),
        nodata=np.nan,
    ) as dataset:
        dataset.write(values.astype(dtype), 1)
    return path


def raster_leaves(tmp_path, values, table):
    path = tmp_path / "table.csv"
    table.to_csv(path, index=False)
    return {
        "kind": "raster",
        "path": value_raster(tmp_path, values),
        "table": path,
        "value_column": "value",
        "unit_column": "unit",
    }


def test_values_of_a_raster_join_through_the_table(tmp_path):
    values = np.array([[1, 2, np.nan], [2, 7, 8], [1, 7, 9]], dtype=float)
    table = pd.DataFrame({"value": [1.0, 2.0, 8.0], "unit": ["A", "B", "X"]})
    leaves = raster_leaves(tmp_path, values, table)
    cells, grid, findings = prepare(tmp_path, units(tmp_path, NATION), leaves)
    assert dict(zip(cells["cell_id"], cells["leaf_id"], strict=True)) == {
        0: "A",
        1: "B",
        3: "B",
        6: "A",
    }
    told = findings[findings["kind"] == "cell_without_unit"].set_index("name")
    assert told["cells"].to_dict() == {"7": 2, "8": 1, "9": 1}
    assert told.loc["9", "cell_id"] == 8
    assert told.loc["7", "area_ha"] == pytest.approx(grid.row_areas_ha[[1, 2]].sum(), abs=0.01)
    assert "'X'" in findings.set_index("kind").loc["boundary_without_unit", "finding"]


def test_a_value_of_two_units_is_refused(tmp_path):
    table = pd.DataFrame({"value": [1, 1], "unit": ["A", "B"]})
    leaves = raster_leaves(tmp_path, np.ones((2, 2)), table)
    with pytest.raises(InputError, match="gives value 1 more than one unit"):
        prepare(tmp_path, units(tmp_path, NATION), leaves)


def test_a_raster_without_any_known_unit_is_refused(tmp_path):
    table = pd.DataFrame({"value": [1], "unit": ["Q"]})
    leaves = raster_leaves(tmp_path, np.ones((2, 2)), table)
    with pytest.raises(InputError, match="no cell of the grid belongs to a unit"):
        prepare(tmp_path, units(tmp_path, NATION), leaves)


def test_two_runs_write_the_same_bytes(tmp_path):
    path = layer(tmp_path, {"A": shapely.box(0, 0, 1, 1), "B": shapely.box(1, 0, 2, 1)})
    unit_path = units(tmp_path, NATION)
    prepare(tmp_path, unit_path, polygons(path))
    first = [(tmp_path / name).read_bytes() for name in ("cells.parquet", "findings.csv")]
    prepare(tmp_path, unit_path, polygons(path))
    assert [(tmp_path / n).read_bytes() for n in ("cells.parquet", "findings.csv")] == first
