"""Choosing the blocks to label next: everything known of a block, the strategy, the ranked list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd

from cropbase.atomic import atomic_path
from cropbase.tables import read_geotable, write_table
from cropbase.vectors import write_geopackage
from croplayer.active.choosing.embedding import embed_blocks
from croplayer.active.choosing.facts import CANDIDATE, gather_facts, shards_in
from croplayer.active.choosing.measure import Product, measure_blocks, measure_windows
from croplayer.active.choosing.selection import select
from croplayer.active.choosing.strategy import SIGNALS
from croplayer.active.choosing.windows import suggest_windows
from croplayer.grid import BlockGrid
from croplayer.grid.planning import read_plan
from croplayer.segmentation import storage
from croplayer.settings.active import ActiveSettings
from croplayer.settings.segmentation import SegmentationSettings

LEADING = ("rank", "block_id", "source", "reason", "reasons", "stratum", "split")
LIKELIHOOD = ("inclusion_probability", "extent_inclusion_probability")


def choose_blocks(
    *,
    blocks: Path,
    probability: Mapping[str, Sequence[Path]],
    masks: Mapping[str, Sequence[Path]],
    mosaics: Mapping[str, Sequence[Path]],
    model_dir: Path,
    grid: BlockGrid,
    settings: ActiveSettings,
    segmentation: SegmentationSettings,
    label_round: int,
    scores: Path,
    chosen: Path,
    table: Path,
    suggested: Path,
    quality: Mapping[str, Sequence[Path]] | None = None,
    terrain: Sequence[Path] = (),
    semantic: Path | None = None,
    extents: Path | None = None,
    products: Mapping[str, Product] | None = None,
) -> gpd.GeoDataFrame:
    """Rank the blocks that are worth labelling next.

    Parameters
    ----------
    blocks : `plan/blocks.parquet`.
    probability, masks, mosaics : source -> rasters of its shards, named by shard.
    model_dir : the segmentation model, whose feature space tells what is alike.
    label_round : the round that the province is in; random blocks differ from round to round.
    scores : written: Parquet, a row a planned block and source: all signs, the priority, and in
        `state` whether it could be chosen and if not why.
    chosen : written: GeoPackage of the chosen blocks, ranked (columns: docs/active_learning.md).
    table : written: the same as CSV, without geometry.
    suggested : written: GeoPackage of some windows of each chosen block, the extents to label.
    quality, terrain, semantic, extents : tables of the stages; what is not there is left out of
        the choice (without extents nothing counts as labelled).
    products : existing products that the map is put beside, see `measure_blocks`.

    Returns what `chosen` holds: fewer blocks than wanted, or none, if no more are left. Raises
    ConfigError if windows_per_edge does not divide a block, and what `measure_blocks` raises.
    """
    settings.windows_along(grid.pixels_per_block)  # refused before anything is read
    plan = read_plan(blocks)
    shards = shards_in(plan, grid)
    rasters = {
        "probability": _by_shard(probability),
        "masks": _by_shard(masks),
        "grid": grid,
        "products": products,
    }
    facts = gather_facts(
        plan=plan,
        measured=measure_blocks(blocks=shards, **rasters),
        settings=settings,
        quality=quality,
        terrain=terrain,
        semantic=semantic,
        extents=extents,
    )
    places = embed_blocks(
        blocks=shards,
        mosaics=_by_shard(mosaics),
        grid=grid,
        model_dir=model_dir,
        settings=segmentation,
        chips_per_edge=settings.chips_per_edge,
    )
    rng = np.random.default_rng([settings.seed, label_round])
    facts, ranked = select(facts, places, settings, rng)
    write_table(facts, scores)
    pairs = list(zip(ranked["block_id"], ranked["source"], strict=True))
    signs = measure_windows(chosen=pairs, settings=settings, **rasters)
    done = None if extents is None else read_geotable(extents).to_crs(4326).geometry
    extent = suggest_windows(ranked, facts, signs, grid, settings, rng, done)
    chances = extent.drop_duplicates("block_id").set_index("block_id")["inclusion_probability"]
    ranked["extent_inclusion_probability"] = ranked["block_id"].map(chances)
    result = _with_geometry(_in_order(ranked), plan)
    can = facts.loc[facts["state"] == CANDIDATE, "block_id"]
    metadata = {
        "DESCRIPTION": "blocks to label next",
        "round": str(label_round + 1),
        "model_sha256": storage.model_hash(Path(model_dir)),
        "seed": str(settings.seed),
        "frame_blocks": str(can.nunique()),
    }
    write_geopackage(result, chosen, metadata=metadata, geometry_type="Polygon")
    write_geopackage(extent, suggested, metadata=metadata, geometry_type="Polygon")
    with atomic_path(table) as path:
        result.drop(columns="geometry").to_csv(
            path, index=False, lineterminator="\n", float_format="%.6g"
        )
    return result


def _in_order(ranked: pd.DataFrame) -> pd.DataFrame:
    """The columns of the list: what a person reads first, then every figure."""
    leading = [*LEADING, *LIKELIHOOD, "priority", "distance", *(s for s in SIGNALS if s in ranked)]
    rest = [name for name in ranked.columns if name not in (*leading, "state")]
    return ranked[leading + rest].reset_index(drop=True)


def _with_geometry(ranked: pd.DataFrame, plan: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    shapes = plan.set_index("block_id").geometry
    return gpd.GeoDataFrame(
        ranked, geometry=shapes.reindex(ranked["block_id"]).to_numpy(), crs="EPSG:4326"
    )


def _by_shard(files: Mapping[str, Sequence[Path]]) -> dict[str, dict[str, Path]]:
    """source -> shard -> file."""
    return {source: {Path(p).stem: Path(p) for p in paths} for source, paths in files.items()}
