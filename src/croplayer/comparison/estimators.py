"""Design-based accuracy and area from a stratified random sample.

Strata need not be the classes of the map that is judged: one sample judges every map. The
estimators are those of Stehman (2014, International Journal of Remote Sensing 35, 4923-4939); where
the strata are the classes of the map they are those of Olofsson et al. (2014, Remote Sensing of
Environment 148, 42-57), Eq. 4-11. The sample is taken as drawn with replacement: strata of millions
of pixels need no finite-population correction.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

Z_95 = 1.959963984540054


@dataclass(frozen=True)
class Estimate:
    """A value with its standard error; NaN where the sample cannot give it."""

    value: float
    standard_error: float

    @property
    def interval_95(self) -> tuple[float, float]:
        """Value less and plus 1.96 standard errors."""
        half = Z_95 * self.standard_error
        return self.value - half, self.value + half

    def times(self, factor: float) -> Estimate:
        """The estimate in another unit."""
        return Estimate(self.value * factor, self.standard_error * factor)


@dataclass(frozen=True)
class Design:
    """Strata of a sample.

    stratum : (points,) int, index of the stratum of each point.
    area_ha : (strata,) float64, hectares of the whole strata.
    """

    stratum: np.ndarray
    area_ha: np.ndarray

    @property
    def points(self) -> np.ndarray:
        """(strata,) int, points in each stratum."""
        return np.bincount(self.stratum, minlength=len(self.area_ha))

    def share(self, y: np.ndarray) -> Estimate:
        """The share of the area where `y` (points,) is true (or its mean), stratified."""
        weights = self.area_ha / self.area_ha.sum()
        means, spread = self._moments(y, y)
        return Estimate(float(weights @ means), sqrt(float(weights**2 @ spread)))

    def ratio(self, y: np.ndarray, x: np.ndarray) -> Estimate:
        """The area where `y` is true divided by that where `x` is true (combined ratio estimator).

        y, x : (points,) bool or float. NaN where no point has `x`.
        """
        weights = self.area_ha / self.area_ha.sum()
        mean_y, yy = self._moments(y, y)
        mean_x, xx = self._moments(x, x)
        below = float(weights @ mean_x)
        if below == 0:
            return Estimate(float("nan"), float("nan"))
        value = float(weights @ mean_y) / below
        xy = self._moments(x, y)[1]
        variance = float(weights**2 @ (yy + value**2 * xx - 2 * value * xy)) / below**2
        return Estimate(value, sqrt(max(variance, 0.0)))

    def _moments(self, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(means of a, covariances of a and b divided by the number of points), each (strata,)."""
        a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
        n = self.points
        size = len(n)
        mean_a, mean_b = (np.bincount(self.stratum, v, minlength=size) / n for v in (a, b))
        product = (a - mean_a[self.stratum]) * (b - mean_b[self.stratum])
        return mean_a, np.bincount(self.stratum, product, minlength=size) / (n - 1) / n


@dataclass(frozen=True)
class Accuracy:
    """Accuracy of a binary map where it says something; areas in hectares."""

    overall: Estimate
    users: Estimate
    producers: Estimate
    iou: Estimate
    reference_area_ha: Estimate
    mapped_area_ha: Estimate
    known_share: Estimate
    points: int
    known_points: int


def assess(design: Design, mapped: np.ndarray, known: np.ndarray, truth: np.ndarray) -> Accuracy:
    """Accuracy and area of one binary map.

    Parameters
    ----------
    mapped, known, truth : (points,) bool: the map's cropland, where the map says something, and the
        true cropland.

    `reference_area_ha` is the true cropland of the whole of the strata, which rests on the sample
    alone. The ratios and `mapped_area_ha` are of the ground where the map says something.
    """
    mapped, truth = mapped & known, np.asarray(truth, dtype=bool)
    true_known = truth & known
    total = float(design.area_ha.sum())
    return Accuracy(
        overall=design.ratio(known & (mapped == truth), known),
        users=design.ratio(mapped & truth, mapped),
        producers=design.ratio(mapped & truth, true_known),
        iou=design.ratio(mapped & truth, mapped | true_known),
        reference_area_ha=design.share(truth).times(total),
        mapped_area_ha=design.share(mapped).times(total),
        known_share=design.share(known),
        points=len(truth),
        known_points=int(known.sum()),
    )
