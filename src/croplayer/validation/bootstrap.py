"""95 % percentile intervals by drawing with replacement."""

from __future__ import annotations

import numpy as np


def percentiles(values: np.ndarray) -> list[float] | None:
    """[2.5 %, 97.5 %] of resampled values; None for none at all."""
    return [float(v) for v in np.quantile(values, [0.025, 0.975])] if len(values) else None


def share_interval(share: float, n: int, *, repeats: int, seed: int) -> list[float] | None:
    """Interval of the share of `n` units that have a property; None with fewer than two units.

    Units drawn with replacement hold a binomial number of those with the property.
    """
    if n < 2:
        return None
    return percentiles(np.random.default_rng(seed).binomial(n, share, size=repeats) / n)


def resampled_sums(values: np.ndarray, *, repeats: int, seed: int) -> np.ndarray:
    """Sums of rows drawn with replacement, as many rows as there are.

    Parameters
    ----------
    values : (units, measures) float.

    Returns (repeats, measures); all measures of a repeat are of the same rows. Nothing, shape
    (0, measures), with fewer than two units.
    """
    n = len(values)
    if n < 2:
        return np.empty((0, values.shape[1]))
    rng = np.random.default_rng(seed)
    return np.array([values[rng.integers(n, size=n)].sum(axis=0) for _ in range(repeats)])
