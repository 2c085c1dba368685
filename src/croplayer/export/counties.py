"""The final map as county files: the one entry of the export stage."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from rasterio.features import rasterize
from shapely.geometry.base import BaseGeometry

from cropbase.areas import mask_area_ha, polygon_areas_ha, row_pixel_areas_ha
from cropbase.atomic import atomic_path
from cropbase.errors import InputError
from cropbase.jobs import progress
from croplayer.export.mosaic import CROPLAND, OUTSIDE, UNUSABLE, MapMosaic
from croplayer.export.packing import (
    COLUMNS,
    ParquetPolygons,
    add_shapefile,
    deterministic_tar,
    file_names,
)
from croplayer.export.polygons import build_polygons, margin_pixels, polygon_ids
from croplayer.export.rings import county_rings
from croplayer.grid.blocks import Block, BlockGrid, PixelWindow
from croplayer.grid.completeness import require_pixels
from croplayer.grid.planning import planned, read_plan
from croplayer.grid.regions import read_counties, read_region
from croplayer.settings.export import ExportSettings

log = logging.getLogger(__name__)

BALANCE_TOLERANCE = 1e-9
"""Largest share of a county's cropland that may be missing from the account (rounding)."""
OUTSIDE_COUNTIES = "(outside every county)"


def export_counties(
    *,
    maps: list[Path],
    counties: Path,
    counties_fields: tuple[str, str, str],
    blocks: Path,
    grid: BlockGrid,
    settings: ExportSettings,
    parquet: Path,
    archive: Path,
    table: Path,
    counties_layer: str | None = None,
    counties_query: tuple[str, str | int] | None = None,
    repair_counties: bool = False,
    boundary: Path | None = None,
    boundary_layer: str | None = None,
    boundary_query: tuple[str, str | int] | None = None,
) -> pd.DataFrame:
    """Write the cropland polygons of every county, and the account of their areas.

    Parameters
    ----------
    maps : shard maps, uint8 0 / 1 / 254 / 255, EPSG:4326, on the global pixel grid of `grid`.
    counties, counties_layer, counties_query, counties_fields, repair_counties : the county file,
        its attributes for id, county and city, and whether invalid polygons are mended.
    blocks : the plan table; every planned block must lie in `maps`.
    boundary, boundary_layer, boundary_query : the province; its counties alone are exported, each
        cut at it. Without it every county of the file that meets a planned block is.
    parquet : GeoParquet of all polygons: polygon_id, county_id, county, city, area_ha, geometry.
    archive : .tar.gz with one shapefile `cf_<city>_<county>` a county (Sect. 6 of the paper).
    table : CSV, a row a county, hectares: `raster_ha + simplification_difference_ha -
        removed_small_ha + filled_holes_ha = polygon_ha`. `raster_ha` counts the cropland pixels
        whose centre lies in the county. A last row has the cropland of the map that lies in no
        county, if there is any: it is counted, and in no file.

    Returns the table.

    Memory: one block of pixels, and the polygons of one county.

    Raises InputError for a map that is not on the grid or a faulty county file, CompletenessError
    for a planned block that no map covers.
    """
    plan = read_plan(blocks)
    region = None
    if boundary is not None:
        region = read_region(boundary, layer=boundary_layer, query=boundary_query)
    frame = read_counties(
        counties,
        fields=counties_fields,
        layer=counties_layer,
        query=counties_query,
        repair=repair_counties,
        region=region,
    )
    if region is not None:
        frame = frame.set_geometry(_polygonal(shapely.intersection(frame.geometry, region)))
    frame = _met_by_plan(frame, plan, counties)
    names = file_names(frame)
    rows: list[dict[str, object]] = []
    with (
        MapMosaic(maps, grid) as mosaic,
        atomic_path(table) as table_path,
        atomic_path(archive) as archive_path,
        atomic_path(parquet) as parquet_path,
    ):
        require_pixels(
            mosaic.covers, planned(plan), grid, stage="integrate_shard", path=mosaic.folder
        )
        everything = _account_of_map(mosaic)
        polygons = ParquetPolygons(parquet_path)
        try:
            with deterministic_tar(archive_path) as tar:
                order = frame.assign(file=frame["county_id"].map(names)).sort_values("file")
                for county in progress(
                    list(order.itertuples()), what="county polygons", unit="counties"
                ):
                    found, row = _one_county(county, mosaic, grid, settings)
                    polygons.add(found)
                    used = add_shapefile(
                        tar,
                        found,
                        folder=archive.name.removesuffix(".tar.gz"),
                        name=county.file,
                        scratch=archive_path.parent,
                    )
                    rows.append({**row, "file": " ".join(used)})
        finally:
            polygons.close()
        account = _account(rows, everything)
        account.to_csv(table_path, index=False, lineterminator="\n")
    if not account["polygon_ha"].sum():
        log.warning("no county has cropland: the files are written with columns but no polygons")
    return account


