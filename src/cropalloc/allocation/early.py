"""An allocation from where the solver stands, when it has to end before the optimum.

Every box of the finish, and every set of prices, gives one: what is placed beyond a statistic is
taken back from all cells in proportion, what lacks is shortage. With prices it has a proven gap.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cropalloc.allocation import placing
from cropalloc.allocation.box import open_box, placed
from cropalloc.allocation.compiled import Compiled, Finish


def from_prices(compiled: Compiled, prices: np.ndarray, steps: int) -> Finish:
    """Land goes to its best use at these prices, then what is too much is taken back."""
    box = open_box(compiled, prices, np.zeros(compiled.weight.shape))
    flow = np.zeros(len(box.worth))  # of uses that tie, the first has all
    flow[box.start[:-1]] = box.capacity
    none = np.empty(0, dtype=np.int64)
    end = Finish(
        prices, *placed(compiled, box, flow), none, none, np.empty(0),
        np.zeros(compiled.n_demands), steps,
    )  # fmt: skip
    return feasible(compiled, end)


def feasible(compiled: Compiled, end: Finish) -> Finish:
    """The allocation with no statistic exceeded, and its shortage."""
    uses = end.cell, end.activity, end.hectares
    beyond = end.over_cell, end.over_activity, end.over_hectares
    shape = compiled.weight.shape
    used = placing.used_by(compiled.leaf, *uses, shape)
    used += placing.used_by(compiled.leaf, *beyond, shape)
    counted = compiled.placed(used)
    keep = np.divide(
        compiled.area, counted, out=np.ones(len(counted)), where=counted > compiled.area
    )
    part = np.append(keep, 1.0)[compiled.owner].min(axis=2)
    shortage = np.maximum(compiled.area - compiled.placed(used * part), 0.0)
    return replace(
        end,
        hectares=placing.take_back(compiled.leaf, *uses, part),
        over_hectares=placing.take_back(compiled.leaf, *beyond, part),
        shortage=np.where(shortage > 1e-15 * compiled.area, shortage, 0.0),
    )


def relative_gap(compiled: Compiled, end: Finish, bound: float) -> float:
    """What the dual value `bound` leaves to be gained, relative to the score.

    Infinite where a statistic lacks hectares that it must not lack.
    """
    must = ~np.isfinite(compiled.penalty)
    if compiled.is_short(end.shortage)[must].any():
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
    weight = compiled.weight[compiled.leaf[end.over_cell], kind]
    worth = compiled.scores.at(end.over_cell, kind) * weight
    times = np.where(kind < compiled.n_rainfed, 1.0, 2.0)
    return float((worth - times * compiled.land_penalty) @ end.over_hectares)


def score(compiled: Compiled, end: Finish) -> float:
    """Score x weight x hectares on the land there is."""
    return placing.score_of(
        compiled.scores, compiled.leaf, compiled.weight, end.cell, end.activity, end.hectares
    )
