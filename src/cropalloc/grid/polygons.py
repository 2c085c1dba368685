"""Leaves from polygons: a cell belongs to the unit that its centre lies in."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from rasterio.enums import MergeAlg
from rasterio.features import rasterize

from cropalloc.grid.cellgrid import CellGrid, finding
from cropalloc.grid.leaves import Lookup, as_text
from cropalloc.settings.grid import AllocationGridSettings, PolygonLayer, PolygonLeaves
from cropbase.areas import polygon_areas_ha
from cropbase.errors import InputError
from cropbase.vectors import to_degrees

_STRIP_ROWS = 1024


def leaves_from_polygons(
    settings: AllocationGridSettings, leaves: PolygonLeaves, lookup: Lookup
) -> tuple[CellGrid, np.ndarray, list[dict[str, Any]]]:
    """Grid, leaf index of every cell (rows, columns) int32 with -1 = none, and findings.

    The result does not depend on the order of the features: where polygons of one layer overlap,
    the unit that sorts last keeps the cell, and the overlap is a finding.
    """
    layers, findings = [], []
    for layer in leaves.layers:
        shapes, told = _read_layer(layer, lookup)
        layers.append(shapes)
        findings += told
    shapes = [shape for layer in layers for shape in layer.values()]
    if not shapes:
        raise InputError(
            "no polygon belongs to a lowest unit of the statistics",
            given=", ".join(str(layer.path) for layer in leaves.layers),
            remedy="check grid.leaves.layers: `attribute`, `match`, `level` and `renames`",
        )
    bounds = settings.bounds_degrees or tuple(shapely.total_bounds(np.array(shapes)))
    grid = CellGrid.from_bounds(bounds, settings.resolution_arcseconds)
    leaf = np.full(grid.shape, -1, dtype=np.int32)
    for layer, units in zip(leaves.layers, layers, strict=True):
        taken = leaf >= 0
        double = _burn(grid, leaf, taken, units, lookup)
        if double:
            findings.append(
                finding(
                    "overlapping_polygons",
                    f"{double} cell(s) have their centre in two polygons of {layer.path.name}",
                    "each cell belongs to the unit that sorts last by its id",
                    name=layer.path.name,
                    cells=double,
                )
            )
    findings += _units_without_centre(grid, leaf, layers, leaves, lookup)
    return grid, leaf, findings


def _read_layer(
    layer: PolygonLayer, lookup: Lookup
) -> tuple[dict[str, shapely.Geometry], list[dict[str, Any]]]:
    """The polygons of each leaf, EPSG:4326, by unit_id in order; what has no leaf is told."""
    try:
        table = gpd.read_file(layer.path, layer=layer.layer)
    except Exception as error:
        # pyogrio raises many kinds of errors for a file that it cannot read.
        raise InputError(
            f"boundaries {layer.path} cannot be read",
            given=error,
            allowed="a shapefile (with its .shx, .dbf and .prj), GeoPackage, GeoJSON",
            remedy="check grid.leaves.layers; open the file in QGIS and export it anew",
        ) from None
    if "geometry" not in table.columns:
        raise InputError(
            f"boundaries {layer.path} have no geometries",
            given="a table of attributes",
            remedy="give the file of the polygons; of a shapefile the .shp, not the .dbf",
        )
    if layer.attribute not in table.columns:
        raise InputError(
            f"{layer.path} has no attribute {layer.attribute!r}",
            allowed=", ".join(str(name) for name in table.columns if name != "geometry"),
        )
    if table.crs is None:
        raise InputError(
            f"boundaries {layer.path} have no coordinate reference system",
            remedy="add the .prj file, or write the layer anew with its CRS",
        )
    table = to_degrees(table, what=f"boundaries {layer.path}")
    west, south, east, north = table.total_bounds
    # Written as what must hold and negated, so that coordinates that are no numbers count too.
    if len(table) and not (west >= -180 and south >= -90 and east <= 180 and north <= 90):
        raise InputError(
            f"boundaries {layer.path} lie at no place on earth",
            given=f"longitude {west:.3f} to {east:.3f}, latitude {south:.3f} to {north:.3f}",
            allowed="longitude -180 to 180, latitude -90 to 90 (EPSG:4326)",
            remedy="set the CRS of the file: its coordinates are metres, or latitude comes first",
        )
    values = as_text(table[layer.attribute])
    units = lookup.find(values, layer, str(layer.path))
    findings = []
    shapes: dict[str, shapely.Geometry] = {}
    if values.isna().any():
        findings.append(
            finding(
                "boundary_without_unit",
                f"{int(values.isna().sum())} polygon(s) of {layer.path.name} have no value of "
                f"{layer.attribute}",
                "their cells are left out unless another layer gives them to a leaf",
                area_ha=round(float(polygon_areas_ha(table.geometry[values.isna()]).sum()), 3),
            )
        )
    for value in sorted(units):
        rows = values.index[values == value]
        geometry = shapely.union_all(shapely.make_valid(table.geometry.loc[rows].array))
        unit = units[value]
        if unit in lookup.leaf_index:
            shapes[unit] = shapely.union(shapes[unit], geometry) if unit in shapes else geometry
            continue
        text = (
            f"{layer.path.name} names {value!r}, which is no unit of the statistics"
            if unit is None
            else f"{layer.path.name} names {value!r} ({unit}), which has units below it"
        )
        findings.append(
            finding(
                "boundary_without_unit" if unit is None else "boundary_above_the_leaves",
                text,
                "its cells are left out unless another layer gives them to a leaf",
                unit_id=unit,
                name=value,
                area_ha=round(float(polygon_areas_ha([geometry])[0]), 3),
            )
        )
    return dict(sorted(shapes.items())), findings


def _burn(
    grid: CellGrid,
    leaf: np.ndarray,
    taken: np.ndarray,
    units: dict[str, shapely.Geometry],
    lookup: Lookup,
) -> int:
    """Write the leaves of one layer where nothing is taken; the number of cells claimed twice."""
    geometry = np.array(list(units.values()), dtype=object)
    if not len(geometry):
        return 0
    index = [lookup.leaf_index[unit] for unit in units]
    tree = shapely.STRtree(geometry)
    double = 0
    for start in range(0, grid.rows, _STRIP_ROWS):
        strip = grid.strip(start, start + _STRIP_ROWS)
        hits = np.sort(tree.query(shapely.box(*strip.bounds)))
        if not len(hits):
            continue
        common = {"out_shape": strip.shape, "transform": strip.transform}
        burnt = rasterize([(geometry[i], index[i]) for i in hits], fill=-1, dtype="int32", **common)
        # Merging by addition counts the polygons that hold a cell's centre.
        counted = rasterize(
            [(geometry[i], 1) for i in hits],
            fill=0,
            dtype="uint8",
            merge_alg=MergeAlg.add,
            **common,
        )
        part = slice(start, start + strip.rows)
        free = ~taken[part]
        leaf[part][free] = burnt[free]
        double += int(np.count_nonzero((counted > 1) & free))
    return double


def _units_without_centre(
    grid: CellGrid,
    leaf: np.ndarray,
    layers: list[dict[str, shapely.Geometry]],
    leaves: PolygonLeaves,
    lookup: Lookup,
) -> list[dict[str, Any]]:
    """Give every leaf that has a polygon but no cell the cell that it overlaps most, if wanted."""
    counts = np.bincount(leaf[leaf >= 0], minlength=len(lookup.leaves))
    shapes = {unit: shape for layer in reversed(layers) for unit, shape in layer.items()}
    small = {u: s for u, s in shapes.items() if counts[lookup.leaf_index[u]] == 0}
    if leaves.unit_without_centre == "report":
        return []  # the general list of units without a cell names them
    wishes = []
    for unit, shape in small.items():
        for row, col, area in _overlaps(grid, shape):
            wishes.append((-area, unit, row, col))
    given: set[str] = set()
    gone: set[tuple[int, int]] = set()
    findings = []
    for area, unit, row, col in sorted(wishes):
        owner = leaf[row, col]
        if unit in given or (row, col) in gone or (owner >= 0 and counts[owner] < 2):
            continue
        if owner >= 0:
            counts[owner] -= 1
        leaf[row, col] = lookup.leaf_index[unit]
        counts[leaf[row, col]] += 1
        given.add(unit)
        gone.add((row, col))
        before = lookup.leaves[owner] if owner >= 0 else "no unit"
        findings.append(
            finding(
                "unit_without_centre",
                f"{lookup.name[unit]} ({unit}) holds no cell's centre",
                f"took the cell that it overlaps most ({-area:.1f} ha) from {before}",
                unit_id=unit,
                name=lookup.name[unit],
                cell_id=row * grid.columns + col,
                lon=round(float(grid.lon_edges[col]) + grid.degrees / 2, 6),
                lat=round(float(grid.lat_edges[row]) - grid.degrees / 2, 6),
                cells=1,
                area_ha=round(float(grid.row_areas_ha[row]), 3),
            )
        )
    return findings


def _overlaps(grid: CellGrid, shape: shapely.Geometry) -> list[tuple[int, int, float]]:
    """Cells (row, col) that a small polygon overlaps, with the hectares of the overlap."""
    box = CellGrid.from_bounds(shape.bounds, grid.resolution_arcseconds)
    if box.rows * box.columns > 100_000:
        return []  # a sliver across half the map is no small unit
    row0, col0 = box.first_row - grid.first_row, box.first_col - grid.first_col
    row, col = (part.ravel() for part in np.mgrid[: box.rows, : box.columns])
    lon, lat = box.lon_edges, box.lat_edges
    squares = shapely.box(lon[col], lat[row + 1], lon[col + 1], lat[row])
    areas = polygon_areas_ha(shapely.intersection(squares, shape))
    row, col = row + row0, col + col0
    keep = (areas > 0) & (row >= 0) & (row < grid.rows) & (col >= 0) & (col < grid.columns)
    return [
        (int(r), int(c), float(a))
        for r, c, a in zip(row[keep], col[keep], areas[keep], strict=True)
    ]
