"""The allocation model of docs/allocation.md, section 8, in fractions: optimum without rounding.

Knows nothing of the solvers; a problem is read through its public fields.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import rational_lp


class Model:
    """Columns: placed areas, shortages, idle cropland and irrigated land, land exceeded."""

    def __init__(self, problem, weighting: str) -> None:
        self.columns: list[dict[int, Fraction]] = []
        self.right = [Fraction(float(x)) for x in problem.cropland_ha]
        self.right += [Fraction(float(x)) for x in problem.irrigated_ha]
        self.right += [Fraction(d.area_ha) for d in problem.demands]
        n = problem.n_cells
        counts: dict[tuple[int, int], dict[int, Fraction]] = {}
        self.worth: dict[tuple[int, int], Fraction] = {}
        closest: dict[tuple[int, int], int] = {}
        for number, demand in enumerate(problem.demands):
            for row, coefficient in problem.activity_rows(demand):
                for leaf in demand.leaves:
                    key = (int(leaf), row)
                    counts.setdefault(key, {})[2 * n + number] = Fraction(coefficient)
                    self.worth.setdefault(key, Fraction(1))
                    size = len(demand.systems)
                    if weighting == "share" and demand.area_ha > 0 and size <= closest.get(key, 9):
                        self.worth[key] = Fraction(coefficient) / Fraction(demand.area_ha)
                        closest[key] = size
        self.score: list[Fraction] = []
        for i in np.flatnonzero(problem.cropland_ha > 0).tolist():
            for k, (_, system) in enumerate(problem.activities):
                key = (int(problem.leaf[i]), k)
                points = float(problem.scores[k, i])
                if np.isnan(points) or key not in counts:
                    continue
                column = {i: Fraction(1), **counts[key]}
                if system == "I":
                    column[n + i] = Fraction(1)
                self._add(column, Fraction(points) * self.worth[key])
        self.shortage = len(self.columns)
        for number in range(len(problem.demands)):
            self._add({2 * n + number: Fraction(1)}, Fraction(0))
        self.over = len(self.columns)
        for row in range(2 * n):
            self._add({row: Fraction(1)}, Fraction(0))

    def _add(self, column: dict[int, Fraction], score: Fraction) -> None:
        self.columns.append(column)
        self.score.append(score)


def lexicographic(problem, weighting: str) -> tuple[Fraction, Fraction]:
    """(least hectares of shortage, best score with it)."""
    model = Model(problem, weighting)
    short = range(model.shortage, model.over)
    cost = [Fraction(-int(j in short)) for j in range(len(model.columns))]
    least, _ = rational_lp.solve(model.columns, cost, model.right)
    row = len(model.right)
    columns = [{**c, row: Fraction(1)} if j in short else c for j, c in enumerate(model.columns)]
    score, _ = rational_lp.solve(columns, model.score, [*model.right, -least])
    return -least, score


def weights(problem, weighting: str, land_penalty: float, penalty: float) -> Fraction:
    """Best score less the printed penalties."""
    model = Model(problem, weighting)
    columns, cost = list(model.columns), list(model.score)
    for number, demand in enumerate(problem.demands):
        if demand.area_ha > 0:
            cost[model.shortage + number] = -Fraction(penalty) / Fraction(demand.area_ha)
    for row in range(2 * problem.n_cells):
        columns.append({row: Fraction(-1)})
        cost.append(-Fraction(land_penalty))
    return rational_lp.solve(columns, cost, model.right)[0]
