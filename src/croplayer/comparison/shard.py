"""A shard of the final map beside one product: a row a block, and the classes under it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from shapely.geometry.base import BaseGeometry

from cropbase.areas import row_pixel_areas_ha
from cropbase.atomic import write_json
from cropbase.jobs import progress
from cropbase.tables import write_table
from croplayer.comparison.codes import FILL, IN, KNOWN, OUT, STRANGE, UNCLEAR
from croplayer.comparison.measures import (
    CROPLAND,
    NOT_CROPLAND,
    UNKNOWN,
    best_shift,
    known,
    readings_of,
    structure,
    tabulate,
)
from croplayer.comparison.reader import ProductReader
from croplayer.grid import Block, BlockGrid
from croplayer.grid.completeness import require_blocks
from croplayer.grid.inside import pixels_inside
from croplayer.settings.products import MAX_CODE, ProductRaster
from croplayer.validation.maps import ShardedMap

log = logging.getLogger(__name__)

PAIRS = {
    "crop_in": (CROPLAND, IN),
    "crop_unclear": (CROPLAND, UNCLEAR),
    "crop_out": (CROPLAND, OUT),
    "other_in": (NOT_CROPLAND, IN),
    "other_unclear": (NOT_CROPLAND, UNCLEAR),
    "other_out": (NOT_CROPLAND, OUT),
}
"""Name of a pair -> (state of the final map, state of the product): what both say of a pixel."""
MARGIN = 0.05
"""A block all or nearly all of one kind tells nothing of a shift."""


def compare_shard(
    *,
    maps: list[Path],
    files: list[Path],
    name: str,
    product: ProductRaster,
    blocks: list[Block],
    boundary: BaseGeometry,
    grid: BlockGrid,
    output: Path,
    classes: Path,
) -> None:
    """Compare the final map with a product on the map's pixel grid, block by block (section 3.4).

    Parameters
    ----------
    maps : rasters of the final map of this shard: 0, 1, 254 unusable, 255 outside or no data.
    files : the product's files; only windows of them are read, nearest neighbour.
    boundary : the province, EPSG:4326; pixels whose centre lies inside count.

    Writes two files. `output` (Parquet), a row a block: `block_id, product`; `px_*` and `ha_*` the
    pixels and hectares of each pair of `PAIRS`, where both maps are known; `inside_ha` of the
    province; `ours_ha` and `ours_unusable_ha` of the final map, wherever it speaks;
    `product_in_ha`, `product_unclear_ha`, `product_known_ha`, `product_strange_ha` (codes outside
    its legend) of the product, wherever it speaks; `af_*` and `ed_*` (Eq. 5) of `ours`, `strict`
    and `lenient` over the pixels that both know; `shift_down`, `shift_right` (`best_shift`; missing
    where a block cannot tell). `classes` (JSON): pixels of every code under the map's cropland and
    beside it, and what is odd about the files.

    Raises InputError for files that cannot be used, CompletenessError if the final map lacks a
    block.
    """
    rows = []
    codes_under = np.zeros((2, MAX_CODE + 1), dtype=np.int64)
    with (
        ShardedMap(maps, grid, name="final map") as ours_map,
        ProductReader(product, files, grid) as reader,
    ):
        ours_map.require(blocks, stage="integrate_shard")
        for block in progress(sorted(set(blocks)), what=f"blocks beside {name}", unit="block"):
            window = grid.block_window(block)
            inside = pixels_inside(boundary, grid, window)
            ours = np.minimum(ours_map.read(window), UNKNOWN)
            codes, states = reader.read(window)
            row_ha = row_pixel_areas_ha(grid.transform(window), window.height)
            row = {"block_id": grid.block_id(block), "product": name}
            row |= _areas(*tabulate(ours, states, inside, row_ha))
            row |= _structures(ours == CROPLAND, states, known(ours, states, inside))
            row |= _shift(ours, states, inside, reader.pixel(window))
            rows.append(row)
            codes_under += _codes_under(codes, ours, inside & (states != FILL))
        findings = reader.findings
    table = pd.DataFrame(rows)
    require_blocks(table, blocks, grid, stage="compare_shard")
    write_table(table, output)
    write_json(classes, _class_table(product, codes_under) | {"findings": findings})


def _areas(pixels: np.ndarray, hectares: np.ndarray) -> dict[str, float | int]:
    row: dict[str, float | int] = {f"px_{key}": int(pixels[at]) for key, at in PAIRS.items()}
    row |= {f"ha_{key}": float(hectares[at]) for key, at in PAIRS.items()}
    return row | {
        "inside_ha": float(hectares.sum()),
        "ours_ha": float(hectares[CROPLAND].sum()),
        "ours_unusable_ha": float(hectares[UNKNOWN].sum()),
        "product_in_ha": float(hectares[:, IN].sum()),
        "product_unclear_ha": float(hectares[:, UNCLEAR].sum()),
        "product_known_ha": float(hectares[:, :KNOWN].sum()),
        "product_strange_ha": float(hectares[:, STRANGE].sum()),
    }


def _structures(cropland: np.ndarray, states: np.ndarray, valid: np.ndarray) -> dict[str, float]:
    maps = {"ours": cropland, **readings_of(states)}
    row = {}
    for name, mask in maps.items():
        row[f"af_{name}"], row[f"ed_{name}"] = structure(mask & valid, valid)
    return row


def _shift(ours, states, inside, pixel: tuple[int, int] | None) -> dict[str, float]:
    valid = known(ours, states, inside)
    cropland = (ours == CROPLAND) & valid
    share = cropland.sum() / max(valid.sum(), 1)
    if pixel is None or not MARGIN < share < 1 - MARGIN or max(pixel) * 4 > min(ours.shape):
        return {"shift_down": float("nan"), "shift_right": float("nan")}
    down, right = best_shift(cropland, states == IN, valid, pixel)
    return {"shift_down": float(down), "shift_right": float(right)}


def _codes_under(codes: np.ndarray, ours: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """(2, 256) pixels of each code where the final map has no cropland, and where it has some."""
    counted = counted & (ours < UNKNOWN)
    joint = codes[counted].astype(np.int64) + (MAX_CODE + 1) * (ours[counted] == CROPLAND)
    return np.bincount(joint, minlength=2 * (MAX_CODE + 1)).reshape(2, MAX_CODE + 1)


def _class_table(product: ProductRaster, codes_under: np.ndarray) -> dict[str, Any]:
    names = {entry.code: (entry.name, str(entry.cropland)) for entry in product.classes}
    found = sorted(set(np.flatnonzero(codes_under.any(axis=0)).tolist()) | set(names))
    return {
        "classes": [
            {
                "code": code,
                "name": names.get(code, (None, None))[0],
                "cropland": names.get(code, (None, None))[1],
                "px_crop": int(codes_under[CROPLAND, code]),
                "px_other": int(codes_under[NOT_CROPLAND, code]),
            }
            for code in found
        ]
    }
