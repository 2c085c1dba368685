"""Medians of elevation, slope, ruggedness and roughness a block (paper, 2.2.2 and Table 5)."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd
from rasterio.windows import Window

from cropbase.errors import InputError
from cropbase.jobs import progress
from cropbase.tables import write_table
from croplayer.grid import Block, BlockGrid
from croplayer.grid.completeness import require_blocks
from croplayer.settings.terrain import TerrainSettings
from croplayer.terrain.dem import DemLayer, find_dem_files, open_layers
from croplayer.terrain.derivatives import roughness_m, ruggedness_m, slope_degrees

log = logging.getLogger(__name__)

COLUMNS = ("elevation", "slope", "ruggedness", "roughness")
_STRIP_CELLS = 1_000_000
_EDGE_TOLERANCE_DEGREES = 1e-9
"""0.1 mm: a cell centre on a block's edge belongs to one block, whatever the DEM's rounding."""


def measure_terrain(
    *,
    dem: list[Path],
    blocks: list[Block],
    grid: BlockGrid,
    settings: TerrainSettings,
    output: Path,
) -> None:
    """Write the terrain table of a shard: `block_id, elevation, slope, ruggedness, roughness`.

    Medians in metres, degrees, metres, metres over the DEM cells whose centres lie in the block
    (west and north edge included). The derivatives are computed with the DEM's own cells, with
    their neighbours across the block's edge. A block that holds no cell centre takes the cell
    that contains its middle. A block without elevation is NaN and told in a warning. Memory is
    that of one block.

    Parameters
    ----------
    dem : elevation files or glob patterns, any CRS; see `DemLayer`. Where files lie on different
        lattices, a block takes its cells from the layer that covers most of it. An empty list
        means that there is no elevation: every block is NaN, which the models of blocks take.
    blocks : the planned blocks; the table holds exactly these, sorted.
    output : the Parquet file.

    Raises InputError for a DEM that is absent, damaged, without CRS, or that reaches no block;
    CompletenessError if a block is given twice.
    """
    layers = open_layers(find_dem_files(dem), settings)
    blocks = sorted(blocks)
    reached = not layers
    if not layers:
        log.warning("terrain.dem names no elevation file: the terrain of all blocks is missing")
    rows, without, partial, tiny = [], [], [], []
    for block in progress(blocks, what="terrain", unit="block"):
        block_id = grid.block_id(block)
        best, share = dict.fromkeys(COLUMNS, np.nan), 0.0
        for layer in layers:
            window = layer.window_around(grid.bounds(block), margin=2)
            if not layer.reaches(window):
                continue
            reached = True
            medians, covered, single = _measure(layer, window, grid.bounds(block))
            if covered > share:
                best, share = medians, covered
                if single:
                    tiny.append(block_id)
            if share == 1.0:
                break
        if share == 0.0:
            without.append(block_id)
        elif share < 0.5:
            partial.append(block_id)
        rows.append({"block_id": block_id, **best})
    if not reached:
        raise InputError(
            f"the DEM covers none of the {len(blocks)} blocks",
            given=", ".join(str(path) for path in dem[:3]) + (" ..." if len(dem) > 3 else ""),
            allowed=f"elevation around {_span(blocks, grid)}",
            remedy="add the DEM tiles of this area to terrain.dem",
        )
    _tell(without if layers else [], "have no elevation: their terrain is missing")
    _tell(partial, "have elevation in less than half of their area")
    if tiny:
        log.info("%d blocks are smaller than a DEM cell and take the one around them", len(tiny))
    table = pd.DataFrame(rows, columns=["block_id", *COLUMNS])
    require_blocks(table, blocks, grid, stage="measure_terrain")
    write_table(table, output)


def _measure(
    layer: DemLayer, window: Window, bounds: tuple[float, float, float, float]
) -> tuple[dict[str, float], float, bool]:
    """(medians, share of the block's cells with elevation, whether one cell stands for all)."""
    inside = _cells_inside(layer, window, bounds)
    single = not inside.any()
    if single:
        inside = _cell_around_middle(layer, window, bounds)
    elevation = layer.read(window)
    size_x, size_y = layer.cell_size_m(window)
    medians = {
        "elevation": _median(elevation[inside]),
        "slope": _median(slope_degrees(elevation, size_x, size_y)[inside]),
        "ruggedness": _median(ruggedness_m(elevation, layer.settings.ruggedness)[inside]),
        "roughness": _median(roughness_m(elevation)[inside]),
    }
    return medians, float(np.isfinite(elevation[inside]).mean()), single


def _cells_inside(
    layer: DemLayer, window: Window, bounds: tuple[float, float, float, float]
) -> np.ndarray:
    """(rows, columns) bool: the cells of `window` whose centre lies in the block.

    Never the outermost cells of the window: they are there as neighbours.
    """
    west, south, east, north = bounds
    slack = _EDGE_TOLERANCE_DEGREES
    inside = np.zeros((window.height, window.width), dtype=bool)
    cols = window.col_off + np.arange(1, window.width - 1) + 0.5
    step = max(1, _STRIP_CELLS // max(len(cols), 1))
    for first in range(1, window.height - 1, step):
        last = min(first + step, window.height - 1)
        rows = window.row_off + np.arange(first, last) + 0.5
        lon, lat = layer.lon_lat(*np.meshgrid(rows, cols, indexing="ij"))
        inside[first:last, 1:-1] = (
            (lon >= west - slack)
            & (lon < east - slack)
            & (lat <= north + slack)
            & (lat > south + slack)
        )
    return inside


def _cell_around_middle(
    layer: DemLayer, window: Window, bounds: tuple[float, float, float, float]
) -> np.ndarray:
    """(rows, columns) bool with the one cell whose centre is nearest to the block's middle."""
    rows, cols = np.mgrid[1 : window.height - 1, 1 : window.width - 1] + 0.5
    lon, lat = layer.lon_lat(rows + window.row_off, cols + window.col_off)
    west, south, east, north = bounds
    middle_lat = (south + north) / 2
    distance = np.hypot(
        (lon - (west + east) / 2) * np.cos(np.radians(middle_lat)), lat - middle_lat
    )
    inside = np.zeros((window.height, window.width), dtype=bool)
    inside[1:-1, 1:-1].flat[np.argmin(distance)] = True
    return inside


def _median(values: np.ndarray) -> float:
    """Median of the finite values; NaN if there is none."""
    values = values[np.isfinite(values)]
    return float(np.median(values)) if values.size else float("nan")


def _span(blocks: list[Block], grid: BlockGrid) -> str:
    bounds = np.array([grid.bounds(block) for block in blocks])
    west, south = bounds[:, :2].min(axis=0)
    east, north = bounds[:, 2:].max(axis=0)
    return f"west {west:.2f}, south {south:.2f}, east {east:.2f}, north {north:.2f}"


def _tell(block_ids: list[str], what: str) -> None:
    if block_ids:
        log.warning("%d blocks %s: %s", len(block_ids), what, ", ".join(block_ids))
