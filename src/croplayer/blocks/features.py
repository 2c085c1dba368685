"""Measuring the sixteen features of a block and source (paper, Table 5)."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import pandas as pd

from cropbase.areas import mask_area_ha
from cropbase.errors import ConfigError, InputError
from cropbase.jobs import progress
from cropbase.rasters import open_raster
from cropbase.tables import read_table, write_table
from croplayer.blocks.classes import COVERAGE_TYPES
from croplayer.blocks.regions import measure_regions
from croplayer.blocks.tables import (
    EXTRA_COLUMNS,
    QUALITY_FEATURES,
    REGION_FEATURES,
    SEMANTIC_FEATURES,
    TERRAIN_FEATURES,
    coverage_categories,
    require_columns,
)
from croplayer.grid import Block, BlockGrid
from croplayer.grid.completeness import require_blocks, require_raster
from croplayer.grid.rasters import read_window

log = logging.getLogger(__name__)

CROPLAND, NOT_CROPLAND = 1, 0


def measure_features(
    *,
    masks: dict[str, Path],
    quality: dict[str, Path],
    terrain: Path,
    blocks: list[Block],
    grid: BlockGrid,
    output: Path,
    sources: Sequence[str],
    threads: int = 1,
) -> pd.DataFrame:
    """Write the features of a shard: a row a block and source.

    Parameters
    ----------
    masks : source -> cropland mask of the shard, uint8 on the global pixel grid: 0 not cropland,
        1 cropland, 255 nodata.
    quality : source -> table of the image quality of the shard's blocks.
    terrain : table of the terrain of the shard's blocks.
    blocks : the planned blocks of the shard.
    sources : the two sources, first A, then B. With one source alone `consistency` and
        `containment` are missing everywhere.
    threads : how many blocks are measured at a time; the result does not depend on it.

    Returns the table: block_id, source, `SEMANTIC_FEATURES`, `EXTRA_COLUMNS`, sorted by block id
    and in the order of `sources`.

    `area` is the cropland in hectares on the ellipsoid, `af` its share of the valid area of the
    block (nodata leaves the denominator). `consistency` is the IoU of the two masks over pixels
    valid in both, and missing where neither has cropland there. A block without any valid pixel
    has no region features at all: no data is not no cropland.

    Memory: the pixels of `threads` blocks, whatever the size of the shard.

    Raises
    ------
    ConfigError : not one or two sources, or one without a mask or quality table.
    CompletenessError : quality or terrain do not hold exactly the planned blocks, or a mask lacks
        one.
    InputError : a file is absent, damaged, off the grid or holds other values.
    """
    sources = tuple(sources)
    if not 1 <= len(sources) <= 2 or len(set(sources)) != len(sources):
        raise ConfigError(
            "block features compare two sources",
            given=", ".join(sources) or "none",
            allowed="two different names (or one: then consistency is missing)",
            remedy="choose the two sources of the province under the key `sources`",
        )
    for source in sources:
        for what, files in (("mask", masks), ("quality table", quality)):
            if source not in files:
                raise ConfigError(f"source {source!r} has no {what}", given=", ".join(files))
    blocks = sorted(set(blocks))
    imagery = {
        source: _block_table(
            quality[source], blocks, grid, "assess_quality", QUALITY_FEATURES, source
        )
        for source in sources
    }
    relief = _block_table(terrain, blocks, grid, "measure_terrain", TERRAIN_FEATURES, None)
    rows = []
    for found in _measure_blocks({s: masks[s] for s in sources}, blocks, grid, threads):
        for source, measured in found["features"].items():
            rows.append(
                {"block_id": found["block_id"], "source": source}
                | relief.loc[found["block_id"]].to_dict()
                | imagery[source].loc[found["block_id"]].to_dict()
                | measured
            )
    table = pd.DataFrame(rows, columns=["block_id", "source", *SEMANTIC_FEATURES, *EXTRA_COLUMNS])
    numbers = [n for n in (*SEMANTIC_FEATURES, *EXTRA_COLUMNS) if n != "coverage_type"]
    table[numbers] = table[numbers].astype("float64")
    table["coverage_type"] = pd.Categorical(table["coverage_type"], categories=COVERAGE_TYPES)
    order = {source: k for k, source in enumerate(sources)}
    table = table.sort_values(
        ["block_id", "source"], key=lambda c: c.map(order) if c.name == "source" else c
    ).reset_index(drop=True)
    require_blocks(table, blocks, grid, stage="measure_features", per_source=sources)
    write_table(table, output)
    return table


def _measure_blocks(
    masks: dict[str, Path], blocks: list[Block], grid: BlockGrid, threads: int
) -> Iterator[dict[str, Any]]:
    """block_id, and source -> what is measured of the masks, in the order of `blocks`."""
    with ExitStack() as stack:
        # A raster may be read by one thread at a time: each has its own.
        idle: SimpleQueue[dict[str, Any]] = SimpleQueue()
        for _ in range(threads):
            rasters = {s: stack.enter_context(open_raster(path)) for s, path in masks.items()}
            for raster in rasters.values():
                require_raster(raster, blocks, grid, stage="segment_shard")
            idle.put(rasters)

        def measure(block: Block) -> dict[str, Any]:
            rasters = idle.get()
            try:
                return _measure_block(rasters, block, grid)
            finally:
                idle.put(rasters)

        pool = stack.enter_context(ThreadPoolExecutor(threads, thread_name_prefix="blocks"))
        yield from progress(
            pool.map(measure, blocks), what="features", unit="block", total=len(blocks)
        )


def _measure_block(rasters: dict[str, Any], block: Block, grid: BlockGrid) -> dict[str, Any]:
    window = grid.block_window(block)
    transform = grid.transform(window)
    read = {source: read_mask(raster, grid, window) for source, raster in rasters.items()}
    pair = list(read.values())
    shared = compare_masks(*pair[0], *pair[1]) if len(pair) == 2 else (float("nan"),) * 2
    return {
        "block_id": grid.block_id(block),
        "features": {
            source: region_features(cropland, valid, transform)
            | {
                "consistency": shared[0],
                "containment": shared[1],
                "valid_fraction_mask": float(valid.mean()),
            }
            for source, (cropland, valid) in read.items()
        },
    }


def read_mask(dataset, grid: BlockGrid, window) -> tuple[np.ndarray, np.ndarray]:
    """(cropland, valid), each (rows, columns) bool, of a window of a mask raster.

    Raises InputError if the raster holds anything but 0, 1 and 255.
    """
    values, inside = read_window(dataset, grid, window, bands=[1])
    values = values[0]
    cropland = inside & (values == CROPLAND)
    valid = cropland | (inside & (values == NOT_CROPLAND))
    strange = inside & ~valid & (values != 255)
    if strange.any():
        raise InputError(
            f"raster {dataset.name} is no cropland mask",
            given=f"value {values[strange].flat[0]}",
            allowed="0 not cropland, 1 cropland, 255 nodata",
            remedy="delete it and run `segment_shard` again",
        )
    return cropland, valid


def region_features(cropland: np.ndarray, valid: np.ndarray, transform) -> dict[str, float]:
    """The region features of one block and source (paper, Table 5, group Region property).

    Parameters
    ----------
    cropland, valid : (rows, columns) bool; cropland lies inside valid.
    transform : GDAL transform of the arrays, EPSG:4326.

    Returns area (ha), af, solidity_mean, solidity_total, en_mean, en_total and n_regions; all NaN
    if nothing is valid.
    """
    if not valid.any():
        return dict.fromkeys((*REGION_FEATURES, "n_regions"), float("nan"))
    area = mask_area_ha(cropland, transform)
    regions = measure_regions(cropland).summary()
    return {
        "area": area,
        "af": area / mask_area_ha(valid, transform),
        "solidity_mean": regions.solidity_mean,
        "solidity_total": regions.solidity_total,
        "en_mean": regions.en_mean,
        "en_total": float(regions.en_total),
        "n_regions": float(regions.n_regions),
    }


def compare_masks(
    cropland_a: np.ndarray, valid_a: np.ndarray, cropland_b: np.ndarray, valid_b: np.ndarray
) -> tuple[float, float]:
    """(IoU, containment) of two masks over the pixels valid in both; all (rows, columns) bool.

    The IoU is NaN where neither has cropland, the containment (overlap divided by the smaller of
    the two) where one of them has none.
    """
    valid = valid_a & valid_b
    n_a = int(np.count_nonzero(cropland_a & valid))
    n_b = int(np.count_nonzero(cropland_b & valid))
    overlap = int(np.count_nonzero(cropland_a & cropland_b & valid))
    union, smaller = n_a + n_b - overlap, min(n_a, n_b)
    return (
        overlap / union if union else float("nan"),
        overlap / smaller if smaller else float("nan"),
    )


def _block_table(
    path: Path,
    blocks: list[Block],
    grid: BlockGrid,
    stage: str,
    columns: tuple[str, ...],
    source: str | None,
) -> pd.DataFrame:
    """A table of one row a block, indexed by block id, with `columns` alone."""
    table = read_table(path)
    if source is not None and "source" in table.columns:
        others = sorted(set(table["source"].astype(str)) - {source})
        if others:
            raise InputError(f"table {path} is of another source", given=others[0], allowed=source)
    require_blocks(table, blocks, grid, stage=stage, path=path)
    require_columns(table, columns, path, stage)
    table = table.set_index("block_id")[list(columns)]
    if "coverage_type" in columns:
        table["coverage_type"] = coverage_categories(table["coverage_type"], path)
    return table
