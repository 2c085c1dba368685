"""The loop of active learning, simulated: choose extents, label them from the truth, learn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xgboost
from active_learning_choice import Signs, next_extents, signs_of_doubt
from active_learning_pools import Pool

from croplayer.settings.active import ActiveSettings


@dataclass(frozen=True)
class Budget:
    """Windows labelled at the start, in each round, and rounds: the labels of random sampling."""

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


@dataclass(frozen=True)
class Way:
    """How labels are taken.

    whole : in whole windows of `Budget`, not in the smaller extents that they are cut into.
    strategy : how extents are chosen; None draws at random.
    signs : what the strategy sees.
    reach : how many times the area of the budget is labelled.
    """

    whole: bool = False
    strategy: ActiveSettings | None = None
    signs: Signs = signs_of_doubt
    reach: int = 1


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
    labelled = _draw_whole(candidates, budget.start, parts, rng)
    learner, curve = Learner(seed), []
    rounds = (budget.total * way.reach - budget.start) // budget.batch
    for number in range(rounds + 1):
        known = pool.usable[labelled]
        learner.fit(
            pool.features[labelled][known].reshape(-1, pool.features.shape[-1]),
            np.repeat(pool.labels[labelled, None], known.shape[1], axis=1)[known].ravel(),
        )
        curve.append(score(pool, np.flatnonzero(held), learner))
        if number < rounds:
            left = np.setdiff1d(candidates, labelled)
            more = _next_batch(pool, left, parts, learner, budget, way, rng)
            labelled = np.concatenate([labelled, more])
    return curve


def _next_batch(
    pool: Pool,
    left: np.ndarray,
    parts: int,
    learner: Learner,
    budget: Budget,
    way: Way,
    rng: np.random.Generator,
) -> np.ndarray:
    """The extents that are labelled next."""
    if way.whole:
        return _draw_whole(left, budget.batch, parts, rng)
    count = budget.batch * parts**2
    if way.strategy is None:
        return rng.choice(left, count, replace=False)
    return next_extents(pool, left, learner.probability, count, way.strategy, way.signs, rng)


def _draw_whole(
    extents: np.ndarray, count: int, parts: int, rng: np.random.Generator
) -> np.ndarray:
    """The extents of `count` random windows, all of whose extents are in `extents`."""
    each = parts**2
    drawn = rng.choice(extents[extents % each == 0], count, replace=False)
    return (drawn[:, None] + np.arange(each)).ravel()


def score(pool: Pool, rows: np.ndarray, learner: Learner) -> float:
    """IoU over the windows and the sources that show them."""
    known = pool.usable[rows]
    mapped = learner.probability(pool.features[rows][known]) >= 0.5
    truth = np.repeat(pool.labels[rows, None], known.shape[1], axis=1)[known]
    return iou(mapped, truth)
