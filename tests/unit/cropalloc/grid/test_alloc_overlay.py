"""Area-preserving overlay, against areas measured in other ways."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod, Transformer
from rasterio.io import MemoryFile
from rasterio.transform import Affine

from cropalloc.grid import CellGrid
from cropalloc.grid.overlay import Overlay, apply
from cropbase.areas import polygon_areas_ha


def raster(values, transform, crs="EPSG:4326"):
    memory = MemoryFile()
    height, width = values.shape
    profile = {"driver": "GTiff", "height": height, "width": width, "count": 1}
    with memory.open(dtype="float64", crs=crs, transform=transform, **profile) as dataset:
        dataset.write(values, 1)
    return memory.open()


def overlaid(dataset, grid):
    total = np.zeros(grid.shape)
    overlay = Overlay(dataset, grid)
    for window in overlay.windows():
        overlay.add(window, [dataset.read(1, window=window)], [total])
    return total


def boxes(transform, shape):
    row, col = np.mgrid[: shape[0], : shape[1]]
    west, north = transform.c + col * transform.a, transform.f + row * transform.e
    return shapely.box(west, north + transform.e, west + transform.a, north)


@settings(max_examples=25, deadline=None)
@given(
    st.floats(0.003, 0.4),
    st.floats(0.003, 0.4),
    st.floats(-0.3, 0.3),
    st.floats(-80, 75),
    st.sampled_from([30, 300, 900]),
    st.integers(0, 2**32 - 1),
)
def test_hectares_are_kept_at_any_resolution(width, height, shift, south, arcseconds, seed):
    values = np.random.default_rng(seed).random((7, 9))
    transform = Affine(width, 0, 20 + shift, 0, -height, south + shift + 7 * height)
    with raster(values, transform) as dataset:
        grid = CellGrid.from_bounds(tuple(dataset.bounds), arcseconds)
        total = overlaid(dataset, grid)
    expected = (values * polygon_areas_ha(boxes(transform, (7, 9)).ravel()).reshape(7, 9)).sum()
    assert total.sum() == pytest.approx(expected, rel=1e-6)


def test_each_cell_gets_what_overlaps_it():
    values = np.random.default_rng(1).random((6, 5))
    transform = Affine(0.11, 0, 30.03, 0, -0.07, 45.02)
    with raster(values, transform) as dataset:
        grid = CellGrid.from_bounds((30.1, 44.7, 30.5, 45.0), 300)
        total = overlaid(dataset, grid)
    pixels = boxes(transform, values.shape)
    for row, col in np.ndindex(grid.shape):
        cell = shapely.box(
            grid.lon_edges[col],
            grid.lat_edges[row + 1],
            grid.lon_edges[col + 1],
            grid.lat_edges[row],
        )
        shared = polygon_areas_ha(shapely.intersection(pixels, cell).ravel())
        assert total[row, col] == pytest.approx(shared @ values.ravel(), rel=1e-7, abs=1e-6)


@pytest.mark.parametrize("metres", [30.0, 700.0, 9000.0])
def test_a_projected_raster_keeps_its_hectares(metres):
    shape = (12, 10)
    values = np.random.default_rng(2).random(shape)
    transform = Affine(metres, 0, -50_000.0, 0, -metres, 1_800_000.0)
    to_lonlat = Transformer.from_crs("EPSG:5070", "EPSG:4326", always_xy=True)
    geod = Geod(ellps="WGS84")
    expected = 0.0
    for row, col in np.ndindex(shape):
        corners = [apply(transform, col + a, row + b) for a, b in ((0, 0), (1, 0), (1, 1), (0, 1))]
        lon, lat = to_lonlat.transform(*zip(*corners, strict=True))
        expected += values[row, col] * abs(geod.polygon_area_perimeter(lon, lat)[0]) / 1e4
    with raster(values, transform, "EPSG:5070") as dataset:
        bounds = rasterio.warp.transform_bounds(dataset.crs, "EPSG:4326", *dataset.bounds)
        grid = CellGrid.from_bounds(tuple(np.add(bounds, (-0.1, -0.1, 0.1, 0.1))), 30)
        total = overlaid(dataset, grid)
    assert total.sum() == pytest.approx(expected, rel=1e-6)


def test_a_coarse_projected_raster_fills_its_cells_evenly():
    transform = Affine(20_000.0, 0, -40_000.0, 0, -20_000.0, 1_800_000.0)
    with raster(np.full((4, 4), 0.25), transform, "EPSG:5070") as dataset:
        x, y = apply(transform, 2, 2)
        to_lonlat = Transformer.from_crs(dataset.crs, "EPSG:4326", always_xy=True)
        lon, lat = to_lonlat.transform(x, y)
        grid = CellGrid.from_bounds((lon - 0.1, lat - 0.1, lon + 0.1, lat + 0.1), 30)
        total = overlaid(dataset, grid)
    assert total == pytest.approx(
        np.repeat(grid.row_areas_ha[:, None] * 0.25, grid.columns, 1), rel=0.005
    )


def test_strips_give_what_the_whole_gives():
    values = np.random.default_rng(3).random((20, 20))
    for transform, crs in (
        (Affine(0.03, 0, 10.0, 0, -0.03, 50.0), "EPSG:4326"),
        (Affine(2500.0, 0, 600_000.0, 0, -2500.0, 5_500_000.0), "EPSG:32632"),
    ):
        with raster(values, transform, crs) as dataset:
            bounds = rasterio.warp.transform_bounds(dataset.crs, "EPSG:4326", *dataset.bounds)
            grid = CellGrid.from_bounds(bounds, 120)
            whole = overlaid(dataset, grid)
            strips = [overlaid(dataset, grid.strip(r, r + 5)) for r in range(0, grid.rows, 5)]
        assert np.vstack(strips) == pytest.approx(whole, rel=1e-9, abs=1e-9)
        assert whole.sum() > 0


def test_nearly_equal_edges_leak_nothing_into_the_next_cell():
    values = np.zeros((3, 3))
    values[1, 1] = 1.0
    step = 0.08333333333333331
    with raster(values, Affine(step, 0, 112.91666666666666, 0, -step, -11.0)) as dataset:
        grid = CellGrid.from_bounds((112.8, -11.4, 113.3, -10.9), 300)
        total = overlaid(dataset, grid)
    assert np.count_nonzero(total) == 1
    assert total.max() == pytest.approx(grid.row_areas_ha[np.argmax(total.max(axis=1))])


def test_a_raster_elsewhere_gives_no_windows():
    with raster(np.ones((3, 3)), Affine(0.1, 0, 10, 0, -0.1, 50)) as dataset:
        assert list(Overlay(dataset, CellGrid.from_bounds((60, 0, 61, 1), 300)).windows()) == []
