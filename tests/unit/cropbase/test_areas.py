"""Areas on the ellipsoid against GeographicLib (through pyproj)."""

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod
from rasterio.transform import Affine

from cropbase.areas import (
    mask_area_ha,
    polygon_area_ha,
    polygon_areas_ha,
    ring_areas_ha,
    row_pixel_areas_ha,
)

GEOD = Geod(ellps="WGS84")


@given(st.floats(-80, 79), st.floats(0.001, 1.0))
def test_pixel_area_equals_the_geodesic_one(south, size):
    transform = Affine(size, 0, 10.0, 0, -size, south + size)
    # Parallels are not geodesics: the oracle's outline is densified.
    outline = shapely.segmentize(shapely.box(10.0, south, 10.0 + size, south + size), size / 200)
    expected = abs(GEOD.geometry_area_perimeter(outline)[0]) / 1e4
    assert row_pixel_areas_ha(transform, 1)[0] == pytest.approx(expected, rel=1e-6)


def test_the_whole_ellipsoid():
    areas = row_pixel_areas_ha(Affine(360.0, 0, -180, 0, -1.0, 90), 180)
    assert areas.sum() == pytest.approx(51_006_562_172.4, rel=1e-9)


def test_mask_area_counts_each_row_with_its_own_size():
    transform = Affine(0.01, 0, 100, 0, -0.01, 50)
    mask = np.zeros((3, 4), bool)
    mask[0, :2] = mask[2, 3] = True
    sizes = row_pixel_areas_ha(transform, 3)
    assert mask_area_ha(mask, transform) == pytest.approx(2 * sizes[0] + sizes[2], rel=1e-12)


def test_polygon_area_subtracts_holes_whatever_the_winding():
    outer, hole = shapely.box(112, 24, 112.01, 24.01), shapely.box(112.002, 24.002, 112.004, 24.004)
    ring = shapely.Polygon(outer.exterior.coords, [list(hole.exterior.coords)])
    expected = polygon_area_ha(outer) - polygon_area_ha(hole)
    assert polygon_area_ha(ring) == pytest.approx(expected, rel=1e-9)
    assert polygon_area_ha(shapely.reverse(ring)) == pytest.approx(expected, rel=1e-9)


CORNERS = st.tuples(st.floats(0.01, 0.09), st.floats(0.01, 0.09))


@given(st.lists(st.tuples(CORNERS, CORNERS, CORNERS), min_size=1, max_size=4), st.floats(-70, 70))
def test_ring_areas_are_geodesic_whether_or_not_the_first_vertex_is_repeated(triangles, south):
    open_ = [np.add(corners, (112, south)) for corners in triangles]
    closed = [np.vstack([ring, ring[:1]]) for ring in open_]
    expected = [abs(GEOD.polygon_area_perimeter(*ring.T)[0]) / 1e4 for ring in open_]
    for rings in (open_, closed):
        starts = np.concatenate([[0], np.cumsum([len(ring) for ring in rings])])
        found = ring_areas_ha(np.vstack(rings), starts)
        # A geodesic of 10 km bows out by metres.
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=5)


def test_areas_of_mixed_geometries_count_polygons_alone():
    box, far = shapely.box(112, 24, 112.01, 24.01), shapely.box(113, 24, 113.02, 24.01)
    both = shapely.union_all([box, far])
    mixed = shapely.GeometryCollection([shapely.Point(0, 0), both])
    found = polygon_areas_ha([box, both, mixed, shapely.Point(1, 1), shapely.Polygon()])
    np.testing.assert_allclose(found, np.array([1, 3, 3, 0, 0]) * found[0], rtol=1e-12)
    assert found[0] == pytest.approx(polygon_area_ha(box), rel=1e-6)
