"""The finishing programme: a small linear programme for HiGHS, and its vertex without rounding.

HiGHS holds rows and reduced costs to absolute tolerances. Statistics of a few square metres beside
millions of hectares leave no tolerance that serves both; so only the basis is taken from HiGHS, and
hectares and prices are solved from it again, with iterative refinement, to the last digits.
"""

from __future__ import annotations

from dataclasses import dataclass

import highspy
import numpy as np
from scipy.sparse import csc_array

from cropalloc.allocation.box import Box
from cropalloc.allocation.compiled import Compiled
from cropalloc.allocation.limits import ConvergenceError, Limits, OutOfTimeError

REFINEMENTS = 3
SHARPER = 1e6  # factor on reduced costs where the worths of a hectare differ by much
HOPELESS = 1e6  # loss, so magnified, beyond which a use cannot become one of the optimum


@dataclass(frozen=True)
class Vertex:
    """Solution of a box: `prices` (d,), `shortage` (d,), hectares of `flow` and `over` columns, and
    hectares that each face of the box had to take, `outside` (f,)."""

    prices: np.ndarray
    flow: np.ndarray
    over: np.ndarray
    shortage: np.ndarray
    outside: np.ndarray


class Programme:
    """The finishing programme of one box, for HiGHS."""

    def __init__(self, compiled: Compiled, box: Box, over: tuple, face: tuple) -> None:
        self.compiled = compiled
        self.n_parcels, self.capacity, self.idle = box.n_rows, box.capacity, box.idle
        length = np.diff(box.start)
        self.n_flows = len(box.worth)
        self.parcel_row = np.repeat(np.arange(box.n_rows), length)
        self.over = over
        self.start = box.start[:-1]
        self.top = float(box.worth.max(initial=0.0))
        self.worth = np.concatenate([box.worth, over[3]])
        leaf = np.concatenate([np.repeat(box.leaf, length), over[0], face[0], face[0]])
        k = np.concatenate([box.activity, over[1], face[1], face[1]])
        self.n_faces = len(face[0])
        self.owner = compiled.owner[leaf, k]
        self.coefficient = compiled.coefficient[leaf, k]

    def solve(
        self, remaining: np.ndarray, prices: np.ndarray, width: np.ndarray, limits: Limits
    ) -> Vertex:
        """The optimum inside the box, for statistics that still lack `remaining` (d,) hectares.

        `width` (f,) is how far the price of an activity in a leaf may move from where it is.
        Raises OutOfTimeError, ConvergenceError.
        """
        d, f = len(remaining), self.n_faces
        flow_columns, n = self.n_flows, len(self.worth)
        # Flows are measured in units of a typical capacity.
        sizes = self.capacity[self.capacity > 0]
        unit = float(np.exp(np.mean(np.log(sizes)))) if len(sizes) else 1.0
        cost, money, sharpen = self._costs(prices, width)
        upper = np.full(len(cost), highspy.kHighsInf)
        upper[n + 2 * f : n + 2 * f + d][~np.isfinite(self.compiled.penalty)] = 0.0
        # Rows of small statistics are magnified: HiGHS holds each row to the same tolerance.
        for most in (1e8,) if self.compiled.unequal else (1e4, 1e8):
            magnified = np.clip(unit / np.maximum(self.compiled.area, 1e-300), 1.0, most)
            right = np.concatenate([self.capacity / unit, magnified * remaining / unit])
            matrix = self._matrix(magnified)
            found, dual, left = solve_equations(
                equations(matrix, money * cost, upper, right), matrix, limits, sharpen=sharpen
            )
            if left <= 1e-12:
                break
        amount = np.maximum(found, 0.0) * unit
        price = magnified * dual[self.n_parcels :] / money + prices
        return Vertex(
            np.maximum(price, -self.compiled.penalty),
            amount[:flow_columns],
            amount[flow_columns:n],
            amount[n + 2 * f : n + 2 * f + d],
            amount[n : n + f] + amount[n + f : n + 2 * f],
        )

    def _costs(self, prices: np.ndarray, width: np.ndarray) -> tuple[np.ndarray, float, bool]:
        """Costs of all columns, the factor that makes them fit HiGHS, and whether to sharpen.

        A face is an activity without land (or given back) at the price on the edge of the box. All
        worths are taken less the present prices, for small numbers, so that widths are about 1000.
        """
        n, penalty = len(self.worth), self.compiled.penalty
        padded = np.append(prices, 0.0)
        net = self.worth - (self.coefficient[:n] * padded[self.owner[:n]]).sum(axis=1)
        if self.n_parcels:
            # Where a parcel must be used in full, a constant may be taken off its nets: the least
            # of them, as a greater one (a point may be worth a million times more in one use)
            # would take the digits of the others.
            least = _nearest_to_zero(net[: self.n_flows], self.start, self.parcel_row)
            net[: self.n_flows] -= np.where(self.idle, 0.0, least)[self.parcel_row]
        loss = np.where(np.isfinite(penalty), penalty + prices, 0.0)
        cost = np.concatenate([net, -width, -width, -loss, np.zeros(self.idle.sum())])
        largest = float(np.abs(cost).max(initial=0.0))
        typical = float(np.median(width)) if self.n_faces else 1.0
        money = min(1e3 / max(typical, 1e-300), 1e6 / max(largest, 1e-300))
        # Worths that differ by more than HiGHS can tell apart are looked at again, magnified.
        return cost, money, self.compiled.unequal or largest > 1e6 * self.top

    def _matrix(self, magnified: np.ndarray) -> csc_array:
        """Columns: uses of parcels and of land exceeded, both faces, shortages, idle parcels."""
        p, d, f, n = self.n_parcels, len(magnified), self.n_faces, len(self.worth)
        sign = np.concatenate([np.ones(n + f), -np.ones(f)])
        rows, columns = [self.parcel_row], [np.arange(self.n_flows)]
        values = [np.ones(self.n_flows)]
        for q in range(self.owner.shape[1]):
            here = np.flatnonzero(self.owner[:, q] >= 0)
            rows.append(p + self.owner[here, q])
            columns.append(here)
            factor = magnified[self.owner[here, q]]
            values.append(sign[here] * self.coefficient[here, q] * factor)
        idle = np.flatnonzero(self.idle)
        rows += [p + np.arange(d), idle]
        columns += [n + 2 * f + np.arange(d), n + 2 * f + d + np.arange(len(idle))]
        values += [magnified, np.ones(len(idle))]
        entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
        return csc_array(entries, shape=(p + d, n + 2 * f + d + len(idle)))


