"""Diversity: k-centre greedy (core-set selection)."""

from __future__ import annotations

import numpy as np


def standardised(features: np.ndarray) -> np.ndarray:
    """Features on one scale: mean 0 and variance 1 / dimensions in each column.

    Parameters
    ----------
    features : (rows, dimensions) float; a constant column becomes 0.

    Returns (rows, dimensions) float64, in which two rows drawn at random lie about sqrt(2) apart.
    """
    features = np.asarray(features, dtype=np.float64)
    if not features.size:
        return features
    centred = features - features.mean(axis=0)
    spread = centred.std(axis=0)
    scale = np.where(spread > 1e-12, spread, np.inf)
    return centred / scale / np.sqrt(features.shape[1])


class CentreSet:
    """The centres so far and every candidate's distance to the nearest of them.

    Parameters
    ----------
    candidates : (n, dimensions) float.
    centres : (k, dimensions) float, what is labelled already; k may be 0.
    """

    def __init__(self, candidates: np.ndarray, centres: np.ndarray) -> None:
        self._candidates = np.asarray(candidates, dtype=np.float64)
        self.distance = np.full(len(self._candidates), np.inf)
        """(n,) float64, infinite while there is no centre."""
        for centre in np.asarray(centres, dtype=np.float64):
            self._shrink(centre)

    def add(self, index: int) -> None:
        """Make a candidate a centre."""
        self._shrink(self._candidates[index])

    def _shrink(self, centre: np.ndarray) -> None:
        gap = self._candidates - centre
        np.minimum(self.distance, np.sqrt(np.einsum("ij,ij->i", gap, gap)), out=self.distance)


def farthest(distance: np.ndarray, allowed: np.ndarray, priority: np.ndarray) -> int:
    """The allowed candidate that is farthest from every centre: one step of k-centre greedy.

    Parameters
    ----------
    distance : (n,) float64 to the nearest centre, infinite without any.
    allowed : (n,) bool, at least one of them.
    priority : (n,) float64, which decides between candidates equally far: all of them while there
        is no centre.

    Returns its index; of equal ones the first.
    """
    here = np.flatnonzero(allowed)
    last = here[distance[here] == distance[here].max()]
    return int(last[np.argmax(priority[last])])
