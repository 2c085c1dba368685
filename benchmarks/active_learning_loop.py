"""The loop of active learning, simulated: choose windows, label them from the truth, learn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xgboost
from active_learning_pools import Pool

from croplayer.active.choosing.kcentre import standardised
from croplayer.active.choosing.signals import entropy_bits
from croplayer.active.choosing.strata import assign_strata
from croplayer.active.choosing.strategy import (
    choose_diverse,
    priorities,
    quotas_of,
    strengths,
)
from croplayer.settings.active import ActiveSettings

SIGN_PIXELS = 16
"""Pixels of a window from which its signs are taken: enough to rank it."""


@dataclass(frozen=True)
class Budget:
    """Windows labelled at the start, in each round, and rounds."""

    start: int
    batch: int
    rounds: int

    @property
    def total(self) -> int:
        """Windows labelled at the end."""
        return self.start + self.batch * self.rounds


class Learner:
    """A classifier of pixels: gradient-boosted trees on colour and texture."""

    def __init__(self, seed: int, trees: int = 200) -> None:
        self._trees = trees
        self._settings = {
            "objective": "binary:logistic",
            "max_depth": 6,
            "eta": 0.15,
            "subsample": 0.7,
            "colsample_bytree": 0.7,
            "min_child_weight": 5,
            "tree_method": "hist",
            "max_bin": 64,
            "nthread": 1,
            "seed": seed,
        }
        self._model: xgboost.Booster | None = None

    def fit(self, features: np.ndarray, labels: np.ndarray) -> None:
        """Learn from (pixels, features) float32 and (pixels,) bool."""
        matrix = xgboost.QuantileDMatrix(features, labels.astype(np.float32), max_bin=64, nthread=1)
        self._model = xgboost.train(self._settings, matrix, self._trees)

    def probability(self, features: np.ndarray) -> np.ndarray:
        """(..., features) -> (...) probability of cropland, float32."""
        flat = features.reshape(-1, features.shape[-1])
        return self._model.inplace_predict(flat).reshape(features.shape[:-1])


def iou(mapped: np.ndarray, truth: np.ndarray) -> float:
    """Intersection over union of two bool arrays."""
    return np.count_nonzero(mapped & truth) / max(np.count_nonzero(mapped | truth), 1)


def simulate(
    pool: Pool,
    budget: Budget,
    *,
    seed: int,
    strategy: ActiveSettings | None,
    errors_known: bool = False,
) -> list[tuple[int, float]]:
    """(windows labelled, IoU on the held-out windows) after each round.

    Parameters
    ----------
    seed : of the windows at the start, of random batches and of the learner; fold `seed` modulo
        the number of folds is held out. The windows at the start are the same for any strategy.
    strategy : how batches are chosen; None draws them at random.
    errors_known : put the true share of wrong pixels in the place of all signs, which nobody can
        know: how much any better sign could add.
    """
    rng = np.random.default_rng(seed)
    held = pool.fold == seed % (pool.fold.max() + 1)
    candidates = np.flatnonzero(~held & pool.usable.any(axis=1))
    labelled = list(rng.choice(candidates, budget.start, replace=False))
    learner, curve = Learner(seed), []
    places = standardised(embeddings(pool))
    for number in range(budget.rounds + 1):
        rows = np.array(labelled)
        known = pool.usable[rows]
        learner.fit(
            pool.features[rows][known].reshape(-1, pool.features.shape[-1]),
            np.repeat(pool.labels[rows, None], known.shape[1], axis=1)[known].ravel(),
        )
        curve.append((len(labelled), score(pool, np.flatnonzero(held), learner)))
        if number == budget.rounds:
            return curve
        left = np.setdiff1d(candidates, rows)
        if strategy is None:
            labelled += list(rng.choice(left, budget.batch, replace=False))
        else:
            signs = (true_errors if errors_known else signs_of)(pool, left, learner)
            labelled += list(next_batch(pool, signs, left, rows, places, budget.batch, strategy))
    return curve


def score(pool: Pool, rows: np.ndarray, learner: Learner) -> float:
    """IoU over the windows and the sources that show them."""
    known = pool.usable[rows]
    mapped = learner.probability(pool.features[rows][known]) >= 0.5
    truth = np.repeat(pool.labels[rows, None], known.shape[1], axis=1)[known]
    return iou(mapped, truth)


def signs_of(pool: Pool, rows: np.ndarray, learner: Learner) -> pd.DataFrame:
    """The signs of a wrong map that a simulation can have: uncertainty and disagreement."""
    probability, usable = _some_pixels(pool, rows, learner), pool.usable[rows]
    doubt = np.where(usable[..., None], entropy_bits(probability), np.nan)
    signs = pd.DataFrame({"uncertainty": np.nanmean(doubt, axis=(1, 2))})
    if usable.shape[1] == 2:
        maps = probability >= 0.5
        differ = (maps[:, 0] != maps[:, 1]).mean(axis=1)
        signs["disagreement"] = np.where(usable.all(axis=1), differ, np.nan)
    return signs


def true_errors(pool: Pool, rows: np.ndarray, learner: Learner) -> pd.DataFrame:
    """The true share of wrong pixels, as if it were the uncertainty."""
    maps = _some_pixels(pool, rows, learner) >= 0.5
    truth = pool.labels[rows][:, None, :: _step(pool)]
    wrong = np.where(pool.usable[rows][..., None], maps != truth, np.nan)
    return pd.DataFrame({"uncertainty": np.nanmean(wrong, axis=(1, 2))})


def _some_pixels(pool: Pool, rows: np.ndarray, learner: Learner) -> np.ndarray:
    return learner.probability(pool.features[rows][:, :, :: _step(pool)])


def _step(pool: Pool) -> int:
    return max(pool.labels.shape[1] // SIGN_PIXELS, 1)


def next_batch(
    pool: Pool,
    signs: pd.DataFrame,
    left: np.ndarray,
    labelled: np.ndarray,
    places: np.ndarray,
    count: int,
    settings: ActiveSettings,
) -> np.ndarray:
    """The windows that the project's strategy chooses, by the project's own functions."""
    facts = pd.DataFrame({"slope": pool.slope[left], "coverage_type": None})
    strata = assign_strata(facts, settings.strata)
    shares = {stratum.name: stratum.share for stratum in settings.strata}
    priority = priorities(strengths(signs), settings.weights.model_dump())
    chosen, _ = choose_diverse(
        priority=priority.to_numpy(),
        strata=strata,
        quotas=quotas_of(strata, shares, count),
        embeddings=places[left],
        labelled=places[labelled],
        diversity=settings.diversity,
    )
    return left[chosen]


def embeddings(pool: Pool) -> np.ndarray:
    """(windows, dimensions): mean and spread of the pixel features of the first usable source."""
    first = pool.usable.argmax(axis=1)
    pixels = pool.features[np.arange(len(first)), first]
    return np.concatenate([pixels.mean(axis=1), pixels.std(axis=1)], axis=1)
