"""Areas of many polygons at once: laws, and the geodesic area of each by itself."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
import shapely.ops

from cropbase.areas import mask_area_ha, polygon_area_ha, polygon_areas_ha
from croplayer.grid import Block, BlockGrid


def test_areas_equal_the_geodesic_ones_for_short_edges():
    rng = np.random.default_rng(0)
    centres = rng.uniform([-179, -80], [179, 80], (50, 2))
    polygons = np.array([shapely.Point(c).buffer(rng.uniform(1e-4, 2e-2)) for c in centres])
    expected = [polygon_area_ha(polygon) for polygon in polygons]
    np.testing.assert_allclose(polygon_areas_ha(polygons), expected, rtol=1e-6)


def test_a_block_has_the_area_of_its_pixels():
    grid, block = BlockGrid(0.05, 100, 0.1), Block(400, 5000)
    transform = grid.transform(grid.block_window(block))
    pixels = mask_area_ha(np.ones((100, 100), dtype=bool), transform)
    assert polygon_areas_ha([grid.polygon(block)])[0] == pytest.approx(pixels, rel=1e-9)


def test_a_vertex_put_on_an_edge_changes_nothing_and_parts_add_up():
    whole = shapely.Polygon([(100, 45), (101, 45.3), (100.4, 46)])
    cut = shapely.LineString([(99, 45.2), (102, 45.7)])
    parts = shapely.ops.split(whole, cut).geoms
    assert len(parts) == 2
    area = polygon_areas_ha([whole, whole.segmentize(0.01), *parts])
    assert area[1] == pytest.approx(area[0], rel=1e-7)
    assert area[2] + area[3] == pytest.approx(area[0], rel=1e-7)


def test_holes_are_subtracted_parts_added_and_lines_are_nothing():
    box, hole = shapely.box(10, 10, 10.1, 10.1), shapely.box(10.02, 10.02, 10.05, 10.05)
    other = shapely.box(11, 10, 11.1, 10.1)
    mixed = shapely.GeometryCollection([other, shapely.LineString([(0, 0), (1, 1)])])
    a = polygon_areas_ha([box, hole, box - hole, shapely.MultiPolygon([box, other]), mixed, hole])
    assert a[2] == pytest.approx(a[0] - a[1], rel=1e-12)
    assert a[3] == pytest.approx(2 * a[0], rel=1e-12)
    assert a[4] == pytest.approx(a[0], rel=1e-12)
    assert polygon_areas_ha([shapely.Polygon()]).tolist() == [0.0]
    assert polygon_areas_ha([]).tolist() == []
