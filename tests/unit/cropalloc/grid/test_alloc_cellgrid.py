"""The grid of a case."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cropalloc.grid import CellGrid, read_cells
from cropalloc.settings.grid import AllocationGridSettings
from cropbase.areas import polygon_areas_ha
from cropbase.errors import InputError
from cropbase.tables import write_table

import shapely  # isort: skip

LEAVES = {"kind": "polygons", "layers": [{"path": "x.gpkg", "attribute": "id"}]}


def test_bounds_are_snapped_outwards_to_whole_cells():
    grid = CellGrid.from_bounds((112.93, -11.4, 113.2, -11.0), 300)
    assert grid.bounds == pytest.approx((112 + 11 / 12, -11 - 5 / 12, 113.25, -11.0), abs=1e-12)
    assert grid.shape == (5, 4)
    assert grid.transform.a == pytest.approx(1 / 12) and grid.transform.e == pytest.approx(-1 / 12)


@given(
    st.sampled_from([3, 10, 30, 300, 3600]),
    st.floats(-179, 170),
    st.floats(-89, 80),
    st.floats(0.01, 5),
    st.floats(0.01, 5),
)
def test_a_grid_holds_its_bounds_and_is_its_own_snapping(arcseconds, west, south, width, height):
    grid = CellGrid.from_bounds((west, south, west + width, south + height), arcseconds)
    w, s, e, n = grid.bounds
    tolerance = 2e-6 * grid.degrees
    assert w <= west + tolerance and s <= south + tolerance
    assert e >= west + width - tolerance and n >= south + height - tolerance
    assert west - w < grid.degrees and n - (south + height) < grid.degrees + tolerance
    assert CellGrid.from_bounds(grid.bounds, arcseconds) == grid


def test_rounding_in_bounds_adds_no_cells():
    exact = CellGrid.from_bounds((112 + 11 / 12, -20.0, 130.0, -11.0), 300)
    noisy = CellGrid.from_bounds((112.91666666666, -20.00000001, 130.00000001, -10.99999999), 300)
    assert noisy == exact


def test_areas_of_cells_sum_to_the_area_of_the_grid():
    grid = CellGrid.from_bounds((100.0, 30.0, 104.0, 33.0), 300)
    whole = polygon_areas_ha(np.array([shapely.box(100, 30, 104, 33)]))[0]
    assert grid.row_areas_ha.sum() * grid.columns == pytest.approx(whole, rel=1e-9)


def test_cell_ids_count_along_rows_and_the_grid_survives_the_file(tmp_path):
    grid = CellGrid.from_bounds((10.0, 20.0, 11.0, 21.0), 600)
    cells = grid.table(np.array([5, 0, 2]), np.array([1, 3, 0]), np.array(["b", "a", "c"]))
    assert list(cells["cell_id"]) == [3, 12, 31]
    assert list(cells["leaf_id"]) == ["a", "c", "b"]
    assert cells["lon"].iloc[0] == pytest.approx(10 + 3.5 / 6)
    assert cells["lat"].iloc[0] == pytest.approx(21 - 0.5 / 6)
    write_table(cells, tmp_path / "cells.parquet")
    back, again = read_cells(tmp_path / "cells.parquet")
    assert again == grid
    pd.testing.assert_frame_equal(back, cells, check_dtype=False)


def test_a_strip_is_a_window_of_the_same_grid():
    grid = CellGrid.from_bounds((10.0, 20.0, 11.0, 21.0), 600)
    strip = grid.strip(2, 99)
    assert strip.shape == (4, 6)
    assert strip.lat_edges == pytest.approx(grid.lat_edges[2:])


def test_a_table_without_its_grid_is_refused(tmp_path):
    grid = CellGrid.from_bounds((10.0, 20.0, 11.0, 21.0), 600)
    cells = grid.table(np.array([0]), np.array([0]), np.array(["a"]))
    cells.attrs = {}
    write_table(cells, tmp_path / "cells.parquet")
    with pytest.raises(InputError, match="does not say which grid"):
        read_cells(tmp_path / "cells.parquet")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"resolution_arcseconds": 7}, "whole number of cells"),
        ({"bounds_degrees": (10, 5, 5, 10)}, "west, south, east, north"),
    ],
)
def test_settings_refuse_what_makes_no_grid(values, message):
    with pytest.raises(ValidationError, match=message):
        AllocationGridSettings(leaves=LEAVES, **values)
