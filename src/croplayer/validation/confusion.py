"""Counting the agreement of two binary maps: the one place for IoU, precision, recall, F1, OA."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np


@dataclass(frozen=True)
class Confusion:
    """Pixel counts of a binary map against a reference; adds with `+`.

    A ratio whose denominator is zero is NaN, never 0 or 1: a map without cropland in an area
    without cropland says nothing about its IoU.
    """

    tp: int = 0
    fp: int = 0
    fn: int = 0
    tn: int = 0

    @classmethod
    def count(
        cls, mapped: np.ndarray, truth: np.ndarray, valid: np.ndarray | None = None
    ) -> Confusion:
        """Count two boolean arrays of one shape, only where `valid` (default: everywhere)."""
        mapped = np.asarray(mapped, dtype=bool)
        truth = np.asarray(truth, dtype=bool)
        if valid is not None:
            mapped, truth = mapped[valid], truth[valid]
        both = int(np.count_nonzero(mapped & truth))
        n_mapped = int(np.count_nonzero(mapped))
        n_truth = int(np.count_nonzero(truth))
        return cls(
            tp=both,
            fp=n_mapped - both,
            fn=n_truth - both,
            tn=mapped.size - n_mapped - n_truth + both,
        )

    def __add__(self, other: Confusion) -> Confusion:
        return Confusion(
            self.tp + other.tp, self.fp + other.fp, self.fn + other.fn, self.tn + other.tn
        )

    @property
    def total(self) -> int:
        """All pixels counted."""
        return self.tp + self.fp + self.fn + self.tn

    @property
    def iou(self) -> float:
        """Intersection over union, TP / (TP + FP + FN) (paper, Eq. 2)."""
        return _ratio(self.tp, self.tp + self.fp + self.fn)

    @property
    def precision(self) -> float:
        """TP / (TP + FP): user's accuracy of cropland."""
        return _ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float:
        """TP / (TP + FN): producer's accuracy of cropland."""
        return _ratio(self.tp, self.tp + self.fn)

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN), the harmonic mean of precision and recall."""
        return _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def overall_accuracy(self) -> float:
        """(TP + TN) / all."""
        return _ratio(self.tp + self.tn, self.total)

    def as_dict(self) -> dict[str, float | int | None]:
        """Counts and ratios for a JSON file; an undefined ratio is None."""
        ratios = {name: getattr(self, name) for name in RATIOS}
        return asdict(self) | {
            name: None if np.isnan(value) else float(value) for name, value in ratios.items()
        }


RATIOS = ("iou", "precision", "recall", "f1", "overall_accuracy")
"""Names of the ratios of a `Confusion`."""


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")
