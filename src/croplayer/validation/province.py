"""The province level: cropland area against official statistics (paper, section 3.2.3)."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from rasterio.features import rasterize
from shapely.geometry.base import BaseGeometry

from cropbase.areas import row_pixel_areas_ha
from cropbase.atomic import write_json
from cropbase.errors import ConfigError
from cropbase.jobs import progress
from cropbase.tables import write_table
from croplayer.blocks.classes import CROPLAND, UNUSABLE
from croplayer.grid import BlockGrid, PixelWindow
from croplayer.grid.inside import pixels_inside
from croplayer.grid.planning import read_plan
from croplayer.grid.regions import read_counties, read_region
from croplayer.settings.validation import ValidationSettings
from croplayer.validation.bootstrap import percentiles, resampled_sums
from croplayer.validation.maps import ShardedMap

log = logging.getLogger(__name__)

INTEGRATED, MERGED = "integrated", "merge_both"


def validate_province(
    *,
    maps: list[Path],
    masks: dict[str, list[Path]],
    blocks: Path,
    boundary: Path | BaseGeometry,
    grid: BlockGrid,
    official_area_ha: float | None,
    output: Path,
    counties: Path | gpd.GeoDataFrame | None = None,
    county_fields: tuple[str, str, str] = ("county_id", "county", "city"),
    settings: ValidationSettings | None = None,
    blocks_output: Path | None = None,
) -> dict[str, Any]:
    """Write the cropland area of each scenario, compared with the official area, as JSON.

    Parameters
    ----------
    maps : rasters of the final map; empty with a single source.
    masks : source -> rasters of its mask. The scenarios are `only_<source>` for each, `merge_both`
        (the union of two) and `integrated` (the final map).
    blocks : the plan.
    boundary : the province; only pixels whose centre lies inside count.
    official_area_ha : official cropland area, hectares; None if there is none.
    counties : county polygons; with them counties are told apart by pixel (centre), without by
        the county that has most of the block. `county_fields` are their attributes for id, name
        and city; a GeoDataFrame has these already (`croplayer.grid.regions.read_counties`).
    blocks_output : where the same areas go as Parquet, a row a block with ground in the province:
        `block_id, inside_ha` and for each scenario `<scenario>_ha` (its cropland) and
        `<scenario>_unusable_ha`.

    Areas are hectares on the ellipsoid. For each scenario: cropland, mapped area, unusable area
    (no data, or 254), `ratio` = cropland / official area, `within_tolerance` (+-10 % by default),
    and `agreement` = min(ratio, 1 / ratio), which treats a map that is twice too large like one
    that is half too small. The paper says "agreement" without defining it. `ratio`,
    `within_tolerance` and `agreement` are None without an official area. `agreement_interval_95`
    comes from drawing blocks with replacement: a map's area is a full count, so this is no error of
    sampling but says how much the agreement hangs on a few blocks; neighbours are alike, so the
    true spread is larger.

    Raises ConfigError for an official area that is not positive, InputError for unusable files,
    CompletenessError if a map lacks a planned block.
    """
    settings = settings or ValidationSettings()
    if official_area_ha is not None and not official_area_ha > 0:
        raise ConfigError(
            "province.official_area_ha is not a positive area",
            given=official_area_ha,
            allowed="hectares above 0, or null if no official area is known",
        )
    plan = read_plan(blocks)
    region = boundary if isinstance(boundary, BaseGeometry) else read_region(boundary)
    if counties is not None and not isinstance(counties, gpd.GeoDataFrame):
        counties = read_counties(counties, fields=county_fields, region=region)
    names = _county_names(plan, counties)
    scenarios = [f"only_{source}" for source in masks]
    scenarios += [MERGED] if len(masks) > 1 else []
    scenarios += [INTEGRATED] if maps else []
    position = {county_id: k for k, (county_id, _) in enumerate(names)}
    inside_ha = np.zeros(len(names))
    # Hectares, [scenario, county].
    cropland = np.zeros((len(scenarios), len(names)))
    unusable = np.zeros_like(cropland)
    found: list[str] = []
    by_block: list[np.ndarray] = []
    with ExitStack() as stack:
        readers = [
            stack.enter_context(ShardedMap(paths, grid, name=name))
            for name, paths in [*masks.items(), *([(INTEGRATED, maps)] if maps else [])]
        ]
        for reader in readers:
            stage = "integrate_shard" if reader.name == INTEGRATED else "segment_shard"
            reader.require(map(grid.parse_block_id, plan["block_id"]), stage=stage)
        rows = plan.sort_values("block_id").itertuples()
        for row in progress(rows, what="province areas", unit="block", total=len(plan)):
            window = grid.block_window(grid.parse_block_id(row.block_id))
            inside = pixels_inside(region, grid, window)
            if not inside.any():
                continue
            layers = _scenarios([reader.read(window) for reader in readers], len(masks))
            weights = row_pixel_areas_ha(grid.transform(window), window.height)
            if counties is None:
                parts = [(position[_text(row.county_id)], inside)]
            else:
                parts = _county_parts(counties, position, inside, grid, window)
            here = np.zeros(1 + 2 * len(scenarios))
            for j, part in parts:
                areas = _part_areas(part, layers, weights)
                inside_ha[j] += areas[0]
                cropland[:, j] += areas[1::2]
                unusable[:, j] += areas[2::2]
                here += areas
            found.append(row.block_id)
            by_block.append(here)
    if official_area_ha is None:
        log.warning("no official cropland area: the province level is not assessed")
    columns = [f"{name}_{what}" for name in scenarios for what in ("ha", "unusable_ha")]
    table = pd.DataFrame(by_block, columns=["inside_ha", *columns])
    if blocks_output is not None:
        table.insert(0, "block_id", found)
        write_table(table, blocks_output)
    intervals = _intervals(table[columns[::2]].to_numpy(), official_area_ha, settings)
    result = {
        "level": "province",
        "assessed": official_area_ha is not None,
        "official_area_ha": official_area_ha,
        "area_tolerance": settings.area_tolerance,
        "inside_ha": float(inside_ha.sum()),
        "sources": list(masks),
        "counties_by": "block" if counties is None else "pixel",
        "scenarios": {
            name: _areas(cropland[k].sum(), unusable[k].sum(), inside_ha.sum())
            | compare_area(cropland[k].sum(), official_area_ha, settings.area_tolerance)
            | {"agreement_interval_95": intervals[k]}
            for k, name in enumerate(scenarios)
        },
        "counties": [
            {
                "county_id": county_id,
                "county": county,
                "inside_ha": float(inside_ha[j]),
                "scenarios": {
                    name: _areas(cropland[k, j], unusable[k, j], inside_ha[j])
                    for k, name in enumerate(scenarios)
                },
            }
            for j, (county_id, county) in enumerate(names)
            if county_id or inside_ha[j] > 0
        ],
    }
    write_json(output, result)
    return result


def compare_area(
    cropland_ha: float, official_area_ha: float | None, tolerance: float
) -> dict[str, float | bool | None]:
    """Ratio, agreement and within-tolerance flag of an area against the official one, hectares."""
    if official_area_ha is None:
        return {"ratio": None, "agreement": None, "within_tolerance": None}
    ratio = float(cropland_ha) / official_area_ha
    return {
        "ratio": ratio,
        "agreement": min(ratio, 1 / ratio) if ratio > 0 else 0.0,
        "within_tolerance": bool(abs(ratio - 1) <= tolerance),
    }


def _intervals(
    by_block: np.ndarray, official_area_ha: float | None, settings: ValidationSettings
) -> list[list[float] | None]:
    """The interval of the agreement of each scenario; `by_block` (blocks, scenarios) hectares."""
    if official_area_ha is None:
        return [None] * by_block.shape[1]
    ratio = resampled_sums(
        by_block, repeats=settings.bootstrap_repeats, seed=settings.bootstrap_seed
    )
    ratio = np.maximum(ratio / official_area_ha, 1e-12)
    return [percentiles(column) for column in np.minimum(ratio, 1 / ratio).T]


def _areas(cropland: float, unusable: float, inside: float) -> dict[str, float]:
    return {
        "cropland_ha": float(cropland),
        "unusable_ha": float(unusable),
        "mapped_ha": float(inside - unusable),
    }


def _scenarios(values: list[np.ndarray], n_masks: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """(cropland, unusable) of each scenario: every mask, their union, the final map if there."""
    layers = [(v == CROPLAND, v >= UNUSABLE) for v in values]
    merged = layers[:n_masks]
    if n_masks > 1:
        crop = np.logical_or.reduce([layer[0] for layer in merged])
        layers.insert(n_masks, (crop, np.logical_and.reduce([layer[1] for layer in merged])))
    return layers


def _part_areas(
    part: np.ndarray, layers: list[tuple[np.ndarray, np.ndarray]], weights: np.ndarray
) -> np.ndarray:
    """(1 + 2 scenarios) hectares of a part of a block: all of it, then cropland and unusable."""
    masks = (layer & part for pair in layers for layer in pair)
    return np.array([_area(part, weights), *(_area(mask, weights) for mask in masks)])


def _area(mask: np.ndarray, weights: np.ndarray) -> float:
    """Hectares of the True pixels of (rows, columns), with the pixel area of each row."""
    return float(np.count_nonzero(mask, axis=1) @ weights)


def _text(value: object) -> str:
    return "" if value is None or value != value else str(value)


def _county_names(plan: gpd.GeoDataFrame, counties: gpd.GeoDataFrame | None) -> list[tuple]:
    """(id, name) of every county, sorted; a block or pixel in no county has the id ""."""
    table = plan if counties is None else counties
    pairs = {
        _text(i): _text(name) for i, name in zip(table["county_id"], table["county"], strict=True)
    }
    if counties is not None:
        pairs.setdefault("", "")
    return sorted(pairs.items())


def _county_parts(
    counties: gpd.GeoDataFrame,
    position: dict[str, int],
    inside: np.ndarray,
    grid: BlockGrid,
    window: PixelWindow,
) -> list[tuple[int, np.ndarray]]:
    """(index of the county, its pixels) for the counties of a window; together they are `inside`.

    The province's pixels whose centre no county holds belong to the county "".
    """
    box = shapely.box(*grid.window_bounds(window.buffered(1)))
    shapes: list[tuple[BaseGeometry, int]] = []
    for k in sorted(counties.sindex.query(box, predicate="intersects")):
        near = shapely.intersection(counties.geometry.iloc[k], box)
        value = position[_text(counties["county_id"].iloc[k])]
        shapes += [(part, value) for part in shapely.get_parts(near) if part.geom_type == "Polygon"]
    owner = np.full(inside.shape, position[""], dtype=np.int32)
    if shapes:
        rasterize(shapes, out=owner, transform=grid.transform(window))
    return [(int(j), (owner == j) & inside) for j in np.unique(owner[inside])]
