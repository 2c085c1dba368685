"""Choosing the blocks to label next: everything known of a block, the strategy, the ranked list."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from cropbase.atomic import atomic_path
from cropbase.tables import write_table
from cropbase.vectors import write_geopackage
from croplayer.active.choosing.embedding import embed_blocks
from croplayer.active.choosing.facts import ALREADY, CANDIDATE, gather_facts, shards_in
from croplayer.active.choosing.kcentre import CentreSet, standardised
from croplayer.active.choosing.measure import Measured, measure_blocks
from croplayer.active.choosing.quotas import spread_evenly
from croplayer.active.choosing.reasons import explain, main_reason
from croplayer.active.choosing.strategy import (
    DIVERSITY,
    RANDOM,
    SIGNALS,
    choose_diverse,
    draw_random,
    percentiles,
    priorities,
    quotas_of,
    strengths,
)
from croplayer.grid import BlockGrid, PixelWindow
from croplayer.grid.planning import read_plan
from croplayer.segmentation import storage
from croplayer.settings.active import ActiveSettings
from croplayer.settings.segmentation import SegmentationSettings

log = logging.getLogger(__name__)

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
    suggested : written: GeoPackage of one window a chosen block, the extent to label.
    quality, terrain, semantic, extents : tables of the stages; what is not there is left out of
        the choice (without extents nothing counts as labelled).

    Returns what `chosen` holds: fewer blocks than wanted, or none, if no more are left.
    """
    plan = read_plan(blocks)
    shards = shards_in(plan, grid)
    measured = measure_blocks(
        blocks=shards,
        probability=_by_shard(probability),
        masks=_by_shard(masks),
        grid=grid,
        settings=settings,
    )
    facts = gather_facts(
        plan=plan,
        measured=measured.table,
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
    extent = suggest_windows(ranked, facts, measured, grid, settings, rng)
    ranked["extent_inclusion_probability"] = (
        ranked["inclusion_probability"] / settings.windows_per_edge**2
    )
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


def select(
    facts: pd.DataFrame,
    places: Mapping[tuple[str, str], np.ndarray],
    settings: ActiveSettings,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Random blocks first, then the strategy on those that are left.

    Parameters
    ----------
    facts : as `gather_facts`.
    places : (block_id, source) -> features.

    Returns
    -------
    (facts with priority and the parts it is made of, the chosen rows with rank, reason, reasons,
    split, distance and inclusion_probability), which are none where there is no candidate.
    """
    can = (facts["state"] == CANDIDATE).to_numpy()
    if not can.any():
        states = facts["state"].value_counts()
        log.warning(
            "no block is left to choose: of %d blocks and sources %s",
            len(facts),
            ", ".join(f"{count} {state}" for state, count in states.items()),
        )
        facts = facts.assign(priority=np.nan)
        columns = dict.fromkeys([*facts.columns, *LEADING, *LIKELIHOOD, "distance"])
        return facts, facts.iloc[:0].reindex(columns=list(columns))
    weights = settings.weights.model_dump()
    signs = strengths(facts[can])
    facts = facts.assign(priority=priorities(signs, weights).reindex(facts.index))
    # Of a block's sources the one that promises more; the first of two that promise the same.
    order = facts[can].sort_values("priority", ascending=False, kind="stable")
    pool = order.drop_duplicates("block_id").sort_values("block_id", ignore_index=False)
    wanted = min(settings.blocks, len(pool))
    if wanted < settings.blocks:
        log.warning("only %d blocks are left to choose of %d wanted", wanted, settings.blocks)
    n_random = round(settings.random_share * wanted)
    if settings.random_share > 0:
        n_random = max(n_random, 1)
    at_random = pool.iloc[draw_random(len(pool), n_random, rng)].assign(
        reason=RANDOM, split="validation", inclusion_probability=n_random / len(pool)
    )
    rest = pool.drop(index=at_random.index)
    points, labelled = _feature_space(facts, rest, places)
    shares = {stratum.name: stratum.share for stratum in settings.strata}
    index, distance = choose_diverse(
        priority=rest["priority"].to_numpy(),
        strata=rest["stratum"],
        quotas=quotas_of(rest["stratum"], shares, wanted - n_random),
        embeddings=points,
        labelled=labelled,
        diversity=settings.diversity,
    )
    by_strategy = rest.iloc[index].assign(distance=distance, split="train")
    signs = signs[[name for name in signs if weights[name] > 0]].loc[pool.index]
    if settings.diversity > 0:
        far = CentreSet(points, labelled).distance
        signs[DIVERSITY] = percentiles(pd.Series(far, index=rest.index))
    by_strategy["reason"] = [main_reason(signs.loc[name]) for name in by_strategy.index]
    queues = {RANDOM: at_random, "strategy": by_strategy}
    turn = spread_evenly({name: len(queue) for name, queue in queues.items()})
    taken = {name: iter(queue.index) for name, queue in queues.items()}
    ranked = pd.concat(queues.values()).loc[[next(taken[name]) for name in turn]]
    ranked["rank"] = np.arange(1, len(ranked) + 1)
    ranked["distance"] = ranked.get("distance", pd.Series(dtype=float)).astype("float64")
    sources = list(dict.fromkeys(facts["source"]))
    ranked["reasons"] = [explain(row, signs.loc[name], sources) for name, row in ranked.iterrows()]
    return facts, ranked


def _feature_space(
    facts: pd.DataFrame, rest: pd.DataFrame, places: Mapping[tuple[str, str], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """(candidates, labelled blocks of all sources) as standardised features."""
    keys = list(places)
    scaled = dict(zip(keys, standardised(np.stack([places[key] for key in keys])), strict=True))
    middle = np.zeros(next(iter(scaled.values())).shape)
    points = [scaled.get(key, middle) for key in zip(rest["block_id"], rest["source"], strict=True)]
    done = facts[facts["state"] == ALREADY]
    labelled = [
        scaled[key] for key in zip(done["block_id"], done["source"], strict=True) if key in scaled
    ]
    return np.array(points).reshape(-1, len(middle)), np.array(labelled).reshape(-1, len(middle))


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
