"""The final map: both masks put together by the option of each block (paper, Table 4)."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry

from cropbase.errors import ConfigError
from cropbase.jobs import progress
from cropbase.rasters import open_raster, write_cog
from croplayer.blocks.classes import CROPLAND, NOT_CROPLAND, OUTSIDE, UNUSABLE
from croplayer.blocks.features import read_mask
from croplayer.blocks.integration import check_pair, read_options
from croplayer.grid import Block, BlockGrid
from croplayer.grid.completeness import require_ids, require_raster
from croplayer.grid.inside import pixels_inside
from croplayer.grid.regions import read_region

log = logging.getLogger(__name__)

COLORMAP = {
    NOT_CROPLAND: (238, 234, 224, 255),
    CROPLAND: (0, 158, 115, 255),
    UNUSABLE: (204, 121, 167, 255),
    OUTSIDE: (0, 0, 0, 0),
}
"""Colours of the final map in QGIS; value -> red, green, blue, alpha."""


def integrate_shard(
    *,
    masks: dict[str, Path],
    options: Path,
    boundary: Path | BaseGeometry,
    blocks: list[Block],
    grid: BlockGrid,
    sources: Sequence[str],
    output: Path,
) -> None:
    """Write the final map of a shard, block by block.

    Parameters
    ----------
    masks : source -> cropland mask (0, 1, 255 nodata) of the shard.
    options : table of the option of each block.
    boundary : the province: a vector file with a CRS, or a (multi)polygon in EPSG:4326.
    blocks : the planned blocks of the shard.
    sources : (a, b).

    The map is a uint8 COG of the bounding rectangle of `blocks`: 0 not cropland, 1 cropland, 254
    unusable imagery, 255 (nodata) outside the province or the planned blocks. See `integrate`.

    Raises CompletenessError if a mask lacks a block or a block has no option or two, ConfigError
    without two sources, and InputError for files that cannot be used.
    """
    pair = check_pair(sources)
    for source in pair:
        if source not in masks:
            raise ConfigError(f"source {source!r} has no mask", given=", ".join(masks))
    blocks = sorted(set(blocks))
    choice = _options_of(options, blocks, grid)
    region = boundary if isinstance(boundary, BaseGeometry) else read_region(boundary)
    whole = grid.shard_window(blocks)

    def windows() -> Iterator[tuple[Window, np.ndarray]]:
        with ExitStack() as stack:
            rasters = [stack.enter_context(open_raster(masks[source])) for source in pair]
            for raster in rasters:
                require_raster(raster, blocks, grid, stage="segment_shard")
            for block in progress(blocks, what="final map", unit="block"):
                window = grid.block_window(block)
                a, b = (read_mask(raster, grid, window) for raster in rasters)
                values = integrate(choice[block], *a, *b)
                values[~pixels_inside(region, grid, window)] = OUTSIDE
                place = Window(
                    window.col - whole.col, window.row - whole.row, window.width, window.height
                )
                yield place, values[np.newaxis]

    write_cog(
        output,
        windows(),
        height=whole.height,
        width=whole.width,
        bands=1,
        dtype="uint8",
        transform=grid.transform(whole),
        nodata=OUTSIDE,
        colormap=COLORMAP,
        descriptions=["cropland: 0 no, 1 yes, 254 unusable imagery, 255 outside"],
    )


def integrate(
    option: str,
    cropland_a: np.ndarray,
    valid_a: np.ndarray,
    cropland_b: np.ndarray,
    valid_b: np.ndarray,
) -> np.ndarray:
    """The final map of one block (paper, Table 4).

    Parameters
    ----------
    option : neither, only_a, only_b or both.
    cropland_a, valid_a, cropland_b, valid_b : (rows, columns) bool.

    Returns (rows, columns) uint8: 0, 1, or 254 where what the option rests on has no data.
    `only_a` and `only_b` take that source alone, nodata included. `both` is the union over the
    source or sources that are valid. `neither` is no cropland, except where neither source is
    valid: what nobody saw is not known to be empty.
    """
    either = valid_a | valid_b
    cropland, valid = {
        "neither": (np.zeros_like(cropland_a), either),
        "only_a": (cropland_a, valid_a),
        "only_b": (cropland_b, valid_b),
        "both": ((cropland_a & valid_a) | (cropland_b & valid_b), either),
    }[option]
    return np.where(valid, np.where(cropland, CROPLAND, NOT_CROPLAND), UNUSABLE).astype(np.uint8)


def _options_of(path: Path, blocks: list[Block], grid: BlockGrid) -> dict[Block, str]:
    """The option of each block of the shard; the table may hold the whole province."""
    table = read_options(path)
    ids = {grid.block_id(block): block for block in blocks}
    table = table[table["block_id"].isin(ids)]
    require_ids(table, ids, stage="choose_options", path=path)
    return {ids[i]: option for i, option in zip(table["block_id"], table["option"], strict=True)}
