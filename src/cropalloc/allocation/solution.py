"""What a solver hands back, and the slack rule that it followed."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from cropalloc.allocation.limits import Ended
from cropalloc.allocation.problem import AllocationProblem, Weighting, demand_weights


@dataclass(frozen=True)
class Rule:
    """The objective: what a score point is worth, and how what cannot be placed is weighed.

    With `lexicographic`, hectares of shortage are minimised first and land is never exceeded; else
    the shortage of a statistic costs `statistic_penalty` in proportion to its own area, a hectare
    beyond cropland or irrigated land `land_penalty_per_ha` (each, if beyond both).
    """

    weighting: Weighting = "area"
    lexicographic: bool = True
    land_penalty_per_ha: float = 1e6
    statistic_penalty: float = 1e5

    def penalties(self, problem: AllocationProblem) -> np.ndarray:
        """(d,) printed worth lost by a hectare of shortage of each demand; zero if it is zero."""
        area = np.array([demand.area_ha for demand in problem.demands], dtype=np.float64)
        return np.divide(self.statistic_penalty, area, out=np.zeros_like(area), where=area > 0)


@dataclass(frozen=True)
class Solution:
    """An allocation, with the prices that prove it optimal.

    Fields
    ------
    cell, activity : (r,) integers, rows of the problem's cells and activities; sorted, no doubles.
    hectares : (r,) float64 physical hectares above zero.
    shortage : (d,) float64, hectares that each demand lacks, in the demand's own measure.
    prices : (d,) float64, worth of a hectare of each demand (dual values).
    multiplier : worth of a hectare of the least shortage (lexicographic rule; else zero). Infinite
        where `prices` are those of the second stage alone, to be read beside `shortage_prices`.
    shortage_prices : (d,) float64, dual values of the first stage, least shortage (else zero).
    over_cropland, over_irrigated : (n,) float64 hectares beyond the land of a cell (printed
        weights only).
    method, seconds, details : how it was solved.
    ended : optimum, or why it ended before.
    """

    cell: np.ndarray
    activity: np.ndarray
    hectares: np.ndarray
    shortage: np.ndarray
    prices: np.ndarray
    multiplier: float
    shortage_prices: np.ndarray
    over_cropland: np.ndarray
    over_irrigated: np.ndarray
    method: str
    seconds: float
    details: dict[str, float] = field(default_factory=dict)
    ended: Ended = "optimum"

    def score(self, problem: AllocationProblem, weighting: Weighting) -> float:
        """Sum of score x weight x hectares (Eq. 11)."""
        weight = demand_weights(problem, weighting)[problem.leaf[self.cell], self.activity]
        points = problem.scores[self.activity, self.cell].astype(np.float64)
        return float(np.sum(points * weight * self.hectares))

    def objective(self, problem: AllocationProblem, rule: Rule) -> float:
        """Score less the printed penalties; with the lexicographic rule the score alone."""
        score = self.score(problem, rule.weighting)
        if rule.lexicographic:
            return score
        over = self.over_cropland.sum() + self.over_irrigated.sum()
        lost = float(np.sum(rule.penalties(problem) * self.shortage))
        return score - lost - rule.land_penalty_per_ha * float(over)
