"""Where in a chosen block to label: some of its windows, the extents."""

from __future__ import annotations

from collections.abc import Mapping

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from croplayer.active.choosing.facts import CANDIDATE
from croplayer.active.choosing.strategy import (
    RANDOM,
    draw_by_strength,
    draw_random,
    priorities,
    strengths,
)
from croplayer.grid import BlockGrid
from croplayer.settings.active import ActiveSettings

COLUMNS = ("extent_id", "rank", "block_id", "split", "source", "inclusion_probability")


def suggest_windows(
    ranked: pd.DataFrame,
    facts: pd.DataFrame,
    signs: Mapping[tuple[str, str], pd.DataFrame],
    grid: BlockGrid,
    settings: ActiveSettings,
    rng: np.random.Generator,
    labelled: gpd.GeoSeries | None = None,
) -> gpd.GeoDataFrame:
    """`extents_per_block` windows of each chosen block, the extents to label.

    Of a block of the strategy they are drawn by their signs (`draw_by_strength`), of a random block
    plainly; windows without imagery, or on what is labelled already, are not drawn.

    Parameters
    ----------
    ranked, facts : as `select` returns them.
    signs : as `measure_windows`, for every row of `ranked`.
    labelled : labelled extents in EPSG:4326.

    Returns
    -------
    Columns: extent_id, rank (of the block), block_id, split, source (the only one that shows the
    block; empty where all do, and labels hold for every source), inclusion_probability, geometry;
    EPSG:4326. The extents of a block stand in the order in which they were drawn; fewer where
    fewer windows are left.
    """
    can = facts[facts["state"] == CANDIDATE].groupby("block_id")["source"].nunique()
    everywhere = set(can.index[can == facts["source"].nunique()])
    done = shapely.STRtree([] if labelled is None else labelled.to_numpy())
    per_edge = settings.windows_along(grid.pixels_per_block)
    parts = []
    for _, row in ranked.iterrows():
        shapes = window_shapes(grid, row["block_id"], per_edge)
        known = signs[row["block_id"], row["source"]]
        shown = np.flatnonzero(known["uncertainty"].notna())
        places = np.setdiff1d(shown, _touched(shapes, done))
        drawn = places[_draw(row, known.iloc[places], settings, rng)]
        down, across = np.divmod(drawn, per_edge)
        parts.append(
            gpd.GeoDataFrame(
                {
                    "extent_id": [
                        f"{row['block_id']}-{i + 1}-{j + 1}"
                        for i, j in zip(down, across, strict=True)
                    ],
                    "rank": row["rank"],
                    "block_id": row["block_id"],
                    "split": row["split"],
                    "source": "" if row["block_id"] in everywhere else row["source"],
                    "inclusion_probability": row["inclusion_probability"]
                    * (len(drawn) / max(len(places), 1)),
                },
                geometry=shapes[drawn],
                crs="EPSG:4326",
            )
        )
    if not parts:
        return gpd.GeoDataFrame(columns=[*COLUMNS, "geometry"], crs="EPSG:4326")
    return pd.concat(parts, ignore_index=True)


def window_strength(signs: pd.DataFrame, weights: Mapping[str, float]) -> np.ndarray:
    """(windows,) float64, 0-1: how strong the signs of a wrong map are beside those of the block's
    other windows, by the same rule as for blocks."""
    return priorities(strengths(signs), weights).to_numpy()


def window_shapes(grid: BlockGrid, block_id: str, per_edge: int) -> np.ndarray:
    """The windows of a block, (per_edge^2,) polygons in EPSG:4326 from the north-west, row by
    row."""
    west, south, east, north = grid.bounds(grid.parse_block_id(block_id))
    lon, lat = np.linspace(west, east, per_edge + 1), np.linspace(north, south, per_edge + 1)
    down, across = np.divmod(np.arange(per_edge**2), per_edge)
    return shapely.box(lon[across], lat[down + 1], lon[across + 1], lat[down])


def _touched(shapes: np.ndarray, done: shapely.STRtree) -> np.ndarray:
    """Indices of the windows that share more than an edge with what is labelled."""
    west, south, east, north = shapely.bounds(shapes).T
    rim = 0.01 * (east - west)
    inner = shapely.box(west + rim, south + rim, east - rim, north - rim)
    return np.unique(done.query(inner, predicate="intersects")[0])


def _draw(
    row: pd.Series, signs: pd.DataFrame, settings: ActiveSettings, rng: np.random.Generator
) -> np.ndarray:
    """Indices of the windows that are drawn from those that can be."""
    if row["reason"] == RANDOM:
        return draw_random(len(signs), settings.extents_per_block, rng)
    # What is no sign of the block, clouds in one source say, is none of its windows.
    missing = [name for name in signs if pd.isna(row[name])]
    strength = window_strength(signs.drop(columns=missing), settings.weights.model_dump())
    return draw_by_strength(strength, settings.extents_per_block, settings.extent_power, rng)
