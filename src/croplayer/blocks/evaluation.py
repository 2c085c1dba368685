"""How good a classifier of blocks is, and what it heeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


def score(truth: np.ndarray, predicted: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    """Accuracy, balanced accuracy, precision and recall a class, and the confusion matrix.

    `confusion[i][j]` counts rows of class i that were predicted j, in the order of `classes`. The
    balanced accuracy is the mean recall of the classes that occur. An undefined ratio is None.
    """
    index = {name: k for k, name in enumerate(classes)}
    confusion = np.zeros((len(classes), len(classes)), dtype=np.int64)
    np.add.at(confusion, ([index[t] for t in truth], [index[p] for p in predicted]), 1)
    hits, true, said = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    recall = [float(h / t) if t else None for h, t in zip(hits, true, strict=True)]
    known = [value for value in recall if value is not None]
    return {
        "accuracy": float(hits.sum() / confusion.sum()),
        "balanced_accuracy": float(np.mean(known)),
        "classes": {
            name: {
                "precision": float(hits[k] / said[k]) if said[k] else None,
                "recall": recall[k],
                "rows": int(true[k]),
            }
            for k, name in enumerate(classes)
        },
        "confusion": confusion.tolist(),
    }


def permutation_importance(
    predict: Callable[[np.ndarray], np.ndarray],
    features: Sequence[str],
    matrix: np.ndarray,
    labels: np.ndarray,
    *,
    repeats: int,
    seed: int,
) -> dict[str, dict[str, float]]:
    """Mean and standard deviation of the decrease of accuracy when a feature is permuted.

    Parameters
    ----------
    predict : (rows, features) -> (rows,) names of classes.
    features : names of the columns of `matrix`.
    labels : (rows,) names of the true classes.

    Each feature has its own random stream, so adding a feature leaves the others' numbers alone.
    """
    before = float(np.mean(predict(matrix) == labels))
    found = {}
    for k, name in enumerate(features):
        drops = np.zeros(repeats)
        column = matrix[:, k]
        # A feature of one value (missing ones are one value) cannot matter.
        if len(np.unique(column)) > 1:
            stream = np.random.default_rng([seed, *name.encode()])
            shuffled = np.tile(matrix, (repeats, 1))
            n = len(matrix)
            for r in range(repeats):
                shuffled[r * n : (r + 1) * n, k] = stream.permutation(column)
            hit = (predict(shuffled).reshape(repeats, n) == labels).mean(axis=1)
            drops = before - hit
        found[name] = {"mean": float(drops.mean()), "std": float(drops.std())}
    return found
