"""The exact finish: while prices move in a box around good prices, few parcels change their use.

Inside the box the piecewise-linear dual is represented exactly by a small linear programme: parcels
whose best use cannot change are constants, the others have one variable a candidate use. Its
solution is the optimum of the whole problem as soon as no face of the box is active (the dual is
convex); otherwise the box moves there and grows on the active faces (boxstep method of Hogan,
Marsten and Blankenship, 1975).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import highspy
import numpy as np

from cropalloc.allocation import kernels
from cropalloc.allocation.compiled import Compiled

log = logging.getLogger(__name__)

MAX_STEPS = 80


@dataclass
class Finish:
    """An exact optimum.

    Fields
    ------
    prices : (d,) float64.
    cell, activity : (r,) int64, rows and columns of `Compiled.scores`; hectares (r,) float64.
    over_cell, over_activity, over_hectares : hectares placed beyond the land of a cell.
    shortage : (d,) float64, what a demand lacks.
    steps : finishing programmes solved.
    """

    prices: np.ndarray
    cell: np.ndarray
    activity: np.ndarray
    hectares: np.ndarray
    over_cell: np.ndarray
    over_activity: np.ndarray
    over_hectares: np.ndarray
    shortage: np.ndarray
    steps: int


class NotConverged(RuntimeError):
    """The finish did not reach the optimum; the caller falls back to another method."""


def overflow_columns(compiled: Compiled) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Uses beyond the land that could ever pay: leaf, activity, best cell and worth of each.

    A hectare beyond the land costs the land penalty, twice for an irrigated activity (it is beyond
    cropland and beyond irrigated land). Empty where shortage is always cheaper.
    """
    leaves, columns, cells, worths = [], [], [], []
    if np.isfinite(compiled.land_penalty):
        padded = np.append(compiled.penalty, 0.0)
        relief = np.einsum("lmq,lmq->lm", compiled.coefficient, padded[compiled.owner])
        cost = np.where(
            np.arange(compiled.scores.shape[1]) < compiled.n_rainfed, 1.0, 2.0
        ) * compiled.land_penalty
        for leaf in range(len(compiled.weight)):
            inside = np.flatnonzero(compiled.leaf == leaf)
            if len(inside) == 0:
                continue
            best = compiled.scores[inside].argmax(axis=0)
            top = compiled.scores[inside][best, np.arange(len(best))]
            worth = top.astype(np.float64) * compiled.weight[leaf] - cost
            pays = compiled.allowed[leaf] & np.isfinite(worth) & (worth + relief[leaf] > 0)
            for k in np.flatnonzero(pays):
                leaves.append(leaf)
                columns.append(k)
                cells.append(inside[best[k]])
                worths.append(worth[k])
    return (
        np.array(leaves, dtype=np.int64),
        np.array(columns, dtype=np.int64),
        np.array(cells, dtype=np.int64),
        np.array(worths, dtype=np.float64),
    )


