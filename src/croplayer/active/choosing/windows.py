"""Where in a chosen block to label: one of its windows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from croplayer.active.choosing.facts import CANDIDATE
from croplayer.active.choosing.measure import Measured
from croplayer.active.choosing.strategy import RANDOM
from croplayer.grid import BlockGrid, PixelWindow
from croplayer.settings.active import ActiveSettings


def suggest_windows(
    ranked: pd.DataFrame,
    facts: pd.DataFrame,
    measured: Measured,
    grid: BlockGrid,
    settings: ActiveSettings,
    rng: np.random.Generator,
) -> gpd.GeoDataFrame:
    """One window of each chosen block, the extent to label.

    The most doubtful window of a block of the strategy, any window with equal probability of a
    random block. Columns: extent_id, rank, block_id, split, source (the only one that shows the
    block; empty where all do, and labels hold for every source), inclusion_probability, geometry;
    EPSG:4326.
    """
    can = facts[facts["state"] == CANDIDATE].groupby("block_id")["source"].nunique()
    everywhere = set(can.index[can == facts["source"].nunique()])
    per_edge = settings.windows_per_edge
    rows = []
    for row in ranked.itertuples():
        if row.reason == RANDOM:
            place = int(rng.integers(per_edge**2))
        else:
            place = most_doubtful(measured.windows[row.block_id, row.source], row)
        down, across = divmod(place, per_edge)
        block = grid.block_window(grid.parse_block_id(row.block_id))
        size = block.height // per_edge
        window = PixelWindow(block.row + down * size, block.col + across * size, size, size)
        rows.append(
            {
                "extent_id": f"{row.block_id}-{down + 1}-{across + 1}",
                "rank": row.rank,
                "block_id": row.block_id,
                "split": row.split,
                "source": "" if row.block_id in everywhere else row.source,
                "inclusion_probability": row.inclusion_probability / per_edge**2,
                "geometry": shapely.box(*grid.window_bounds(window)),
            }
        )
    columns = ["extent_id", "rank", "block_id", "split", "source", "inclusion_probability"]
    return gpd.GeoDataFrame(rows, columns=[*columns, "geometry"], crs="EPSG:4326")


def most_doubtful(signs: Mapping[str, np.ndarray], row: NamedTuple) -> int:
    """The window where the signs sum to most, counted from the north-west, row by row.

    Parameters
    ----------
    signs : sign -> (windows_per_edge, windows_per_edge) float64; a missing one adds nothing.
    row : the block; a sign that is missing in it is left out.
    """
    known = [values for name, values in signs.items() if not pd.isna(getattr(row, name))]
    return int(np.argmax(np.nansum(known, axis=0))) if known else 0
