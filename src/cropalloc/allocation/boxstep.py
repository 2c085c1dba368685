"""The exact finish: while prices move in a box around good prices, few parcels change their use.

Inside the box the piecewise-linear dual is represented exactly by a small linear programme: parcels
whose best use cannot change are constants, the others have one variable a candidate use. Its
solution is the optimum of the whole problem as soon as no face of the box is active (the dual is
convex); otherwise the box moves there and grows on the active faces (boxstep method of Hogan,
Marsten and Blankenship, 1975).
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace

import numpy as np

from cropalloc.allocation import early, kernels
from cropalloc.allocation.box import Box, open_box, placed
from cropalloc.allocation.compiled import Compiled, Finish
from cropalloc.allocation.limits import ConvergenceError, Limits, OutOfTimeError
from cropalloc.allocation.programme import Programme, Vertex

log = logging.getLogger(__name__)

MAX_STEPS = 80
REPORT_S = 30.0
ROUNDING = 1e-15  # of a price
WORTH_A_LOOK = 1e3  # hectares outside of the box, by the gap allowed, beyond which none is measured
NONE = Limits()


def overflow_columns(compiled: Compiled) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Uses beyond the land that could ever pay: leaf, activity, best cell and worth of each.

    A hectare beyond the land costs the land penalty, twice for an irrigated activity (it is beyond
    cropland and beyond irrigated land). Empty where shortage is always cheaper.
    """
    if not np.isfinite(compiled.land_penalty):
        none = np.empty(0, dtype=np.int64)
        return none, none, none, np.empty(0)
    padded = np.append(compiled.penalty, 0.0)
    relief = np.einsum("lmq,lmq->lm", compiled.coefficient, padded[compiled.owner])
    times = np.where(np.arange(compiled.weight.shape[1]) < compiled.n_rainfed, 1.0, 2.0)
    score, cell = compiled.best
    worth = score * compiled.weight - times * compiled.land_penalty
    pays = compiled.allowed & np.isfinite(worth) & (worth + relief > 0)
    leaf, activity = np.nonzero(pays)
    return leaf, activity, cell[pays], worth[pays]


def finish(
    compiled: Compiled, prices: np.ndarray, radius: float | np.ndarray, limits: Limits = NONE
) -> Finish:
    """Optimum from prices near it, or what was reached at the limits.

    The box bounds the prices of activities in leaves, not of demands: where statistics repeat each
    other, their prices may then trade against each other freely.

    Parameters
    ----------
    prices : (d,) start, at least `-compiled.penalty`.
    radius : half the width of the first box, for all or for each activity in a leaf (l, m).

    Raises ConvergenceError if the optimum is not reached within 80 boxes.
    """
    over = overflow_columns(compiled)
    prices = _above_overflow(compiled, np.maximum(prices, -compiled.penalty), over)
    boxes = np.full(compiled.weight.shape, radius)
    has_land = (compiled.best[1] >= 0).any(axis=1)
    face = np.nonzero(compiled.allowed & has_land[:, None])
    smallest = np.where(compiled.owner >= 0, compiled.area[compiled.owner], np.inf).min(2)[face]
    total = max(float(compiled.area.sum()), 1e-300)
    last: tuple[Box, Vertex] | None = None
    told = time.perf_counter()
    for step in range(1, MAX_STEPS + 1):
        try:
            box = open_box(compiled, prices, boxes)
            found = Programme(compiled, box, over, face).solve(
                compiled.area - compiled.placed(box.used), prices, boxes[face], limits
            )
        except OutOfTimeError:
            if last is None:
                return replace(early.from_prices(compiled, prices, step), ended="time limit")
            end = early.feasible(compiled, _collect(compiled, prices, *last, over, step))
            return replace(end, ended="time limit")
        active = found.outside > np.minimum(1e-11 * total, 1e-10 * smallest)
        log.debug(
            "box %d: %d parcels open, %d faces active, radius %.3g to %.3g",
            step, len(box.parcel), active.sum(), boxes.min(initial=np.inf), boxes.max(initial=0.0),
        )  # fmt: skip
        if time.perf_counter() - told > REPORT_S:
            log.info("finish: box %d, %d prices at its edge", step, active.sum())
            told = time.perf_counter()
        if not active.any():
            # A price in its last digit too low would seem to draw land to a statistic of a few
            # square metres; higher by some, it costs nothing.
            final = found.prices + ROUNDING * np.abs(found.prices)
            return _collect(compiled, final, box, found, over, step)
        prices, bound = further(compiled, prices, found.prices, over)
        last = box, found
        if found.outside.sum() <= WORTH_A_LOOK * limits.gap * total:
            end = early.feasible(compiled, _collect(compiled, prices, box, found, over, step))
            if early.relative_gap(compiled, end, bound) <= 0.5 * limits.gap:
                return replace(end, ended="gap")
        boxes = _grown(compiled, boxes, (face[0][active], face[1][active]), step)
    raise ConvergenceError(f"{MAX_STEPS} boxes")