def _one_county(
    county: object, mosaic: MapMosaic, grid: BlockGrid, settings: ExportSettings
) -> tuple[gpd.GeoDataFrame, dict[str, object]]:
    """The polygons of one county and its row of the account."""
    # Half a pixel of slack: frames run through pixel centres, not along block edges.
    pixel_ha = _smallest_pixel_ha(county.geometry, grid)
    margin = margin_pixels(grid, settings, pixel_ha) * grid.pixel_degrees
    near = _blocks_near(county.geometry, margin, grid)
    raster = _raster_account(county.geometry, mosaic, grid)
    rings = county_rings(near, _crop_reader(mosaic), grid, settings)
    result = build_polygons(rings, county.geometry, grid, settings)
    if not shapely.is_valid(result.polygons).all():
        raise RuntimeError(f"county {county.county_id}: an invalid polygon was made")
    ids = polygon_ids(county.county_id, result.polygons, result.area_ha)
    frame = gpd.GeoDataFrame(
        {
            "polygon_id": ids,
            "county_id": county.county_id,
            "county": county.county,
            "city": county.city,
            "area_ha": result.area_ha,
        },
        geometry=result.polygons,
        crs=4326,
    ).astype({name: object for name in COLUMNS[:4]})
    frame = frame.sort_values("polygon_id", ignore_index=True)
    polygon_ha = float(result.area_ha.sum())
    balance = polygon_ha - (result.outlined_ha - result.removed_small_ha + result.filled_holes_ha)
    if abs(balance) > BALANCE_TOLERANCE * max(polygon_ha, result.outlined_ha, 1.0):
        raise RuntimeError(f"county {county.county_id}: {balance} ha are not accounted for")
    return frame, {
        "county_id": county.county_id,
        "county": county.county,
        "city": county.city,
        "county_ha": float(polygon_areas_ha([county.geometry])[0]),
        **raster,
        "simplification_difference_ha": result.outlined_ha - raster["raster_ha"],
        "removed_small_ha": result.removed_small_ha,
        "filled_holes_ha": result.filled_holes_ha,
        "polygon_ha": polygon_ha,
        "polygons": len(frame),
    }


def _crop_reader(mosaic: MapMosaic) -> Callable[[PixelWindow], np.ndarray]:
    """Reads cropland, grown by one pixel into what lies outside the province.

    A pixel on the border belongs to the province if its centre does. Grown outward and then cut at
    the county's polygon, fields end on the border itself and not on the stairs of its pixels.
    """

    def read(window: PixelWindow) -> np.ndarray:
        codes = mosaic.read(window.buffered(1))
        crop = codes == CROPLAND
        outside = codes == OUTSIDE
        if outside.any() and crop.any():
            grown = np.zeros_like(crop)
            grown[1:] |= crop[:-1]
            grown[:-1] |= crop[1:]
            grown[:, 1:] |= crop[:, :-1]
            grown[:, :-1] |= crop[:, 1:]
            crop |= outside & grown
        return crop[1:-1, 1:-1]

    return read


def _blocks_near(county: BaseGeometry, margin_degrees: float, grid: BlockGrid) -> list[Block]:
    """Blocks within a margin of the county."""
    found: set[Block] = set()
    reach = margin_degrees
    shapely.prepare(county)
    for part in shapely.get_parts(county):
        west, south, east, north = part.bounds
        first = grid.block_at(west - reach, north + reach)
        last = grid.block_at(east + reach, south - reach)
        rows, cols = np.mgrid[first.row : last.row + 1, first.col : last.col + 1]
        h = grid.block_hundredths
        boxes = shapely.box(
            (cols.ravel() * h - 18000) / 100 - reach,
            (9000 - (rows.ravel() + 1) * h) / 100 - reach,
            ((cols.ravel() + 1) * h - 18000) / 100 + reach,
            (9000 - rows.ravel() * h) / 100 + reach,
        )
        hit = shapely.intersects(county, boxes)
        found.update(
            Block(int(r), int(c)) for r, c in zip(rows.ravel()[hit], cols.ravel()[hit], strict=True)
        )
    return sorted(found)