def finish(compiled: Compiled, prices: np.ndarray, radius: np.ndarray) -> Finish:
    """Exact optimum from prices near it.

    Parameters
    ----------
    prices : (d,) start, at least `-compiled.penalty`.
    radius : (d,) half the width of the first box.

    Raises NotConverged if the optimum is not reached within 80 boxes.
    """
    lower = -compiled.penalty
    prices = np.maximum(prices, lower)
    radius = radius.copy()
    over = overflow_columns(compiled)
    for step in range(1, MAX_STEPS + 1):
        low, high = np.maximum(prices - radius, lower), prices + radius
        reach = np.einsum(
            "lmq,lmq->lm", compiled.coefficient, np.append(radius, 0.0)[compiled.owner]
        ) * (1 + 1e-9)
        used, choice, start, parcel, idle, activity, worth = kernels.settle(
            compiled.scores, compiled.leaf, compiled.irrigated, compiled.dry, compiled.weight,
            compiled.activity_prices(prices), reach, compiled.n_rainfed, compiled.land_penalty,
        )  # fmt: skip
        same = kernels.merge_alike(start, parcel, idle, activity, worth, compiled.leaf)
        remaining = compiled.area - compiled.placed(used)
        model = _Model(compiled, start, parcel, idle, activity, worth, same, over)
        prices, flow, over_flow, shortage, missing, surplus = model.solve(remaining, low, high)
        scale = np.maximum(compiled.area, 1e-9 * max(compiled.area.max(initial=0.0), 1e-300))
        outside = (missing > 1e-11 * scale) | (surplus > 1e-11 * scale)
        log.debug(
            "box %d: %d parcels open, %d rows, %d faces active, radius %.3g to %.3g",
            step, len(parcel), model.n_parcels, outside.sum(),
            radius.min(initial=np.inf), radius.max(initial=0.0),
        )  # fmt: skip
        if not outside.any():
            return _collect(
                compiled, prices, choice, start, parcel, activity, same, flow,
                (over[2], over[1], over_flow), shortage, step,
            )  # fmt: skip
        radius[outside] *= 3.0
    raise NotConverged(f"{MAX_STEPS} boxes")


