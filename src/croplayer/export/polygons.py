"""Rings to polygons of one county: holes, smallest area, county border, ids, and the account.

Small polygons and holes are judged on the whole outline, before anything is cut at the county's
border: both counties on a border judge the same outline and come to the same verdict, so a field
on the border is in both files or in neither, and its halves fit without gap or overlap.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from cropbase.areas import polygon_areas_ha, ring_areas_ha
from croplayer.export.rings import Rings, degrees
from croplayer.grid.blocks import BlockGrid
from croplayer.settings.export import ExportSettings


class CountyPolygons(NamedTuple):
    """What a county's cropland came to.

    polygons : (n,) valid Polygons in EPSG:4326 inside the county, no two of which share area.
    area_ha : (n,) their areas, hectares.
    outlined_ha : cropland inside the simplified outlines, before anything was left out or filled.
    removed_small_ha : cropland left out because it was smaller than the least area.
    filled_holes_ha : what filling small holes added.
    """

    polygons: np.ndarray
    area_ha: np.ndarray
    outlined_ha: float
    removed_small_ha: float
    filled_holes_ha: float


def build_polygons(
    rings: Rings, county: BaseGeometry, grid: BlockGrid, settings: ExportSettings
) -> CountyPolygons:
    """Polygons of a county from the rings around its cropland (`croplayer.export.rings`).

    Parameters
    ----------
    rings : outlines of the county's cropland, whole for at least `margin_pixels` beyond its border.
    county : (multi)polygon, EPSG:4326.
    """
    points = degrees(rings, grid)
    lines = _lines(rings, points)
    ring_ha = ring_areas_ha(points, rings.starts)
    # Cropland lies to the left of its outline; with y growing southward an outer ring's
    # shoelace sum is then negative.
    outer = _shoelace(rings) < 0
    outer_ha, hole_ha = ring_ha[outer], ring_ha[~outer]
    outer_rings, hole_rings = shapely.polygons(lines[outer]), shapely.polygons(lines[~outer])
    parent = _parents(outer_rings, outer_ha, shapely.get_point(lines[~outer], 0))
    net_ha = _net(outer_ha, hole_ha, parent)

    small = net_ha < settings.min_area_ha
    filled = (hole_ha < settings.fill_holes_ha) & ~small[parent]
    absorbed = _inside(hole_rings[filled], outer_rings, lines[outer]) & ~small
    # A hole of an island that is itself swallowed by a filled hole adds nothing of its own.
    filled &= ~absorbed[parent]
    kept = ~small & ~absorbed

    shapely.prepare(county)
    inside, crossing = _relate(outer_rings, county)
    whole = _with_holes(lines[outer], lines[~outer], parent, crossing)
    whole_ha = np.where(inside, net_ha, 0.0)
    whole_ha[crossing] = polygon_areas_ha(shapely.intersection(whole, county))
    open_ = ~filled
    final = _with_holes(lines[outer], lines[~outer][open_], parent[open_], kept)
    pieces = _cut(final[crossing[kept]], county)
    final_ha = _net(outer_ha, hole_ha[open_], parent[open_])
    return CountyPolygons(
        polygons=np.concatenate([final[inside[kept]], pieces]),
        area_ha=np.concatenate([final_ha[kept & inside], polygon_areas_ha(pieces)]),
        outlined_ha=float(whole_ha.sum()),
        removed_small_ha=float(whole_ha[small].sum()),
        filled_holes_ha=float(
            _clipped_ha(hole_rings[filled], hole_ha[filled], county).sum()
            - whole_ha[absorbed].sum()
        ),
    )


def margin_pixels(grid: BlockGrid, settings: ExportSettings, pixel_ha: float) -> int:
    """How far beyond a county its rings must be whole for its polygons to be right.

    Connected cropland that reaches n pixels beyond the border has more than n pixels; twice the
    largest area that can be left out or filled is on the safe side of what simplifying changes.
    """
    return 4 + int(np.ceil(2 * max(settings.min_area_ha, settings.fill_holes_ha) / pixel_ha))


def polygon_ids(county_id: str, polygons: np.ndarray, area_ha: np.ndarray) -> list[str]:
    """Ids like `440183-E113512034N23405512`: county, and a point inside in millionths of a degree.

    The point depends on the polygon alone, so an id stays the same however its neighbours change.
    Two slivers within a tenth of a metre would share it; the smaller then ends in `-2`.
    """
    points = shapely.point_on_surface(polygons)
    names = [
        f"{county_id}-{_place(x, 'EW')}{_place(y, 'NS')}"
        for x, y in zip(shapely.get_x(points), shapely.get_y(points), strict=True)
    ]
    seen: dict[str, int] = {}
    ids = list(names)
    for index in np.lexsort((np.arange(len(names)), -np.asarray(area_ha))):
        name = names[index]
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            ids[index] = f"{name}-{seen[name]}"
    return ids


def _place(degrees_: float, letters: str) -> str:
    millionths = round(degrees_ * 1e6)
    return f"{letters[0] if millionths >= 0 else letters[1]}{abs(millionths):08d}"


def _lines(rings: Rings, points: np.ndarray) -> np.ndarray:
    """(rings,) shapely linear rings through the vertices in degrees."""
    index = np.repeat(np.arange(len(rings.starts) - 1), np.diff(rings.starts))
    if not len(index):
        return np.zeros(0, dtype=object)
    return shapely.linearrings(points, indices=index)


def _net(outer_ha: np.ndarray, hole_ha: np.ndarray, parent: np.ndarray) -> np.ndarray:
    """(outer,) areas of the outer rings less those of their holes."""
    return outer_ha - np.bincount(parent, weights=hole_ha, minlength=len(outer_ha))


def _shoelace(rings: Rings) -> np.ndarray:
    """(rings,) twice the signed area, in half pixels, y southward."""
    if len(rings.starts) == 1:
        return np.zeros(0)
    first, last = rings.starts[:-1], rings.starts[1:] - 1
    ring = np.repeat(np.arange(len(first)), np.diff(rings.starts))
    # Relative to the ring's first vertex, so that the products stay small whole numbers.
    x, y = rings.x - rings.x[first][ring], rings.y - rings.y[first][ring]
    following = np.arange(1, len(x) + 1)
    following[last] = first
    return np.add.reduceat((x * y[following] - x[following] * y).astype(np.float64), first)


def _parents(outer: np.ndarray, outer_ha: np.ndarray, points: np.ndarray) -> np.ndarray:
    """For each hole (by a point of its ring) the index of the smallest outer ring around it."""
    parent = np.full(len(points), -1, dtype=np.int64)
    if len(points):
        around, hole = shapely.STRtree(points).query(outer, predicate="contains_properly")
        for k in np.argsort(-outer_ha[around], kind="stable"):
            parent[hole[k]] = around[k]
    if (parent < 0).any():
        raise RuntimeError("a hole without cropland around it: outlines crossed")
    return parent


def _inside(holes: np.ndarray, outer: np.ndarray, lines: np.ndarray) -> np.ndarray:
    """(outer,) bool: outer rings that lie in one of the (filled) holes."""
    inside = np.zeros(len(outer), dtype=bool)
    if len(holes) and len(outer):
        tree = shapely.STRtree(shapely.get_point(lines, 0))
        _, island = tree.query(holes, predicate="contains_properly")
        inside[island] = True
    return inside


def _with_holes(
    outer: np.ndarray, holes: np.ndarray, parent: np.ndarray, chosen: np.ndarray
) -> np.ndarray:
    """Polygons of the chosen outer rings with their holes."""
    of_chosen = chosen[parent]
    owner = np.concatenate([np.flatnonzero(chosen), parent[of_chosen]])
    if not len(owner):
        return np.zeros(0, dtype=object)
    # Stable: the outer ring of a polygon stands before its holes.
    order = np.argsort(owner, kind="stable")
    rings = np.concatenate([outer[chosen], holes[of_chosen]])[order]
    number = np.cumsum(chosen) - 1
    return shapely.polygons(rings, indices=number[owner[order]])


def _cut(polygons: np.ndarray, county: BaseGeometry) -> np.ndarray:
    """What lies of the polygons in the county, each in one piece."""
    cut = shapely.get_parts(shapely.intersection(polygons, county))
    cut = shapely.get_parts(cut)  # collections hold multipolygons
    return cut[(shapely.get_dimensions(cut) == 2) & ~shapely.is_empty(cut)]


def _clipped_ha(polygons: np.ndarray, area_ha: np.ndarray, county: BaseGeometry) -> np.ndarray:
    """Area of each polygon inside the county, hectares, from those of the whole ones."""
    inside, crossing = _relate(polygons, county)
    clipped = np.where(inside, area_ha, 0.0)
    clipped[crossing] = polygon_areas_ha(shapely.intersection(polygons[crossing], county))
    return clipped


def _relate(polygons: np.ndarray, county: BaseGeometry) -> tuple[np.ndarray, np.ndarray]:
    """(inside the county, crossing its border), bool arrays."""
    if not len(polygons):
        return np.zeros(0, dtype=bool), np.zeros(0, dtype=bool)
    inside = shapely.contains_properly(county, polygons)
    return inside, ~inside & shapely.intersects(county, polygons)