def _raster_account(county: BaseGeometry, mosaic: MapMosaic, grid: BlockGrid) -> dict[str, float]:
    """Hectares of the pixels whose centre lies in the county: cropland, unusable, not mapped."""
    total = {"raster_ha": 0.0, "unusable_ha": 0.0, "unmapped_ha": 0.0}
    shapely.prepare(county)
    for block in _blocks_near(county, 0.0, grid):
        window = grid.block_window(block)
        codes = mosaic.read(window)
        transform = grid.transform(window)
        inside = np.ones(codes.shape, dtype=bool)
        box = grid.polygon(block)
        if not shapely.contains_properly(county, box):
            local = shapely.intersection(county, box.buffer(grid.pixel_degrees))
            if local.is_empty:
                continue
            inside = rasterize(
                [(local, 1)], out_shape=codes.shape, transform=transform, dtype="uint8"
            ).astype(bool)
        for name, code in (
            ("raster_ha", CROPLAND),
            ("unusable_ha", UNUSABLE),
            ("unmapped_ha", OUTSIDE),
        ):
            total[name] += mask_area_ha(inside & (codes == code), transform)
    return total


def _account_of_map(mosaic: MapMosaic) -> float:
    """Hectares of all cropland pixels of the map."""
    return sum(
        mask_area_ha(codes == CROPLAND, mosaic.grid.transform(window))
        for window, codes in mosaic.pieces()
    )


def _account(rows: list[dict[str, object]], everything_ha: float) -> pd.DataFrame:
    """The table of areas, with a last row for cropland that lies in no county."""
    account = pd.DataFrame(rows)
    left = everything_ha - account["raster_ha"].sum()
    if abs(left) > 1e-6 * max(everything_ha, 1.0):
        log.warning(
            "%.3f ha of the map's cropland lie in no county of the file (or, if negative, in two)",
            left,
        )
        rest = {name: 0.0 for name in account.columns if name.endswith("_ha")}
        rest |= {"county_id": "", "county": OUTSIDE_COUNTIES, "city": "", "file": "", "polygons": 0}
        rest |= {"raster_ha": left}
        account = pd.concat([account, pd.DataFrame([rest])], ignore_index=True)
    for name in account.columns:
        if name.endswith("_ha"):
            account[name] = account[name].round(6) + 0.0
    return account


def _met_by_plan(
    frame: gpd.GeoDataFrame, plan: gpd.GeoDataFrame, counties: Path
) -> gpd.GeoDataFrame:
    """Counties that share area with a planned block."""
    tree = shapely.STRtree(plan.geometry.to_numpy())
    block, county = tree.query(frame.geometry.to_numpy(), predicate="intersects")[::-1]
    shared = shapely.area(
        shapely.intersection(frame.geometry.to_numpy()[county], plan.geometry.to_numpy()[block])
    )
    met = np.unique(county[shared > 0])
    if not len(met):
        raise InputError(
            f"county file {counties}: no county lies in the planned blocks",
            remedy="check province.counties and province.boundary",
        )
    if len(met) < len(frame):
        log.info("%d of %d counties of %s are met", len(met), len(frame), counties)
    return frame.iloc[met].reset_index(drop=True)


def _polygonal(geometries: np.ndarray) -> np.ndarray:
    """Only the polygons of each geometry: where borders run together, lines are left over."""
    return np.array(
        [
            shapely.union_all([p for p in shapely.get_parts(g) if shapely.get_dimensions(p) == 2])
            for g in np.asarray(geometries)
        ],
        dtype=object,
    )


def _smallest_pixel_ha(county: BaseGeometry, grid: BlockGrid) -> float:
    """Area of a pixel where the county reaches farthest from the equator, hectares."""
    _, south, _, north = county.bounds
    block = grid.block_at(0.0, north if abs(north) > abs(south) else south)
    transform = grid.transform(grid.block_window(block))
    return float(row_pixel_areas_ha(transform, 1)[0])