class _Model:
    """The finishing programme of one box, for HiGHS."""

    def __init__(self, compiled, start, parcel, idle, activity, worth, same, over) -> None:
        self.compiled = compiled
        first = np.flatnonzero(same == np.arange(len(same)))
        row = np.cumsum(same == np.arange(len(same))) - 1
        self.n_parcels = len(first)
        area = np.where(
            parcel % 2 == 0, compiled.irrigated[parcel // 2], compiled.dry[parcel // 2]
        )
        self.capacity = np.bincount(row[same], area, minlength=self.n_parcels)
        length = np.diff(start)[first]
        column = np.repeat(start[:-1][first], length) + _ranges(length)
        self.column = column
        self.parcel_row = np.repeat(np.arange(self.n_parcels), length)
        leaf = np.repeat(compiled.leaf[parcel[first] // 2], length)
        self.idle = idle[first]
        self.over = over
        # Worth less that of the parcel's first use keeps the numbers small; a constant where the
        # parcel must be used in full.
        base = np.where(self.idle, 0.0, worth[start[:-1][first]])
        self.cost = np.concatenate([worth[column] - base[self.parcel_row], over[3]])
        leaf = np.concatenate([leaf, over[0]])
        k = np.concatenate([activity[column], over[1]])
        self.owner = compiled.owner[leaf, k]
        self.coefficient = compiled.coefficient[leaf, k]

    def solve(self, remaining, low, high):
        """Prices, flows, overflow, shortage, and what the faces of the box had to take."""
        d = len(remaining)
        p = self.n_parcels
        flow_columns = len(self.column)
        n = len(self.cost)
        # Flows are measured in units of a typical capacity, worth in units of a typical width.
        sizes = self.capacity[self.capacity > 0]
        unit = float(np.exp(np.mean(np.log(sizes)))) if len(sizes) else 1.0
        width = float(np.median(high - low)) if d else 1.0
        money = 1000.0 / max(width, 1e-300)
        penalty = self.compiled.penalty
        with_low = low > -penalty
        rows, columns, values = [], [], []
        rows.append(self.parcel_row)
        columns.append(np.arange(flow_columns))
        values.append(np.ones(flow_columns))
        for q in range(self.owner.shape[1]):
            here = np.flatnonzero(self.owner[:, q] >= 0)
            rows.append(p + self.owner[here, q])
            columns.append(here)
            values.append(self.coefficient[here, q])
        demand = np.arange(d)
        rows += [p + demand, p + demand]
        columns += [n + demand, n + d + demand]
        values += [np.ones(d), -np.ones(d)]
        row, column = np.concatenate(rows), np.concatenate(columns)
        value = np.concatenate(values)
        order = np.lexsort((row, column))
        total = n + 2 * d
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = total, p + d
        lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        lp.a_matrix_.start_ = np.searchsorted(column[order], np.arange(total + 1)).astype(np.int32)
        lp.a_matrix_.index_ = row[order].astype(np.int32)
        lp.a_matrix_.value_ = value[order]
        lp.sense_ = highspy.ObjSense.kMaximize
        # Prices are measured from the middle of the box for the same reason.
        shift = 0.5 * (low + high)
        padded = np.append(shift, 0.0)
        net = self.cost - (self.coefficient * padded[self.owner]).sum(axis=1)
        lp.col_cost_ = money * np.concatenate([net, low - shift, -(high - shift)])
        lp.col_lower_ = np.zeros(total)
        lp.col_upper_ = np.full(total, highspy.kHighsInf)
        rest = remaining / unit
        capacity = self.capacity / unit
        lp.row_lower_ = np.concatenate([np.where(self.idle, -highspy.kHighsInf, capacity), rest])
        lp.row_upper_ = np.concatenate([capacity, rest])
        solver = highspy.Highs()
        for name, setting in (
            ("output_flag", False), ("threads", 1), ("random_seed", 0), ("solver", "simplex"),
            ("primal_feasibility_tolerance", 1e-10), ("dual_feasibility_tolerance", 1e-10),
        ):  # fmt: skip
            solver.setOptionValue(name, setting)
        solver.passModel(lp)
        solver.run()
        if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            raise NotConverged(str(solver.getModelStatus()))
        solution = solver.getSolution()
        amount = np.maximum(np.array(solution.col_value), 0.0) * unit
        price = np.clip(np.array(solution.row_dual)[p:] / money + shift, low, high)
        missing, surplus = amount[n : n + d], amount[n + d :]
        shortage = np.where(with_low, 0.0, missing)
        return (
            price,
            amount[:flow_columns],
            amount[flow_columns:n],
            shortage,
            np.where(with_low, missing, 0.0),
            surplus,
        )


def _ranges(lengths: np.ndarray) -> np.ndarray:
    """0 .. length - 1 for each length, joined."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total) - np.repeat(ends - lengths, lengths)


def _collect(
    compiled, prices, choice, start, parcel, activity, same, flow, over, shortage, steps
) -> Finish:
    """Settled parcels and the finishing flows together, alike parcels sharing in proportion."""
    cells, kinds, amounts = [], [], []
    for column, land in ((0, compiled.irrigated), (1, compiled.dry)):
        rows = np.flatnonzero(choice[:, column] >= 0)
        cells.append(rows)
        kinds.append(choice[rows, column].astype(np.int64))
        amounts.append(land[rows])
    if len(parcel):
        area = np.where(
            parcel % 2 == 0, compiled.irrigated[parcel // 2], compiled.dry[parcel // 2]
        )
        whole = np.bincount(same, area, minlength=len(parcel))
        length = np.diff(start)
        is_first = same == np.arange(len(same))
        offset = np.zeros(len(parcel), dtype=np.int64)
        offset[is_first] = np.cumsum(length[is_first]) - length[is_first]
        from_flow = np.repeat(offset[same], length) + _ranges(length)
        portion = np.repeat(area / whole[same], length)
        cells.append(np.repeat(parcel // 2, length))
        kinds.append(activity)
        amounts.append(flow[from_flow] * portion)
    cell, kind, amount = (np.concatenate(part) for part in (cells, kinds, amounts))
    m = compiled.scores.shape[1]
    key, inverse = np.unique(cell * m + kind, return_inverse=True)
    total = np.bincount(inverse, amount, minlength=len(key))
    keep = total > 0
    above = over[2] > 0
    return Finish(
        prices, (key // m)[keep], (key % m)[keep], total[keep],
        over[0][above], over[1][above], over[2][above], shortage, steps,
    )  # fmt: skip
