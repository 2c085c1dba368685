"""The loop of active learning, simulated: choose extents, label them from the truth, learn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xgboost
from active_learning_choice import Signs, embeddings, next_extents, signs_of_doubt
from active_learning_pools import Pool

from croplayer.active.choosing.kcentre import standardised
from croplayer.settings.active import ActiveSettings


@dataclass(frozen=True)
class Budget:
    """Windows labelled at the start, in each round, and rounds: the labels of random sampling."""

    start: int
    batch: int
    rounds: int

    def counts(self, doublings: int = 0) -> list[int]:
        """Windows labelled at the start and after each round; then all are doubled so often."""
        counts = [self.start + self.batch * number for number in range(self.rounds + 1)]
        return counts + [counts[-1] * 2 ** (k + 1) for k in range(doublings)]


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


@dataclass(frozen=True)
class Way:
    """How labels are taken.

    whole : in whole windows of `Budget`, not in the smaller extents that they are cut into.
    strategy : how extents are chosen; None draws at random.
    signs : what the strategy sees.
    doublings : how often the area of the budget is doubled after its rounds.
    """

    whole: bool = False
    strategy: ActiveSettings | None = None
    signs: Signs = signs_of_doubt
    doublings: int = 0


def simulate(pool: Pool, parts: int, budget: Budget, way: Way, *, seed: int) -> list[float]:
    """IoU on the held-out blocks at the start and after each round.

    Parameters
    ----------
    pool : extents, `parts` x `parts` of which follow each other and make a window of `budget`.
    seed : of the windows at the start, of random draws and of the learner; fold `seed` modulo the
        number of folds is held out. The windows at the start are the same for any way, and whole.
    """
    rng = np.random.default_rng(seed)
    held = pool.fold == seed % (pool.fold.max() + 1)
    candidates = np.flatnonzero(~held & pool.usable.any(axis=1))
    places = standardised(embeddings(pool)) if way.strategy else None
    learner, curve = Learner(seed), []
    labelled = np.empty(0, dtype=int)
    for count in budget.counts(way.doublings):
        left = np.setdiff1d(candidates, labelled)
        more = count * parts**2 - len(labelled)
        if way.whole or not len(labelled):
            drawn = _draw_whole(left, more, parts, rng)
        elif way.strategy is None:
            drawn = rng.choice(left, more, replace=False)
        else:
            drawn = next_extents(
                pool, left, places, learner.probability, more, way.strategy, way.signs, rng
            )
        labelled = np.concatenate([labelled, drawn])
        known = pool.usable[labelled]
        learner.fit(
            pool.features[labelled][known].reshape(-1, pool.features.shape[-1]),
            np.repeat(pool.labels[labelled, None], known.shape[1], axis=1)[known].ravel(),
        )
        curve.append(score(pool, np.flatnonzero(held), learner))
    return curve


def _draw_whole(
    extents: np.ndarray, count: int, parts: int, rng: np.random.Generator
) -> np.ndarray:
    """The extents of random windows, `count` in all; `extents` are those of whole windows."""
    each = parts**2
    drawn = rng.choice(extents[extents % each == 0], count // each, replace=False)
    return (drawn[:, None] + np.arange(each)).ravel()


def score(pool: Pool, rows: np.ndarray, learner: Learner) -> float:
    """IoU over the windows and the sources that show them."""
    known = pool.usable[rows]
    mapped = learner.probability(pool.features[rows][known]) >= 0.5
    truth = np.repeat(pool.labels[rows, None], known.shape[1], axis=1)[known]
    return iou(mapped, truth)
