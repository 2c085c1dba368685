"""The choice of the strategy in the simulation: blocks first, then extents in them.

All that decides is the project's own: strata, priorities, diversity and quotas of blocks, strength
and draw of the extents. What differs from `snakemake choose` are the inputs: probabilities of the
simulation's learner, and its pixel features for the features of the segmentation network.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from active_learning_pools import Pool

from croplayer.active.choosing.signals import entropy_bits
from croplayer.active.choosing.strata import assign_strata
from croplayer.active.choosing.strategy import (
    choose_diverse,
    draw_by_strength,
    priorities,
    quotas_of,
    strengths,
)
from croplayer.active.choosing.windows import window_strength
from croplayer.settings.active import ActiveSettings

Probability = Callable[[np.ndarray], np.ndarray]
"""(..., features) -> (...) probability of cropland."""
Signs = Callable[[Pool, np.ndarray, Probability, slice], pd.DataFrame]
ONE, ALL = slice(None, None, 100), slice(None)
"""Pixels of a window from which signs are taken: the first serves where a block is ranked."""


def next_extents(
    pool: Pool,
    left: np.ndarray,
    places: np.ndarray,
    probability: Probability,
    count: int,
    settings: ActiveSettings,
    signs_of: Signs,
    rng: np.random.Generator,
) -> np.ndarray:
    """`count` of the windows `left`: as many in each of the chosen blocks as settings say, or more
    where there are too few blocks.

    Parameters
    ----------
    places : (blocks, dimensions) float64, `embeddings` on one scale.
    """
    weights = settings.weights.model_dump()
    signs = signs_of(pool, left, probability, ONE).groupby(pool.site[left]).mean()
    blocks = signs.index.to_numpy()
    slope = pd.Series(pool.slope[left]).groupby(pool.site[left]).median()
    facts = pd.DataFrame({"slope": slope.to_numpy(), "coverage_type": None})
    strata = assign_strata(facts, settings.strata)
    shares = {stratum.name: stratum.share for stratum in settings.strata}
    wanted = min(-(-count // settings.extents_per_block), len(blocks))
    chosen, _ = choose_diverse(
        priority=priorities(strengths(signs), weights).to_numpy(),
        strata=strata,
        quotas=quotas_of(strata, shares, wanted),
        embeddings=places[blocks],
        labelled=places[:0],
        diversity=settings.diversity,
    )
    drawn = []
    for number, block in enumerate(blocks[chosen]):
        members = left[pool.site[left] == block]
        strength = window_strength(signs_of(pool, members, probability, ALL), weights)
        share = (number + 1) * count // wanted - number * count // wanted
        drawn.append(members[draw_by_strength(strength, share, settings.extent_power, rng)])
    return np.concatenate(drawn)


def signs_of_doubt(
    pool: Pool, rows: np.ndarray, probability: Probability, pixels: slice
) -> pd.DataFrame:
    """The signs of a wrong map that a simulation can have: uncertainty and disagreement."""
    p, usable = _probabilities(pool, rows, probability, pixels)
    doubt = np.where(usable[..., None], entropy_bits(p), np.nan)
    signs = pd.DataFrame({"uncertainty": np.nanmean(doubt, axis=(1, 2))})
    if usable.shape[1] == 2:
        maps = p >= 0.5
        differ = (maps[:, 0] != maps[:, 1]).mean(axis=1)
        signs["disagreement"] = np.where(usable.all(axis=1), differ, np.nan)
    return signs


def signs_of_errors(
    pool: Pool, rows: np.ndarray, probability: Probability, pixels: slice
) -> pd.DataFrame:
    """The true share of wrong pixels, which nobody can know, as if it were the uncertainty."""
    p, usable = _probabilities(pool, rows, probability, pixels)
    truth = pool.labels[rows][:, None, pixels]
    wrong = np.where(usable[..., None], (p >= 0.5) != truth, np.nan)
    return pd.DataFrame({"uncertainty": np.nanmean(wrong, axis=(1, 2))})


def _probabilities(
    pool: Pool, rows: np.ndarray, probability: Probability, pixels: slice
) -> tuple[np.ndarray, np.ndarray]:
    """(windows, sources, pixels) and which of the sources show the ground."""
    return probability(pool.features[rows][:, :, pixels]), pool.usable[rows]


def embeddings(pool: Pool) -> np.ndarray:
    """(blocks, dimensions): mean and spread of the pixel features of the first usable source."""
    first = pool.usable.argmax(axis=1)
    pixels = pool.features[np.arange(len(first)), first]
    blocks = [pixels[pool.site == block] for block in range(pool.site.max() + 1)]
    flat = [block.reshape(-1, block.shape[-1]) for block in blocks]
    return np.stack([np.concatenate([part.mean(axis=0), part.std(axis=0)]) for part in flat])
