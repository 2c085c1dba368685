"""Close-ups: the place of a crop by brute force, pixels of products in percent, what is drawn."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import rasterio
from matplotlib.image import imread
from rasterio.transform import from_origin

from cropalloc.export.places import Places
from cropalloc.grid.cellgrid import CELL_COLUMNS, CellGrid
from cropalloc.report import close_ups
from cropalloc.report.close_ups import densest, edge_cells, plot_close_ups
from cropalloc.settings.validation import ProductMap
from cropbase.tables import write_table

GRID = CellGrid.from_bounds((20.0, 10.0, 20.5, 10.4), 30)


@pytest.mark.parametrize("seed", range(5))
def test_the_place_is_where_most_of_the_crop_lies(seed):
    values = np.random.default_rng(seed).random((13, 17))
    rows, cols = densest(values, 4)
    sums = {
        (r, c): values[r : r + 4, c : c + 4].sum() for r in range(13 - 3) for c in range(17 - 3)
    }
    assert (rows.start, cols.start) == max(sums, key=sums.get)
    assert (rows.stop - rows.start, cols.stop - cols.start) == (4, 4)


def test_a_grid_smaller_than_the_place_is_shown_whole():
    assert densest(np.ones((3, 9)), 5) == (slice(0, 3), slice(0, 5))


@pytest.fixture
def case(tmp_path):
    """Tables of a made case: maize in one corner, rice all over."""
    index = np.arange(GRID.rows * GRID.columns)
    row, col = np.divmod(index, GRID.columns)
    area = GRID.row_areas_ha[row]
    lon = (GRID.lon_edges[:-1] + GRID.lon_edges[1:])[col] / 2
    lat = (GRID.lat_edges[:-1] + GRID.lat_edges[1:])[row] / 2
    cells = pd.DataFrame(
        dict(zip(CELL_COLUMNS, (index, row, col, lon, lat, area, "u"), strict=True))
    )
    cells.attrs["grid"] = {
        "resolution_arcseconds": 30, "first_row": GRID.first_row, "first_col": GRID.first_col,
        "rows": GRID.rows, "columns": GRID.columns,
    }  # fmt: skip
    write_table(cells, tmp_path / "cells.parquet")
    write_table(
        pd.DataFrame({"cell_id": index, "cropland_ha": area / 2}), tmp_path / "selected.parquet"
    )
    corner = (row >= GRID.rows - 10) & (col >= GRID.columns - 10)
    placed = pd.concat(
        pd.DataFrame({"cell_id": index[at], "crop": crop, "system": "H", "harvested_ha": ha[at]})
        for crop, at, ha in (("maize", corner, 0.3 * area), ("rice", row >= 0, 0.1 * area))
    )
    write_table(placed, tmp_path / "areas.parquet")
    return tmp_path


def test_each_panel_shows_percent_of_its_own_pixels(case, monkeypatch):
    tenth = from_origin(20.0, 10.5, 0.1, 0.1)
    with rasterio.open(
        case / "spam.tif", "w", driver="GTiff", height=6, width=6, count=1, dtype="float32",
        crs="EPSG:4326", transform=tenth,
    ) as dataset:  # fmt: skip
        dataset.write(np.full((6, 6), 600.0, np.float32), 1)
    drawn = {}

    def keep(rows, names, totals, *_):
        drawn.update({crop: (land, panels) for crop, land, panels in rows})
        drawn["names"] = names

    monkeypatch.setattr(close_ups, "_draw", keep)
    plot_close_ups(
        cells=case / "cells.parquet",
        selected=case / "selected.parquet",
        areas={"max_score": [case / "areas.parquet"], "cropland": [case / "areas.parquet"]},
        products={"spam": [ProductMap(crop="maize", path=case / "spam.tif")]},
        output=case / "f.png",
    )
    assert drawn["names"] == ["land", "max_score", "cropland", "spam"]
    land, panels = drawn["maize"]
    _, places = Places.read(case / "cells.parquet")
    edge = edge_cells(places)
    assert edge == 30  # half of the wider side
    assert land.percent == pytest.approx(50, rel=1e-6)
    assert land.extent == pytest.approx((20.25, 10.0, 20.5, 10.25))
    own = panels["max_score"].percent
    assert own[-10:, -10:] == pytest.approx(30, rel=1e-6)
    assert own.sum() == pytest.approx(100 * 30, rel=1e-6)
    spam = panels["spam"]
    # Pixels of 0.1 degree that touch 20.25-20.5 E, 10.0-10.25 N.
    assert spam.extent == pytest.approx((20.2, 10.0, 20.5, 10.3))
    assert spam.percent.shape == (3, 3)
    one = 0.1 * 111_320 * np.cos(np.radians(10.15)) * 0.1 * 110_600 / 1e4
    assert spam.percent[1, 0] == pytest.approx(100 * 600 / one, rel=0.01)
    assert set(drawn["rice"][1]) == {"max_score", "cropland"}


def test_the_figure_is_drawn_and_leaves_out_what_a_product_lacks(case):
    figure = case / "f.png"
    plot_close_ups(
        cells=case / "cells.parquet",
        selected=case / "selected.parquet",
        areas={"max_score": [case / "areas.parquet"]},
        products={},
        output=figure,
        title="Made",
        note="Generated data",
    )
    picture = imread(figure)[..., :3]
    green = (picture[..., 1] > picture[..., 0] + 0.15) & (picture[..., 1] > picture[..., 2])
    assert 0.02 < green.mean() < 0.6