def _nearest_to_zero(net: np.ndarray, start: np.ndarray, row: np.ndarray) -> np.ndarray:
    """(r,): of the nets of each row, that of the least size."""
    size = np.minimum.reduceat(np.abs(net), start)
    return np.maximum.reduceat(np.where(np.abs(net) == size[row], net, -np.inf), start)


def equations(
    matrix: csc_array, cost: np.ndarray, upper: np.ndarray, right: np.ndarray
) -> highspy.HighsLp:
    """The greatest cost of columns from zero to `upper` that solve `matrix` x = `right`."""
    lp = highspy.HighsLp()
    lp.num_row_, lp.num_col_ = matrix.shape
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_, lp.a_matrix_.index_ = matrix.indptr, matrix.indices
    lp.a_matrix_.value_ = matrix.data
    lp.sense_ = highspy.ObjSense.kMaximize
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = cost, np.zeros(len(cost)), upper
    lp.row_lower_ = lp.row_upper_ = right
    return lp


def solve_equations(
    lp: highspy.HighsLp, matrix: csc_array, limits: Limits, *, sharpen: bool
) -> tuple[np.ndarray, np.ndarray, float]:
    """Columns and row duals at the optimum, and the worst relative residual; rows are equations.

    With `sharpen` what HiGHS left as optimal within its tolerance is solved again from its basis,
    with reduced costs, magnified, for costs (iterative refinement: Gleixner, Steffy and Wolter,
    2016). Uses without hope keep a cost that keeps them out.
    """
    solver = _run(lp, limits)
    cost, right = np.array(lp.col_cost_), np.array(lp.row_upper_)
    found, dual = _mend(solver, matrix, cost, right)
    if sharpen:
        reduced = np.maximum(SHARPER * (cost - matrix.T @ dual), -HOPELESS)
        columns = np.arange(len(cost), dtype=np.int32)
        solver.changeColsCost(len(cost), columns, reduced)
        solver.setOptionValue("time_limit", max(0.0, limits.left_s))
        solver.run()
        if solver.getModelStatus() == highspy.HighsModelStatus.kOptimal:
            found, more = _mend(solver, matrix, reduced, right)
            dual = dual + more / SHARPER
    missing = np.abs(right - matrix @ found) / np.maximum(np.abs(right), 1e-12)
    return found, dual, float(missing.max(initial=0.0))


def _run(lp: highspy.HighsLp, limits: Limits) -> highspy.Highs:
    """Solve with HiGHS; raises ConvergenceError if it reports no optimum."""
    status = None
    for tolerance in (1e-10, 1e-9):
        if limits.over:
            raise OutOfTimeError("the time limit of the exact solver is over")
        solver = highspy.Highs()
        for name, setting in (
            ("output_flag", False), ("threads", 1), ("random_seed", 0), ("solver", "simplex"),
            ("primal_feasibility_tolerance", tolerance), ("dual_feasibility_tolerance", tolerance),
        ):  # fmt: skip
            solver.setOptionValue(name, setting)
        if np.isfinite(limits.deadline):
            solver.setOptionValue("time_limit", max(0.0, limits.left_s))
        solver.passModel(lp)
        solver.run()
        status = solver.getModelStatus()
        if status == highspy.HighsModelStatus.kOptimal:
            return solver
        if status == highspy.HighsModelStatus.kTimeLimit:
            raise OutOfTimeError("the time limit of the exact solver is over")
    raise ConvergenceError(str(status))


def _mend(
    solver: highspy.Highs, matrix: csc_array, cost: np.ndarray, right: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The vertex of the solver's basis: columns (all at zero but the basic ones) and row duals.

    A row that is itself basic repeats others: it has no dual, and its residual is theirs.
    """
    solution = solver.getSolution()
    found, dual = np.array(solution.col_value), np.array(solution.row_dual)
    status, basic = solver.getBasicVariables()
    if status != highspy.HighsStatus.kOk:
        return found, dual
    is_column = basic >= 0
    columns, slack = basic[is_column], -1 - basic[~is_column]
    basis = matrix[:, columns]
    amount, price = found[columns], dual.copy()
    owed = np.zeros(len(basic))
    for _ in range(REFINEMENTS):
        missing = right - basis @ amount
        price[slack] = missing[slack] = 0.0
        owed[is_column] = cost[columns] - basis.T @ price
        # HiGHS drops what is below 1e-14: residuals are solved in their own size.
        size, due = (max(float(np.abs(v).max(initial=0.0)), 1e-300) for v in (missing, owed))
        amount = amount + size * solver.getBasisSolve(missing / size)[1][is_column]
        price = price + due * solver.getBasisTransposeSolve(owed / due)[1]
    price[slack] = 0.0
    if not (np.isfinite(amount).all() and np.isfinite(price).all()):
        return found, dual
    found = np.zeros(len(found))
    found[columns] = amount
    return found, price
