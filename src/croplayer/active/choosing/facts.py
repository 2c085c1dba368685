"""Everything that is known of a block and source, in one table, and whether it can be chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from cropbase.areas import polygon_area_ha
from cropbase.tables import read_geotable, read_table
from croplayer.active.choosing.strata import assign_strata
from croplayer.blocks.classes import LOW_QUALITY_TYPES
from croplayer.grid import Block, BlockGrid
from croplayer.grid.planning import planned
from croplayer.settings.active import ActiveSettings

CANDIDATE, ALREADY = "candidate", "labelled already"
OUTSIDE, UNUSABLE = "mostly outside the province", "no usable imagery"
ALARMS = ("p_fp", "p_noise", "p_artifacts")


def gather_facts(
    *,
    plan: gpd.GeoDataFrame,
    measured: pd.DataFrame,
    settings: ActiveSettings,
    quality: Mapping[str, Sequence[Path]] | None,
    terrain: Sequence[Path],
    semantic: Path | None,
    extents: Path | None,
) -> pd.DataFrame:
    """Join the tables of the stages to the signs measured from the rasters.

    Returns `measured` with coverage_type, slope, p_fp, p_noise, p_artifacts, alarm (their sum),
    product (mean over the products), uncertainty (as configured, 0-1), inside_share,
    labelled_share, stratum and state. What no table tells is missing, and so is the disagreement
    of two sources one of which shows clouds, snow or nothing.

    Raises InputError for tables that cannot be read.
    """
    facts = measured.copy()
    keys = ["block_id", "source"]
    facts["coverage_type"] = None
    if quality:
        graded = pd.concat([read_table(p) for paths in quality.values() for p in paths])
        graded = graded[[*keys, "coverage_type"]].astype(str)
        facts = facts.drop(columns="coverage_type").merge(graded, on=keys, how="left")
    facts["slope"] = np.nan
    if terrain:
        relief = pd.concat([read_table(path, columns=["block_id", "slope"]) for path in terrain])
        facts["slope"] = facts["block_id"].map(relief.set_index("block_id")["slope"])
    if semantic is not None:
        classes = read_table(semantic, columns=[*keys, *ALARMS])
        facts = facts.merge(classes, on=keys, how="left")
        facts["alarm"] = facts[list(ALARMS)].sum(axis=1, min_count=1)
    # A cloud in one source is no sign of a wrong map in the other.
    spoiled = facts["coverage_type"].isin(LOW_QUALITY_TYPES).groupby(facts["block_id"])
    facts["disagreement"] = facts["disagreement"].mask(spoiled.transform("any"))
    differences = [name for name in facts.columns if name.startswith("product_")]
    if differences:
        facts["product"] = facts[differences].mean(axis=1)
    facts["uncertainty"] = (
        facts["entropy"] if settings.uncertainty == "entropy" else 1 - facts["margin"]
    )
    whole = pd.Series([polygon_area_ha(shape) for shape in plan.geometry], index=plan["block_id"])
    inside = plan.set_index("block_id")["inside_ha"] / whole
    facts["inside_share"] = facts["block_id"].map(inside).clip(upper=1.0)
    facts["labelled_share"] = facts["block_id"].map(_labelled_share(plan, extents))
    facts["stratum"] = assign_strata(facts, settings.strata)
    facts["state"] = _states(facts, settings)
    return facts


def _states(facts: pd.DataFrame, settings: ActiveSettings) -> np.ndarray:
    """Whether a row can be chosen; of several reasons against it the first."""
    return np.select(
        [
            facts["labelled_share"] > settings.labelled_share,
            facts["inside_share"] < settings.min_inside_share,
            (facts["valid_share"] < settings.min_valid_share)
            | facts["coverage_type"].isin(LOW_QUALITY_TYPES),
        ],
        [ALREADY, OUTSIDE, UNUSABLE],
        default=CANDIDATE,
    )


def _labelled_share(plan: gpd.GeoDataFrame, extents: Path | None) -> pd.Series:
    """block_id -> share of the block that labelled extents cover."""
    share = pd.Series(0.0, index=plan["block_id"])
    if extents is None:
        return share
    done = read_geotable(extents).to_crs(4326).geometry.union_all()
    shapes = plan.geometry.to_numpy()
    # Square degrees serve: a block lies within a twentieth of a degree of latitude.
    share[:] = shapely.area(shapely.intersection(shapes, done)) / shapely.area(shapes)
    return share


def shards_in(plan: gpd.GeoDataFrame, grid: BlockGrid) -> dict[str, list[Block]]:
    """shard -> its planned blocks."""
    return {shard.shard_id: list(shard.blocks) for shard in grid.shards(planned(plan))}
