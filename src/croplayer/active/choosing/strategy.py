"""The strategy itself, on tables and arrays: what to label next, and in which order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from croplayer.active.choosing.kcentre import CentreSet, farthest
from croplayer.active.choosing.quotas import apportion, shares_of_strata, spread_evenly

SIGNALS = ("alarm", "disagreement", "product", "uncertainty")
"""The signs of a wrong map, each 0-1, missing where it is not known."""
DIVERSITY, RANDOM = "diversity", "random"


def percentiles(values: pd.Series) -> pd.Series:
    """The share of the other known values that are smaller, 0-1; missing stays missing.

    A sign that most blocks do not show is 0 for all of these, however many they are.
    """
    known = values.count()
    return (values.rank(method="min") - 1) / max(known - 1, 1)


def strengths(signals: pd.DataFrame) -> pd.DataFrame:
    """The signs on one scale, 0-1, a row a candidate; missing stays missing.

    The alarm is a probability and stays what it is; of the others the percentile counts, because
    shares and entropies have ranges of their own in every province.
    """
    known = [name for name in SIGNALS if name in signals]
    return pd.DataFrame(
        {name: signals[name] if name == "alarm" else percentiles(signals[name]) for name in known},
        index=signals.index,
    )


def priorities(signals: pd.DataFrame, weights: Mapping[str, float]) -> pd.Series:
    """The priority of each candidate, 0-1: the weighted mean of its known signs.

    Parameters
    ----------
    signals : signs as `strengths` gives them, a row a candidate.
    weights : sign -> weight, not negative; 0 leaves a sign out.

    A candidate without any sign has the priority 0.
    """
    weight = pd.Series({name: float(weights.get(name, 0)) for name in signals.columns})
    total = signals.notna().astype(np.float64) @ weight
    return (signals.fillna(0.0) @ weight).div(total.where(total > 0)).fillna(0.0)


def choose_diverse(
    *,
    priority: np.ndarray,
    strata: Sequence[str],
    quotas: Mapping[str, int],
    embeddings: np.ndarray,
    labelled: np.ndarray,
    diversity: float,
) -> tuple[list[int], list[float]]:
    """Of the promising candidates those that are unlike what is labelled, and unlike each other.

    Parameters
    ----------
    priority : (n,) float64, 0-1.
    strata : (n,) names.
    quotas : stratum -> how many, at most as many as it has candidates.
    embeddings : (n, dimensions) float64, places in the feature space.
    labelled : (k, dimensions) float64, places of what is labelled.
    diversity : share of each stratum's candidates, those of highest priority, among which the
        farthest are taken one by one (k-centre greedy); never fewer than the quota, which are
        then all taken.

    Returns
    -------
    indices in the order of choice, and each one's distance to the nearest centre when it was
    chosen (infinite without any). The strata alternate, so that any beginning of the list keeps
    the quotas.
    """
    priority = np.asarray(priority, dtype=np.float64)
    strata = np.asarray(strata, dtype=object)
    free = np.zeros(len(priority), dtype=bool)
    for name, quota in quotas.items():
        members = np.flatnonzero(strata == name)
        best = members[np.argsort(-priority[members], kind="stable")]
        free[best[: max(quota, round(diversity * len(members)))]] = True
    centres = CentreSet(embeddings, labelled)
    chosen, distances = [], []
    for name in spread_evenly(quotas):
        index = farthest(centres.distance, free & (strata == name), priority)
        chosen.append(index)
        distances.append(float(centres.distance[index]))
        centres.add(index)
        free[index] = False
    return chosen, distances


def draw_random(n: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` of n candidates, each with probability count / n, in random order."""
    return rng.permutation(n)[:count]


def draw_by_strength(
    strength: np.ndarray, count: int, power: float, rng: np.random.Generator
) -> np.ndarray:
    """`count` candidates one after the other, each time with chances in proportion to
    strength^power.

    Parameters
    ----------
    strength : (n,) float64, 0-1; a candidate of strength 0 is drawn when no other is left.
    power : 0 draws plainly; the larger, the more it is the strongest that are drawn.

    Returns their indices in the order in which they were drawn. Unlike the strongest alone, which
    are often of one kind, the drawn ones hold every kind about as often as it is doubtful and
    common (stochastic batch acquisition, Kirsch et al. 2023). The largest sums of log chance and
    Gumbel noise are such a draw without replacement.
    """
    noise = rng.gumbel(size=len(strength))
    with np.errstate(divide="ignore"):
        logs = power * np.log(strength) if power > 0 else np.zeros(len(strength))
    return np.lexsort((-noise, -(logs + noise)))[:count]


def quotas_of(
    strata: Sequence[str], shares: Mapping[str, float | None], total: int
) -> dict[str, int]:
    """How many of `total` each stratum gets, given the stratum of each candidate."""
    found = pd.Series(list(strata), dtype=object).value_counts()
    sizes = {name: int(found.get(name, 0)) for name in shares}
    return apportion(shares_of_strata(shares, sizes), sizes, total)