def _grown(compiled: Compiled, boxes: np.ndarray, at: tuple, step: int) -> np.ndarray:
    """Wider boxes at the active faces."""
    overlapping = compiled.owner.shape[2] > 1
    boxes = boxes.copy()
    boxes[at] *= 4.0 if overlapping else 3.0
    if len(boxes) > 1 and (not overlapping or step % 8 == 0):
        # Where a leaf lacks land its prices fall together; one that lags would stop them all.
        # Rarely where prices may trade against each other: each one let loose opens parcels.
        widest = np.zeros(len(boxes))
        np.maximum.at(widest, at[0], boxes[at])
        boxes = np.maximum(boxes, widest[:, None])
    return boxes


def _above_overflow(compiled: Compiled, prices: np.ndarray, over: tuple) -> np.ndarray:
    """Prices raised until no use beyond the land pays: below that the dual is infinite."""
    leaf, k, _, worth = over
    prices = prices.copy()
    for c, activity, gain in zip(leaf, k, worth, strict=True):
        owner, coefficient = compiled.owner[c, activity], compiled.coefficient[c, activity]
        here = owner >= 0
        lack = gain - float(coefficient[here] @ prices[owner[here]])
        if lack > 0:
            prices[owner[here]] += lack / float(coefficient[here].sum())
    return prices


def further(
    compiled: Compiled, before: np.ndarray, after: np.ndarray, over: tuple
) -> tuple[np.ndarray, float]:
    """Go on in the direction of a move while the dual falls; returns prices and dual value.

    Prices that must move together by far (land short in many leaves) get there in a few moves.
    """

    def dual(prices: np.ndarray) -> float:
        worth = kernels.exact_value(
            compiled.scores, compiled.leaf, compiled.irrigated, compiled.dry, compiled.weight,
            compiled.activity_prices(prices), compiled.first, compiled.n_rainfed,
            compiled.land_penalty,
        )  # fmt: skip
        return worth + float(compiled.area @ prices)

    best, stretch, value = after, 1.0, dual(after)
    for _ in range(20):
        trial = np.maximum(before + 2 * stretch * (after - before), -compiled.penalty)
        trial = _above_overflow(compiled, trial, over)
        found = dual(trial)
        if not found < value:
            break
        best, stretch, value = trial, 2 * stretch, found
    log.debug("moved %g times as far", stretch)
    return best, value


def _collect(
    compiled: Compiled, prices: np.ndarray, box: Box, found: Vertex, over: tuple, steps: int
) -> Finish:
    """Settled parcels and the finishing flows together, alike parcels sharing in proportion."""
    above = found.over > 0
    return Finish(
        prices, *placed(compiled, box, found.flow),
        over[2][above], over[1][above], found.over[above], found.shortage, steps,
    )  # fmt: skip
