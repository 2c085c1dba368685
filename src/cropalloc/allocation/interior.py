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
from cropalloc.allocation.annealing import Curvature
from cropalloc.allocation.box import open_box
from cropalloc.allocation.boxstep import overflow_columns
from cropalloc.allocation.compiled import Compiled
from cropalloc.allocation.limits import Limits

log = logging.getLogger(__name__)

MAX_ITERATIONS = 250
TOO_LARGE = 40_000_000  # uses of all parcels: 18 bytes each beyond this are too much memory
KEEP = 0.9995  # of the way to the boundary
REPORT_S = 30.0
NONE = Limits()


@dataclass
class Parcels:
    """What parcels may be used for; alike parcels are one.

    Fields
    ------
    leaf : (p,) int32; capacity : (p,) float64 hectares.
    idle : (p,) bool, whether land of it may be left idle.
    start : (p + 1,) int64, where the uses of each parcel begin in `activity` and `worth`.
    activity : (c,) int16; worth : (c,) float64, of a hectare.
    """

    leaf: np.ndarray
    capacity: np.ndarray
    idle: np.ndarray
    start: np.ndarray
    activity: np.ndarray
    worth: np.ndarray


def uses_of_leaves(compiled: Compiled) -> np.ndarray:
    """(leaves,): an upper estimate of uses, to judge memory before anything is built."""
    leaves, m = compiled.weight.shape
    wet = np.bincount(compiled.leaf, compiled.irrigated > 0, minlength=leaves)
    dry = np.bincount(compiled.leaf, compiled.dry > 0, minlength=leaves)
    return wet * m + dry * (m if np.isfinite(compiled.land_penalty) else compiled.n_rainfed)


def all_parcels(compiled: Compiled) -> Parcels:
    """Every parcel with every use that it is allowed, alike parcels joined."""
    everything = np.full(compiled.weight.shape, np.inf)
    box = open_box(compiled, np.zeros(compiled.n_demands), everything)
    over_leaf, over_activity, _, over_worth = overflow_columns(compiled)
    if len(over_leaf) == 0:
        return Parcels(box.leaf, box.capacity, box.idle, box.start, box.activity, box.worth)
    # Use beyond the land: a parcel a leaf with more room than all statistics could take.
    leaves, counts = np.unique(over_leaf, return_counts=True)
    lightest = compiled.coefficient[compiled.coefficient > 0].min(initial=1.0)
    room = 2.0 * float(compiled.area.sum()) / lightest
    return Parcels(
        leaf=np.concatenate([box.leaf, leaves.astype(np.int32)]),
        capacity=np.concatenate([box.capacity, np.full(len(leaves), room)]),
        idle=np.concatenate([box.idle, np.ones(len(leaves), dtype=bool)]),
        start=np.concatenate([box.start, box.start[-1] + np.cumsum(counts)]),
        activity=np.concatenate([box.activity, over_activity.astype(np.int16)]),
        worth=np.concatenate([box.worth, over_worth]),
    )


def statistic_weights(compiled: Compiled) -> np.ndarray:
    """(d,): worth of a score point on a hectare of each statistic, where its price should begin.

    It is that of the activity least dear; but where the statistic itself makes the worth of an
    activity (share weighting), one over its area.
    """
    d = compiled.n_demands
    here = compiled.owner >= 0
    owner = compiled.owner[here]
    coefficient = compiled.coefficient[here]
    weight = np.broadcast_to(compiled.weight[:, :, None], here.shape)[here]
    found = np.full(d, np.inf)
    np.minimum.at(found, owner, weight / coefficient)
    made = np.abs(weight * compiled.area[owner] - coefficient) <= 1e-9 * coefficient
    found[owner[made]] = 1.0 / compiled.area[owner[made]]
    return np.where(np.isfinite(found), found, 0.0)


def interior_prices(
    compiled: Compiled, *, tolerance: float = 1e-9, limits: Limits = NONE
) -> tuple[np.ndarray, float]:
    """Prices (d,) near the optimum, and the relative gap at which the method stopped.

    Parameters
    ----------
    compiled : the problem with its penalties.
    tolerance : relative gap, and relative residual, at which to stop.
    limits : at the deadline the prices reached are returned.
    """
    prices, gap, _ = interior_of(compiled, all_parcels(compiled), tolerance, limits)
    return prices, gap


