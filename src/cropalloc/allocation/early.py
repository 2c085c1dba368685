"""An allocation from where the solver stands, when it has to end before the optimum.

Every box of the finish, and every set of prices, gives one: what is placed beyond a statistic is
taken back from all cells in proportion, what lacks is shortage. With prices it has a proven gap.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cropalloc.allocation import kernels
from cropalloc.allocation.compiled import Compiled, Finish


def from_prices(compiled: Compiled, prices: np.ndarray, steps: int) -> Finish:
    """Land goes to its best use at these prices, then what is too much is taken back."""
    _, choice, start, parcel, _, activity, _ = kernels.settle(
        compiled.scores, compiled.leaf, compiled.irrigated, compiled.dry, compiled.weight,
        compiled.activity_prices(prices), compiled.first, np.zeros(compiled.weight.shape),
        compiled.n_rainfed, compiled.land_penalty,
    )  # fmt: skip
    cell, column = np.nonzero(choice >= 0)
    kind = choice[cell, column].astype(np.int64)
    tied = np.flatnonzero(np.diff(start) > 0)
    cell = np.concatenate([cell, parcel[tied] // 2])
    column = np.concatenate([column, parcel[tied] % 2])
    kind = np.concatenate([kind, activity[start[:-1][tied]]])
    hectares = np.where(column == 0, compiled.irrigated[cell], compiled.dry[cell])
    none = np.empty(0, dtype=np.int64)
    end = Finish(
        prices, cell, kind, hectares, none, none, np.empty(0), np.zeros(compiled.n_demands), steps
    )
    return feasible(compiled, end)


def feasible(compiled: Compiled, end: Finish) -> Finish:
    """The allocation with no statistic exceeded, and its shortage."""
    m = compiled.scores.shape[1]
    place = compiled.leaf[end.cell] * m + end.activity
    over_place = compiled.leaf[end.over_cell] * m + end.over_activity
    used = np.bincount(
        np.concatenate([place, over_place]),
        np.concatenate([end.hectares, end.over_hectares]),
        minlength=compiled.weight.size,
    ).reshape(compiled.weight.shape)
    placed = compiled.placed(used)
    keep = np.divide(compiled.area, placed, out=np.ones(len(placed)), where=placed > compiled.area)
    part = np.append(keep, 1.0)[compiled.owner].min(axis=2)
    shortage = np.maximum(compiled.area - compiled.placed(used * part), 0.0)
    part = part.ravel()
    return replace(
        end,
        hectares=end.hectares * part[place],
        over_hectares=end.over_hectares * part[over_place],
        shortage=np.where(shortage > 1e-15 * compiled.area, shortage, 0.0),
    )


def relative_gap(compiled: Compiled, end: Finish, bound: float) -> float:
    """What the dual value `bound` leaves to be gained, relative to the score.

    Infinite where a statistic lacks hectares that it must not lack.
    """
    must = ~np.isfinite(compiled.penalty)
    if (end.shortage[must] > 1e-12 * compiled.area[must]).any():
        return np.inf
    points = score(compiled, end)
    lost = float(np.where(must, 0.0, compiled.penalty) @ end.shortage)
    value = points - lost + _beyond_the_land(compiled, end)
    return (bound - value) / max(points, 1e-300)


def _beyond_the_land(compiled: Compiled, end: Finish) -> float:
    """Worth of what is placed beyond the land, less what that costs."""
    if len(end.over_cell) == 0:
        return 0.0
    kind = end.over_activity
    worth = (
        compiled.scores[end.over_cell, kind] * compiled.weight[compiled.leaf[end.over_cell], kind]
    )
    times = np.where(kind < compiled.n_rainfed, 1.0, 2.0)
    return float((worth - times * compiled.land_penalty) @ end.over_hectares)


def score(compiled: Compiled, end: Finish) -> float:
    """Score x weight x hectares on the land there is."""
    weight = compiled.weight[compiled.leaf[end.cell], end.activity]
    return float(compiled.scores[end.cell, end.activity] * weight @ end.hectares)
