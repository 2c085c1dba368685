"""The generated inputs of the built-in case, as the files that a user of a real case would have."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import rasterio
from rasterio.features import geometry_mask, rasterize
from rasterio.transform import array_bounds
from rasterio.warp import Resampling, reproject
from rasterio.windows import Window
from scipy.ndimage import distance_transform_edt, zoom
from shapely import MultiPoint, Point, voronoi_polygons
from shapely.geometry.base import BaseGeometry

from cropalloc.demo.landscape import CROPS, SYSTEMS, Truth, draw_truth, smooth_noise
from cropalloc.grid.cellgrid import CellGrid
from cropalloc.settings.demo import AllocationDemoSettings
from cropbase.atomic import atomic_path, write_text
from cropbase.errors import InputError
from cropbase.rasters import open_raster, write_cog
from cropbase.vectors import write_geopackage

ORIGIN = "Generated data of the built-in allocation case; not a statistic or map of any real place."
WALK_KM_PER_HOUR = 20.0


def generate_case(folder: Path, settings: AllocationDemoSettings) -> None:
    """Write every input of the built-in case into `folder`.

    Statistics are the sums of a generated truth over units, rounded like a yearbook; the towns, the
    lowest level, are kept aside (`towns_truth.csv`) to validate against.

    Raises InputError if the built-in province's polygons, elevation or truth cannot be read.
    """
    folder = Path(folder)
    counties = gpd.read_file(settings.counties).to_crs("EPSG:4326")
    grid = CellGrid.from_bounds(tuple(counties.total_bounds), settings.resolution_arcseconds)
    towns = cut_towns(counties, settings)
    inside = ~geometry_mask(counties.geometry, grid.shape, grid.transform)
    elevation = _mean_on(grid, settings.elevation)
    cropland = _true_cropland(grid, settings.truth)
    travel = _travel_minutes(grid, towns)

    units = unit_table(counties, towns)
    _csv(units, folder / "units.csv")
    write_geopackage(towns, folder / "towns.gpkg", metadata={"ORIGIN": ORIGIN})
    rng = np.random.default_rng(settings.seed)
    reported, hidden = [], []
    for index, year in enumerate(settings.years):
        late = index / max(len(settings.years) - 1, 1)
        # The cropland of the last year is the truth of the map; before, there was a little more.
        then = np.minimum(cropland * (1.08 - 0.08 * late), grid.row_areas_ha[:, None])
        truth = draw_truth(elevation, then, travel, seed=settings.seed, warmth=0.06 * (late - 1))
        harvested = harvested_by_town(truth, grid, towns)
        hidden.append(harvested.assign(year=year))
        reported.append(yearbook(harvested, units, year, rng))
        _land_products(folder, grid, truth, year, settings.seed + index)
    _csv(pd.concat(reported), folder / "statistics.csv")
    _csv(pd.concat(hidden), folder / "towns_truth.csv")
    _potentials(folder, grid, truth, inside)
    write_grid(folder / "travel_time.tif", grid, travel)
    _csv(prices(settings.years), folder / "prices.csv")
    _csv(system_table(truth, inside), folder / "systems.csv")
    write_text(folder / "README.txt", f"{ORIGIN}\n")


def cut_towns(counties: gpd.GeoDataFrame, settings: AllocationDemoSettings) -> gpd.GeoDataFrame:
    """Towns (`unit_id, name, parent_id, geometry`): each county cut by the nearest of its seeds."""
    rng = np.random.default_rng(settings.seed)
    rows = []
    for county in counties.sort_values("county_id").itertuples():
        seeds = _points_within(county.geometry, settings.towns_a_county, rng)
        pieces = voronoi_polygons(MultiPoint(seeds), extend_to=county.geometry).geoms
        pieces = [piece.intersection(county.geometry) for piece in pieces]
        pieces.sort(key=lambda piece: (-piece.centroid.y, piece.centroid.x))
        for number, piece in enumerate(pieces, start=1):
            rows.append(
                {
                    "unit_id": f"{county.county_id}-{number:02d}",
                    "name": f"{county.county} {number}",
                    "parent_id": county.county_id,
                    "origin": "generated",
                    "geometry": piece,
                }
            )
    return gpd.GeoDataFrame(rows, crs=counties.crs)


def _points_within(shape: BaseGeometry, count: int, rng: np.random.Generator) -> list[Point]:
    west, south, east, north = shape.bounds
    points: list[Point] = []
    while len(points) < count:
        point = Point(rng.uniform(west, east), rng.uniform(south, north))
        if shape.contains(point):
            points.append(point)
    return points


def unit_table(counties: gpd.GeoDataFrame, towns: gpd.GeoDataFrame) -> pd.DataFrame:
    """`unit_id, name, level, parent_id` of the province (0), its counties (1) and towns (2)."""
    top = [("demo", "Demo (generated)", 0, "")]
    middle = [(c.county_id, c.county, 1, "demo") for c in counties.itertuples()]
    low = [(t.unit_id, t.name, 2, t.parent_id) for t in towns.itertuples(index=False)]
    return pd.DataFrame(top + middle + low, columns=["unit_id", "name", "level", "parent_id"])


def harvested_by_town(truth: Truth, grid: CellGrid, towns: gpd.GeoDataFrame) -> pd.DataFrame:
    """True harvested hectares: `unit_id, crop, harvested_ha`, a row a town and crop."""
    shapes = ((shape, index) for index, shape in enumerate(towns.geometry, start=1))
    number = rasterize(shapes, grid.shape, transform=grid.transform, fill=0)
    rows = []
    for crop, traits in CROPS.items():
        area = sum(truth.area[crop, s] * traits.intensity[s] for s in SYSTEMS)
        sums = np.bincount(number.ravel(), area.ravel(), minlength=len(towns) + 1)[1:]
        rows += [(unit, crop, value) for unit, value in zip(towns["unit_id"], sums, strict=True)]
    return pd.DataFrame(rows, columns=["unit_id", "crop", "harvested_ha"])


def yearbook(
    towns: pd.DataFrame, units: pd.DataFrame, node: int, rng: np.random.Generator
) -> pd.DataFrame:
    """The five years around a node as a yearbook would print them: `unit_id, year, crop, area_kha`.

    Province and counties alone; years differ by 2 %, figures have two decimals of a thousand
    hectares, and the second county does not report potatoes.
    """
    parent = units.set_index("unit_id")["parent_id"]
    county = towns.assign(unit_id=towns["unit_id"].map(parent))
    county = county.groupby(["unit_id", "crop"], as_index=False)["harvested_ha"].sum()
    whole = county.groupby("crop", as_index=False)["harvested_ha"].sum().assign(unit_id="demo")
    silent = county["unit_id"].max()
    county = county[~((county["unit_id"] == silent) & (county["crop"] == "potato"))]
    rows = []
    for year in range(node - 2, node + 3):
        for part in (whole, county):
            noisy = part["harvested_ha"] * (1 + 0.02 * rng.standard_normal(len(part)))
            rows.append(part.assign(year=year, area_kha=(noisy / 1000).round(2)))
    return pd.concat(rows)[["unit_id", "year", "crop", "area_kha"]]


def system_table(truth: Truth, inside: np.ndarray) -> pd.DataFrame:
    """Share of the harvested area and intensity by system: `crop, system, share, intensity`."""
    rows = []
    for crop, traits in CROPS.items():
        area = {s: truth.area[crop, s][inside].sum() * traits.intensity[s] for s in SYSTEMS}
        share_i = round(area["I"] / sum(area.values()), 3)
        share_h = round(area["H"] / sum(area.values()), 3)
        shares = {"I": share_i, "H": share_h, "L": round(1 - share_i - share_h, 3)}
        rows += [(crop, s, shares[s], traits.intensity[s]) for s in SYSTEMS]
    return pd.DataFrame(rows, columns=["crop", "system", "share", "intensity"])


def prices(years: list[int]) -> pd.DataFrame:
    """Generated prices a tonne, rising by 2 % a year: `crop, year, price`."""
    rows = [
        (crop, year, round(traits.price * 1.02 ** (year - years[0]), 1))
        for crop, traits in CROPS.items()
        for year in years
    ]
    return pd.DataFrame(rows, columns=["crop", "year", "price"])


def _land_products(folder: Path, grid: CellGrid, truth: Truth, year: int, seed: int) -> None:
    """Two products of cropland and one of irrigated land, each wrong in a way of its own."""
    rng = np.random.default_rng(seed)
    cell = grid.row_areas_ha[:, None]
    # One in half the grid's cell that smears, one on the grid that misses small patches.
    fine = zoom(truth.cropland / cell, 2, order=1, mode="nearest", grid_mode=True)
    fine = np.clip(fine * (1 + 0.08 * smooth_noise(rng, fine.shape, 4)), 0, 1)
    doubled = CellGrid(
        grid.resolution_arcseconds // 2,
        2 * grid.first_row,
        2 * grid.first_col,
        2 * grid.rows,
        2 * grid.columns,
    )
    write_grid(folder / f"cropland_smooth_{year}.tif", doubled, fine)
    share = truth.cropland / cell
    write_grid(folder / f"cropland_coarse_{year}.tif", grid, np.where(share < 0.08, 0, share))
    irrigated = truth.irrigated / cell * (1.03 + 0.05 * smooth_noise(rng, grid.shape, 3))
    write_grid(folder / f"irrigated_{year}.tif", grid, np.clip(irrigated, 0, 1))


def _potentials(folder: Path, grid: CellGrid, truth: Truth, inside: np.ndarray) -> None:
    for (crop, system), values in truth.potential.items():
        masked = np.where(inside, values, np.nan)
        write_grid(folder / "potential_yield" / f"{crop}_{system}.tif", grid, masked)
    for crop, values in truth.suitability.items():
        masked = np.where(inside, values, np.nan)
        write_grid(folder / "suitability" / f"{crop}_L.tif", grid, masked)


def write_grid(path: Path, grid: CellGrid, values: np.ndarray) -> None:
    """Write (rows, columns) values of a grid as a float32 COG that says it is generated."""
    write_cog(
        path,
        [(Window(0, 0, grid.columns, grid.rows), values[None].astype(np.float32))],
        height=grid.rows,
        width=grid.columns,
        bands=1,
        dtype="float32",
        transform=grid.transform,
        nodata=float("nan"),
        overview_resampling="average",
        tags={"origin": ORIGIN},
    )


def _mean_on(grid: CellGrid, path: Path) -> np.ndarray:
    with open_raster(path) as dataset:
        found = np.full(grid.shape, np.nan)
        reproject(
            rasterio.band(dataset, 1),
            found,
            dst_transform=grid.transform,
            dst_crs="EPSG:4326",
            resampling=Resampling.average,
            dst_nodata=np.nan,
        )
    if np.isnan(found).any():
        raise InputError(f"{path} does not cover the built-in province")
    return found


def _true_cropland(grid: CellGrid, path: Path) -> np.ndarray:
    """True cropland of every cell, hectares: the share of its pixels times its area."""
    with open_raster(path) as dataset:
        share = np.zeros(grid.shape)
        reproject(
            (dataset.read(1) == 1).astype(np.float32),
            share,
            src_transform=dataset.transform,
            src_crs=dataset.crs,
            dst_transform=grid.transform,
            dst_crs="EPSG:4326",
            resampling=Resampling.average,
        )
    return share * grid.row_areas_ha[:, None]


def _travel_minutes(grid: CellGrid, towns: gpd.GeoDataFrame) -> np.ndarray:
    """Minutes to the nearest town's middle at a steady pace, as the crow flies."""
    west, _, _, north = array_bounds(grid.rows, grid.columns, grid.transform)
    away = np.ones(grid.shape, dtype=bool)
    for point in towns.geometry.representative_point():
        row = int((north - point.y) / grid.degrees)
        away[row, int((point.x - west) / grid.degrees)] = False
    kilometres = distance_transform_edt(away) * grid.degrees * 105.0
    return kilometres / WALK_KM_PER_HOUR * 60.0


def _csv(table: pd.DataFrame, path: Path) -> None:
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")