def interior_of(
    compiled: Compiled, parcels: Parcels, tolerance: float = 1e-9, limits: Limits = NONE
) -> tuple[np.ndarray, float, np.ndarray]:
    """The same for given parcels; also hectares (c,) of their uses, as the method left them.

    Worths and capacities of the parcels are overwritten.
    """
    if len(parcels.worth) == 0 or not (compiled.area > 0).any():
        return np.zeros(compiled.n_demands), 0.0, np.zeros(len(parcels.worth))
    # What is divided by nothing, near the end, makes the error infinite, which ends the method.
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        iteration = _Iteration(compiled, parcels)
        prices, gap = iteration.run(tolerance, limits)
    iteration.x *= iteration.unit
    return prices, gap, iteration.x


class _Iteration:
    """State of the method. Hectares are in units of the mean parcel, worth in units of `money`.

    Three arrays are a use long, and no other is ever made: `activity`, `x`, and `z`, which takes
    the place of the parcels' worths.
    """

    def __init__(self, compiled: Compiled, parcels: Parcels) -> None:
        self.compiled, self.parcels = compiled, parcels
        self.curvature = Curvature(compiled)
        self.unit = max(float(parcels.capacity.mean()) if len(parcels.capacity) else 1.0, 1e-300)
        self.live = compiled.area > 0
        self.short = self.live & np.isfinite(compiled.penalty)  # may lack hectares, at a price
        penalty = np.where(self.short, compiled.penalty, 0.0)
        unequal = len(compiled.first) > 0 or compiled.unequal
        of_demand = statistic_weights(compiled)
        scale = float(compiled.area @ of_demand) / max(float(compiled.area.sum()), 1e-300) or 1.0
        if unequal:
            self.money = 100.0 * scale
        else:
            top = float(np.abs(parcels.worth).max(initial=0.0))
            self.money = max(top, 1e-3 * float(penalty.max(initial=0.0)), 1e-300)
        self.capacity = parcels.capacity
        self.capacity /= self.unit
        self.area = compiled.area / self.unit
        self.penalty = penalty / self.money
        # A start that is feasible on both sides, and central by definition: each product of
        # hectares and reduced cost keeps its weight, so that a statistic of a few square metres
        # is not drowned by a barrier made for millions of hectares.
        count = np.diff(parcels.start)
        self.share = self.capacity / (count + parcels.idle)
        self.x = np.repeat(self.share, count)
        modest = self._modest()
        passes.scale_uses(parcels.start, parcels.leaf, parcels.activity, self.x, modest)
        sums = passes.row_sums(parcels.start, self.x)
        fill = np.divide(self.capacity, sums, out=np.ones(len(sums)), where=~parcels.idle)
        passes.scale_rows(parcels.start, self.x, fill)
        self.x0 = np.where(parcels.idle, self.capacity - sums, 0.0)
        self.idle = self.x0.copy()
        if unequal:
            # Prices as the worth of their statistic: reduced costs are then of its own size.
            self.prices = np.where(self.live, 120.0 * of_demand / self.money, 0.0)
            rise = 1.0
            self.weight = modest * compiled.weight / scale
            worth_short = of_demand / scale
        else:
            self.prices = np.zeros(compiled.n_demands)
            rise = 4.0 * max(1.0, float(self.penalty.max(initial=0.0)))
            self.weight, worth_short = modest, 1.0
        self.z, self.y = parcels.worth, np.empty(len(parcels.capacity))
        passes.reduced_costs(
            parcels.start, parcels.leaf, parcels.activity, self.z, 1.0 / self.money,
            self._table(self.prices), rise, self.y,
        )  # fmt: skip
        self.z0 = np.where(parcels.idle, self.y, 1.0)
        self.v = np.where(self.short, self.penalty + self.prices, 0.0)
        lack = self.area - self._placed(self.x)
        self.s = np.where(self.short, np.maximum(lack, 0.1 * self.area), 0.0)
        self.aim_s = self.s * worth_short
        # Weights between that start's own and equal ones: the first lose the path of the small
        # statistics' uses, the second that of the large ones.
        self.share, self.weight = np.sqrt(self.share), np.sqrt(self.weight)
        self.idle, self.aim_s = np.sqrt(self.idle), np.sqrt(self.aim_s)

    def _modest(self) -> np.ndarray:
        """(leaves, m): part of its even share that an activity gets: at most half of statistics."""
        c = self.compiled
        placed = self._placed(self.x)
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

    def run(self, tolerance: float, limits: Limits) -> tuple[np.ndarray, float]:
        c, p = self.compiled, self.parcels
        count = float(self.aim_s.sum() + self.idle.sum())
        count += passes.sum_of_aims(p.start, p.leaf, p.activity, self.share, self.weight)
        told = time.perf_counter()
        best, best_gap, stale = self.prices.copy(), np.inf, 0
        nearest = weigh = np.inf
        live, short = self.live, self.short
        s, v, least = self.s, self.v, 1.0
        for step in range(MAX_ITERATIONS):
            lack = np.where(live, self.area - self._placed(self.x) - s, 0.0)
            product = passes.dot(self.x, self.z) + passes.dot(self.x0, self.z0)
            product += float(s @ v)
            bound = passes.dot(self.capacity, self.y) + float(self.area @ self.prices)
            gap = product / max(abs(bound), 1e-12 * float(self.area @ self.penalty), 1e-300)
            miss = float(np.abs(lack).sum()) / max(float(self.area.sum()), 1e-300)
            error = max(gap, miss)
            weigh = product if step == 0 else weigh
            now = time.perf_counter()
            log.debug(
                "interior %d: gap %.2e, residual %.2e, mu %.2e, step %.2g",
                step,
                gap,
                miss,
                product / count,
                least,
            )
            if now - told > REPORT_S:
                log.info("prices: iteration %d, relative gap %.1e", step, error)
                told = now
            if error < 0.99 * best_gap:
                best, best_gap, stale = self.prices.copy(), error, 0
            elif product + miss * weigh < 0.99 * nearest:
                stale = 0
            else:
                stale += 1
            nearest = min(nearest, product + miss * weigh)
            if error <= tolerance or stale > 40 or not np.isfinite(error) or limits.over:
                break
            mu = product / count
            curve, right, fixed = passes.assemble(
                p.start, p.leaf, p.activity, self.x, self.z, self.x0, self.z0, self.capacity,
                c.weight.shape[0], c.weight.shape[1],
            )  # fmt: skip
            damping = np.where(short, s / np.where(short, v, 1.0), 0.0)
            # Predictor: straight at complementarity zero.
            wanted = c.placed(right) - s - lack
            d_prices = self._solve(curve, wanted, damping)
            d_table = self._table(d_prices)
            ds, dv = np.where(short, -s - damping * d_prices, 0.0), np.where(short, d_prices, 0.0)
            dy = np.empty_like(self.y)
            reach, sums = passes.predict(
                p.start, p.leaf, p.activity, self.x, self.z, self.x0, self.z0, fixed, d_table, dy,
                self.capacity,
            )  # fmt: skip
            primal = min(reach[0], _reach(s[short], ds[short]))
            dual = min(reach[1], _reach(v[short], dv[short]))
            after = (
                product + primal * (sums[0] + float(ds @ v))
                + dual * (sums[1] + float(dv @ s))
                + primal * dual * (sums[2] + float(ds @ dv))
            )  # fmt: skip
            centre = mu * min(1.0, max(after / product, 0.0)) ** 3
            centre = max(centre, (0.3 if least < 0.1 else 1e-6) * mu)  # first back to the path
            keep = 0.95 if gap > 1e-3 else KEEP
            # Corrector.
            right, reaching = passes.correct(
                p.start, p.leaf, p.activity, self.x, self.z, self.x0, self.z0, fixed, d_table, dy,
                self.capacity, centre, mu, self.share, self.weight, self.idle,
            )  # fmt: skip
            limit = passes.MENDED * mu * self.aim_s
            second = np.clip(ds * dv, -limit, limit)
            rest = np.where(
                short, (centre * self.aim_s - s * v - second) / np.where(short, v, 1.0), 0.0
            )
            wanted = c.placed(right) + rest - lack
            again = self._solve(curve, wanted, damping)
            table = self._table(again)
            ds, dv = np.where(short, rest - damping * again, 0.0), np.where(short, again, 0.0)
            dx0, dy_new = np.empty_like(self.x0), np.empty_like(self.y)
            reach = passes.direct(
                p.start, p.leaf, p.activity, self.x, self.z, self.x0, self.z0, fixed, d_table, dy,
                reaching, table, centre, mu, self.share, self.weight, self.idle, dx0, dy_new,
            )  # fmt: skip
            primal = min(1.0, keep * min(reach[0], _reach(s[short], ds[short])))
            dual = min(1.0, keep * min(reach[1], _reach(v[short], dv[short])))
            least = min(primal, dual)
            passes.advance(
                p.start, p.leaf, p.activity, self.x, self.z, d_table, dy, table, dy_new, centre,
                mu, self.share, self.weight, primal, dual,
            )  # fmt: skip
            self.x0 += primal * dx0
            self.z0 += np.where(p.idle, dual * dy_new, 0.0)
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
