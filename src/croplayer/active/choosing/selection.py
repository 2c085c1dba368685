"""Which blocks are chosen: some at random, the others by the strategy, in one ranked list."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import numpy as np
import pandas as pd

from croplayer.active.choosing.facts import ALREADY, CANDIDATE
from croplayer.active.choosing.kcentre import CentreSet, standardised
from croplayer.active.choosing.quotas import spread_evenly
from croplayer.active.choosing.reasons import explain, main_reason
from croplayer.active.choosing.strategy import (
    DIVERSITY,
    RANDOM,
    choose_diverse,
    draw_random,
    percentiles,
    priorities,
    quotas_of,
    strengths,
)
from croplayer.settings.active import ActiveSettings

log = logging.getLogger(__name__)

CHOSEN = ("rank", "reason", "reasons", "split", "inclusion_probability", "distance")
"""What the choice adds to the facts of a block."""
Places = Mapping[tuple[str, str], np.ndarray]
"""(block_id, source) -> features (channels,)."""


def select(
    facts: pd.DataFrame, places: Places, settings: ActiveSettings, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Random blocks first, then the strategy on those that are left.

    Parameters
    ----------
    facts : as `gather_facts`.

    Returns
    -------
    (facts with the priority, the chosen rows of it with the columns of `CHOSEN`, ranked); no row
    is chosen where there is no candidate.
    """
    can = (facts["state"] == CANDIDATE).to_numpy()
    if not can.any():
        return _nothing_left(facts)
    weights = settings.weights.model_dump()
    signs = strengths(facts[can])
    facts = facts.assign(priority=priorities(signs, weights).reindex(facts.index))
    # Of a block's sources the one that promises more; the first of two that promise the same.
    order = facts[can].sort_values("priority", ascending=False, kind="stable")
    pool = order.drop_duplicates("block_id").sort_values("block_id")
    signs = signs.loc[pool.index, [name for name in signs if weights[name] > 0]]
    wanted = min(settings.blocks, len(pool))
    if wanted < settings.blocks:
        log.warning("only %d blocks are left to choose of %d wanted", wanted, settings.blocks)
    at_random = _at_random(pool, wanted, settings, rng)
    rest = pool.drop(index=at_random.index)
    points, labelled = _feature_space(facts, rest, places)
    if settings.diversity > 0:
        far = CentreSet(points, labelled).distance
        signs[DIVERSITY] = percentiles(pd.Series(far, index=rest.index))
    shares = {stratum.name: stratum.share for stratum in settings.strata}
    index, distance = choose_diverse(
        priority=rest["priority"].to_numpy(),
        strata=rest["stratum"],
        quotas=quotas_of(rest["stratum"], shares, wanted - len(at_random)),
        embeddings=points,
        labelled=labelled,
        diversity=settings.diversity,
    )
    by_strategy = rest.iloc[index].assign(distance=distance, split="train")
    by_strategy["reason"] = [main_reason(signs.loc[name]) for name in by_strategy.index]
    ranked = _in_turn(at_random, by_strategy)
    sources = list(dict.fromkeys(facts["source"]))
    ranked["reasons"] = [explain(row, signs.loc[name], sources) for name, row in ranked.iterrows()]
    return facts, ranked


def _nothing_left(facts: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """No chosen row, and a warning that says why."""
    states = facts["state"].value_counts()
    log.warning(
        "no block is left to choose: of %d blocks and sources %s",
        len(facts),
        ", ".join(f"{count} {state}" for state, count in states.items()),
    )
    facts = facts.assign(priority=np.nan)
    return facts, facts.iloc[:0].reindex(columns=[*facts.columns, *CHOSEN])


def _at_random(
    pool: pd.DataFrame, wanted: int, settings: ActiveSettings, rng: np.random.Generator
) -> pd.DataFrame:
    """The share of the list that is drawn plainly, at least one block if there is a share."""
    count = round(settings.random_share * wanted)
    if settings.random_share > 0:
        count = max(count, 1)
    return pool.iloc[draw_random(len(pool), count, rng)].assign(
        reason=RANDOM,
        split="validation",
        inclusion_probability=count / len(pool),
        distance=np.nan,
    )


def _in_turn(at_random: pd.DataFrame, by_strategy: pd.DataFrame) -> pd.DataFrame:
    """Both lists as one, the random blocks spread evenly over it, with ranks from 1."""
    queues = {RANDOM: at_random, "strategy": by_strategy.assign(inclusion_probability=np.nan)}
    turns = spread_evenly({name: len(queue) for name, queue in queues.items()})
    taken = {name: iter(queue.index) for name, queue in queues.items()}
    parts = [queue for queue in queues.values() if len(queue)]
    ranked = pd.concat(parts).loc[[next(taken[name]) for name in turns]]
    ranked["rank"] = np.arange(1, len(ranked) + 1)
    return ranked


def _feature_space(
    facts: pd.DataFrame, rest: pd.DataFrame, places: Places
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
