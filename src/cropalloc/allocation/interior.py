"""Prices near the optimum by an interior-point method that keeps to the structure.

Primal-dual predictor-corrector method (Mehrotra, 1992) on the linear programme of parcels. Each
parcel has one capacity row, so the normal equations reduce, parcel by parcel, to one row a
statistic: an iteration costs one pass over the uses that parcels may have, and a few hundred
unknowns. Unlike smoothing, it needs no care for statistics that repeat each other, shortage that
pushes prices to the penalty, statistics of a few square metres, or equal scores.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

import numpy as np

from cropalloc.allocation import interior_kernels as passes
from cropalloc.allocation import kernels
from cropalloc.allocation.annealing import Curvature
from cropalloc.allocation.boxstep import overflow_columns
from cropalloc.allocation.compiled import Compiled

log = logging.getLogger(__name__)

MAX_ITERATIONS = 120
TOO_LARGE = 40_000_000  # uses of all parcels: 24 bytes each beyond this are too much memory
KEEP = 0.9995  # of the way to the boundary
REPORT_S = 30.0


@dataclass
class Parcels:
    """What parcels may be used for; alike parcels are one.

    Fields
    ------
    leaf : (p,) int64; capacity : (p,) float64 hectares.
    start : (p + 1,) int64, where the uses of each parcel begin in `activity` and `worth`.
    activity : (c,) int64; worth : (c,) float64, of a hectare.
    """

    leaf: np.ndarray
    capacity: np.ndarray
    start: np.ndarray
    activity: np.ndarray
    worth: np.ndarray


def uses(compiled: Compiled) -> int:
    """An upper estimate of the uses of all parcels, to judge memory before anything is built."""
    m = compiled.scores.shape[1]
    wet, dry = int((compiled.irrigated > 0).sum()), int((compiled.dry > 0).sum())
    return wet * m + dry * (m if np.isfinite(compiled.land_penalty) else compiled.n_rainfed)


def all_parcels(compiled: Compiled) -> Parcels:
    """Every parcel with every use that it is allowed, alike parcels joined."""
    _, _, start, parcel, idle, activity, worth = kernels.settle(
        compiled.scores, compiled.leaf, compiled.irrigated, compiled.dry, compiled.weight,
        compiled.activity_prices(np.zeros(compiled.n_demands)),
        np.full(compiled.weight.shape, np.inf), compiled.n_rainfed, compiled.land_penalty,
    )  # fmt: skip
    same = kernels.merge_alike(start, parcel, idle, activity, worth, compiled.leaf)
    first = np.flatnonzero(same == np.arange(len(same)))
    area = np.where(parcel % 2 == 0, compiled.irrigated[parcel // 2], compiled.dry[parcel // 2])
    capacity = np.bincount(same, area, minlength=len(same))[first]
    length = np.diff(start)
    chosen = np.repeat(same == np.arange(len(same)), length)
    leaf, length = compiled.leaf[parcel[first] // 2].astype(np.int64), length[first]
    activity, worth = activity[chosen], worth[chosen]
    over_leaf, over_activity, _, over_worth = overflow_columns(compiled)
    if len(over_leaf):
        # Use beyond the land: a parcel a leaf with more room than all statistics could take.
        leaves, counts = np.unique(over_leaf, return_counts=True)
        lightest = compiled.coefficient[compiled.coefficient > 0].min(initial=1.0)
        room = 2.0 * float(compiled.area.sum()) / lightest
        leaf = np.concatenate([leaf, leaves])
        capacity = np.concatenate([capacity, np.full(len(leaves), room)])
        length = np.concatenate([length, counts])
        activity = np.concatenate([activity, over_activity])
        worth = np.concatenate([worth, over_worth])
    ends = np.concatenate([[0], np.cumsum(length)]).astype(np.int64)
    return Parcels(leaf, capacity, ends, activity.astype(np.int64), worth)


def interior_prices(
    compiled: Compiled,
    *,
    tolerance: float = 1e-9,
    parcels: Parcels | None = None,
) -> tuple[np.ndarray, float]:
    """Prices (d,) near the optimum, and the relative gap at which the method stopped.

    Parameters
    ----------
    compiled : the problem with its penalties.
    tolerance : relative gap, and relative residual, at which to stop.
    parcels : what parcels may be used for, if known already.
    """
    if parcels is None:
        parcels = all_parcels(compiled)
    if len(parcels.worth) == 0 or not (compiled.area > 0).any():
        return np.zeros(compiled.n_demands), 0.0
    return _Iteration(compiled, parcels).run(tolerance)


class _Iteration:
    """State of the method. Hectares are in units of the mean parcel, worth in units of `money`."""

    def __init__(self, compiled: Compiled, parcels: Parcels) -> None:
        self.compiled, self.parcels = compiled, parcels
        self.curvature = Curvature(compiled)
        self.unit = max(float(parcels.capacity.mean()) if len(parcels.capacity) else 1.0, 1e-300)
        top = float(np.abs(parcels.worth).max(initial=0.0))
        self.money = max(top, 1e-3 * float(compiled.penalty.max(initial=0.0)), 1e-300)
        self.capacity = parcels.capacity / self.unit
        self.worth = parcels.worth / self.money
        self.area = compiled.area / self.unit
        self.penalty = compiled.penalty / self.money
        self.live = compiled.area > 0
        # A start that is feasible on both sides, and central by definition: each product of
        # hectares and reduced cost keeps its weight, so that a statistic of a few square metres
        # is not drowned by a barrier made for millions of hectares.
        count = np.diff(parcels.start)
        self.share = self.capacity / (count + 1)
        self.weight = self._modest(count)
        self.x = np.repeat(self.share, count) * passes.spread(
            parcels.start, parcels.leaf, parcels.activity, self.weight
        )
        self.x0 = self.capacity - passes.row_sums(parcels.start, self.x)
        self.idle = self.x0.copy()
        best = passes.row_best(parcels.start, self.worth)
        self.y = np.maximum(best, 0.0) + 4.0 * max(1.0, float(self.penalty.max(initial=0.0)))
        self.z = np.repeat(self.y, count) - self.worth
        self.z0 = self.y.copy()
        self.prices = np.zeros(compiled.n_demands)
        self.v = self.penalty.copy()
        self.s = np.where(self.live, self.area - self._placed(self.x), 0.0)
        self.aim_s = self.s.copy()
        # Weights between that start's own and equal ones: the first lose the path of the small
        # statistics' uses, the second that of the large ones.
        self.share, self.weight = np.sqrt(self.share), np.sqrt(self.weight)
        self.idle, self.aim_s = np.sqrt(self.idle), np.sqrt(self.aim_s)
        self.dx = np.empty_like(self.x)

    def _modest(self, count: np.ndarray) -> np.ndarray:
        """(leaves, m): part of its even share that an activity gets: at most half of statistics."""
        c = self.compiled
        placed = self._placed(np.repeat(self.share, count))
        part = np.divide(self.area, 2 * placed, out=np.ones(len(placed)), where=placed > 0)
        part = np.append(np.minimum(part, 1.0), 1.0)
        return np.where(c.owner >= 0, part[c.owner], 1.0).min(axis=2)

    def _placed(self, x: np.ndarray) -> np.ndarray:
        shape = self.compiled.weight.shape
        used = passes.gather(self.parcels.start, self.parcels.leaf, self.parcels.activity, x, shape)
        return self.compiled.placed(used)

    def _table(self, prices: np.ndarray) -> np.ndarray:
        """(leaves, m): change of the price of each activity."""
        padded = np.append(prices, 0.0)
        c = self.compiled
        return np.einsum("lmq,lmq->lm", c.coefficient, padded[c.owner])

    def run(self, tolerance: float) -> tuple[np.ndarray, float]:
        c, p = self.compiled, self.parcels
        aims = passes.spread(p.start, p.leaf, p.activity, self.weight)
        count = float(self.aim_s.sum() + self.idle.sum()) + passes.dot(
            aims, np.repeat(self.share, np.diff(p.start))
        )
        del aims
        told = time.perf_counter()
        best, best_gap, stale = self.prices.copy(), np.inf, 0
        live = self.live
        s, v, short = self.s, self.v, 1.0
        for step in range(MAX_ITERATIONS):
            lack = np.where(live, self.area - self._placed(self.x) - s, 0.0)
            product = passes.dot(self.x, self.z) + passes.dot(self.x0, self.z0)
            product += float(s[live] @ v[live])
            bound = passes.dot(self.capacity, self.y) + float(self.area @ self.prices)
            gap = product / max(abs(bound), 1e-12 * float(self.area @ self.penalty), 1e-300)
            miss = float(np.abs(lack).sum()) / max(float(self.area.sum()), 1e-300)
            error = max(gap, miss)
            now = time.perf_counter()
            log.debug(
                "interior %d: gap %.2e, residual %.2e, mu %.2e, step %.2g",
                step,
                gap,
                miss,
                product / count,
                short,
            )
            if now - told > REPORT_S:
                log.info("prices: iteration %d, relative gap %.1e", step, error)
                told = now
            if error < 0.99 * best_gap:
                best, best_gap, stale = self.prices.copy(), error, 0
            else:
                stale += 1
            if error <= tolerance or stale > 40 or not np.isfinite(error):
                break
            mu = product / count
            curve, right, fixed = passes.assemble(
                p.start, p.leaf, p.activity, self.x, self.z, self.x0, self.z0, self.capacity,
                c.weight.shape[0], c.weight.shape[1],
            )  # fmt: skip
            damping = np.where(live, s / np.where(live, v, 1.0), 0.0)
            # Predictor: straight at complementarity zero.
            wanted = c.placed(right) - np.where(live, s, 0.0) - lack
            d_prices = self._solve(curve, wanted, damping)
            d_table = self._table(d_prices)
            ds, dv = np.where(live, -s - damping * d_prices, 0.0), np.where(live, d_prices, 0.0)
            dy = np.empty_like(self.y)
            reach, sums = passes.predict(
                p.start, p.leaf, p.activity, self.x, self.z, self.x0, self.z0, fixed, d_table, dy,
                self.capacity,
            )  # fmt: skip
            primal = min(reach[0], _reach(s[live], ds[live]))
            dual = min(reach[1], _reach(v[live], dv[live]))
            after = (
                product + primal * (sums[0] + float(ds[live] @ v[live]))
                + dual * (sums[1] + float(dv[live] @ s[live]))
                + primal * dual * (sums[2] + float(ds[live] @ dv[live]))
            )  # fmt: skip
            centre = mu * min(1.0, max(after / product, 0.0)) ** 3
            centre = max(centre, (0.3 if short < 0.1 else 1e-6) * mu)  # first back to the path
            keep = 0.95 if gap > 1e-3 else KEEP
            # Corrector.
            right, reaching = passes.correct(
                p.start, p.leaf, p.activity, self.x, self.z, self.x0, self.z0, fixed, d_table, dy,
                self.capacity, centre, mu, self.share, self.weight, self.idle,
            )  # fmt: skip
            limit = passes.MENDED * mu * self.aim_s
            second = np.clip(ds * dv, -limit, limit)
            rest = np.where(
                live, (centre * self.aim_s - s * v - second) / np.where(live, v, 1.0), 0.0
            )
            wanted = c.placed(right) + rest - lack
            again = self._solve(curve, wanted, damping)
            table = self._table(again)
            ds, dv = np.where(live, rest - damping * again, 0.0), np.where(live, again, 0.0)
            dx0, dy_new = np.empty_like(self.x0), np.empty_like(self.y)
            reach = passes.direct(
                p.start, p.leaf, p.activity, self.x, self.z, self.x0, self.z0, fixed, d_table, dy,
                reaching, table, centre, mu, self.share, self.weight, self.idle, self.dx, dx0,
                dy_new,
            )  # fmt: skip
            primal = min(1.0, keep * min(reach[0], _reach(s[live], ds[live])))
            dual = min(1.0, keep * min(reach[1], _reach(v[live], dv[live])))
            short = min(primal, dual)
            passes.advance(
                p.start, p.leaf, p.activity, self.x, self.z, self.dx, dy_new, table, primal, dual
            )
            self.x0 += primal * dx0
            self.z0 += dual * dy_new
            self.y += dual * dy_new
            self.prices += dual * again
            s += primal * ds
            v += dual * dv
        log.debug("interior point: %d iterations, relative gap %.1e", step, best_gap)
        return best * self.money, best_gap

    def _solve(self, curve: np.ndarray, wanted: np.ndarray, damping: np.ndarray) -> np.ndarray:
        diagonal = self.curvature.diagonal(curve) + damping
        ridge = damping + 1e-13 * diagonal + 1e-300
        return self.curvature.solve(curve, -wanted, ~self.live, ridge)


def _reach(value: np.ndarray, change: np.ndarray) -> float:
    """How far a change may be followed, up to one tenth beyond it, until a value is zero."""
    falling = change < 0
    return float(np.min(-value[falling] / change[falling], initial=1.0 / KEEP))
