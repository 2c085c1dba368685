"""Every table and raster of a stage holds exactly the planned blocks: checked here, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import product
from pathlib import Path

import pandas as pd
import rasterio

from cropbase.completeness import remedy_of, require_rows
from cropbase.errors import CompletenessError
from croplayer.grid.blocks import Block, BlockGrid, PixelWindow
from croplayer.grid.rasters import raster_window


def require_blocks(
    table: pd.DataFrame,
    blocks: Iterable[Block],
    grid: BlockGrid,
    *,
    stage: str,
    per_source: Sequence[str] | None = None,
    path: str | Path | None = None,
) -> None:
    """Check that `table` has exactly one row a planned block (and source).

    Parameters and errors as `require_ids`, with the planned blocks in the place of their ids.
    """
    ids = [grid.block_id(block) for block in set(blocks)]
    require_ids(table, ids, stage=stage, per_source=per_source, path=path)


def require_ids(
    table: pd.DataFrame,
    block_ids: Iterable[str],
    *,
    stage: str,
    per_source: Sequence[str] | None = None,
    path: str | Path | None = None,
) -> None:
    """Check that `table` has exactly one row for each of `block_ids` (and each source).

    Parameters
    ----------
    table : a column `block_id`, and `source` where `per_source` is given.
    block_ids : ids of the planned blocks.
    stage : the name of the rule that makes the table; the message tells how to run it again.
    per_source : the sources of which every block must have one row each.
    path : the table's file, for the message.

    Raises
    ------
    CompletenessError : naming the first missing, doubled or unplanned block (by id and source)
        and how many more there are.
    """
    ids = sorted(set(block_ids))
    if per_source is None:
        planned = pd.MultiIndex.from_arrays([pd.Series(ids, dtype=object)], names=["block_id"])
    else:
        pairs = pd.DataFrame(product(ids, per_source), columns=["block_id", "source"], dtype=object)
        planned = pd.MultiIndex.from_frame(pairs)
    units = "planned blocks" if per_source is None else "planned pairs of block and source"
    require_rows(table, planned, stage=stage, units=units, path=path)


def require_pixels(
    covers: Callable[[PixelWindow], bool],
    blocks: Iterable[Block],
    grid: BlockGrid,
    *,
    stage: str,
    path: str | Path,
) -> None:
    """Check that a raster (or the shards of one together) reaches over every planned block.

    Parameters
    ----------
    covers : tells whether the raster has every pixel of a window.
    stage : the rule that makes the raster; the message tells how to run it again.
    path : the raster, or the folder of its shards, for the message.

    Raises
    ------
    CompletenessError : naming the first block that is not covered and how many more there are.
    """
    blocks = sorted(set(blocks))
    lacking = sorted(grid.block_id(b) for b in blocks if not covers(grid.block_window(b)))
    if lacking:
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        raise CompletenessError(
            f"the raster of {stage} ({path}) lacks block {lacking[0]}{more}",
            given=f"{len(blocks) - len(lacking)} of {len(blocks)} planned blocks",
            allowed="all planned blocks",
            remedy=remedy_of(stage, path if Path(path).suffix else None),
        )


def require_raster(
    dataset: rasterio.DatasetReader, blocks: Iterable[Block], grid: BlockGrid, *, stage: str
) -> None:
    """`require_pixels` of one open raster on the global pixel grid."""
    covered = raster_window(dataset, grid)
    require_pixels(
        lambda window: covered.union(window) == covered,
        blocks,
        grid,
        stage=stage,
        path=dataset.name,
    )
