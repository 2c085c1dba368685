"""Linear programmes solved in rational arithmetic: an oracle without tolerances.

Maximise c x subject to A x = b, x >= 0, for small sparse A. HiGHS proposes a basis in doubles; the
vertex and the prices of that basis are computed in fractions, and exact simplex pivots follow until
every basic column is >= 0 and no reduced cost is above 0. The value returned is then the optimum,
whatever tolerances HiGHS had.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import highspy
import numpy as np
from scipy.sparse import csc_array

Column = dict[int, Fraction]
MAX_PIVOTS = 200


def solve(
    columns: Sequence[Column], cost: Sequence[Fraction], right: Sequence[Fraction]
) -> tuple[Fraction, list[Fraction]]:
    """Optimal value and solution.

    Raises ArithmeticError if no basis that HiGHS proposes leads to the optimum.
    """
    given = len(columns)
    basis = _proposed(columns, cost, right)
    # A row that repeats others has a unit column of its own in the basis, which must stay at zero.
    columns = [*columns, *({row: Fraction(1)} for row in range(len(right)))]
    cost = [*cost, *[Fraction(0)] * len(right)]
    for _ in range(MAX_PIVOTS):
        amount = _solve([columns[j] for j in basis], right)
        price = _solve(_transposed([columns[j] for j in basis]), [cost[j] for j in basis])
        inside = set(basis)
        reduced = {
            j: cost[j] - sum(price[i] * value for i, value in columns[j].items())
            for j in range(given)
            if j not in inside
        }
        wrong = [p for p, v in enumerate(amount) if v < 0 or (v > 0 and basis[p] >= given)]
        pays = [j for j, value in reduced.items() if value > 0]
        if not wrong and not pays:
            found = [Fraction(0)] * len(columns)
            for j, value in zip(basis, amount, strict=True):
                found[j] = value
            return sum(c * x for c, x in zip(cost, found, strict=True)), found[:given]
        if wrong and pays:
            break
        if pays:  # primal simplex, Bland's rule
            enter = min(pays)
            change = _solve([columns[j] for j in basis], _dense(columns[enter], len(right)))
            _, _, leave = min(
                (amount[p] / value, basis[p], p)
                for p, value in enumerate(change)
                if value > 0 or (value and basis[p] >= given)
            )
        else:  # dual simplex
            leave = min(wrong, key=lambda p: basis[p])
            sign = 1 if amount[leave] < 0 else -1
            unit = [Fraction(sign * int(p == leave)) for p in range(len(basis))]
            row = _solve(_transposed([columns[j] for j in basis]), unit)
            along = {j: sum(row[i] * value for i, value in columns[j].items()) for j in reduced}
            _, enter = min((reduced[j] / along[j], j) for j in reduced if along[j] < 0)
        basis[leave] = enter
    raise ArithmeticError("the basis in doubles is too far from the optimum")


def _proposed(columns, cost, right) -> list[int]:
    """Basic columns of HiGHS' optimum; a unit column makes up for a row that repeats others."""
    size = max((abs(float(c)) for c in cost), default=0.0) or 1.0
    unit = max((abs(float(b)) for b in right), default=0.0) or 1.0
    entry = [(float(v), i, j) for j, column in enumerate(columns) for i, v in column.items()]
    value, row, place = (np.array(part) for part in zip(*entry, strict=True))
    matrix = csc_array((value, (row, place)), shape=(len(right), len(columns)))
    lp = highspy.HighsLp()
    lp.num_row_, lp.num_col_ = matrix.shape
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_, lp.a_matrix_.index_ = matrix.indptr, matrix.indices
    lp.a_matrix_.value_ = matrix.data
    lp.sense_ = highspy.ObjSense.kMaximize
    lp.col_cost_ = np.array([1e3 * float(c) / size for c in cost])
    lp.col_lower_ = np.zeros(len(columns))
    lp.col_upper_ = np.full(len(columns), highspy.kHighsInf)
    lp.row_lower_ = lp.row_upper_ = np.array([1e3 * float(b) / unit for b in right])
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("primal_feasibility_tolerance", 1e-10)
    solver.setOptionValue("dual_feasibility_tolerance", 1e-10)
    solver.passModel(lp)
    solver.run()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        raise ArithmeticError(str(solver.getModelStatus()))
    basic = solver.getBasicVariables()[1]
    return [int(j) if j >= 0 else len(columns) - 1 - int(j) for j in basic]


def _dense(column: Column, length: int) -> list[Fraction]:
    return [column.get(i, Fraction(0)) for i in range(length)]


def _transposed(columns: Sequence[Column]) -> list[Column]:
    turned: list[Column] = [{} for _ in columns]
    for j, column in enumerate(columns):
        for i, value in column.items():
            turned[i][j] = value
    return turned


def _solve(columns: Sequence[Column], right: Sequence[Fraction]) -> list[Fraction]:
    """x with sum_j x_j columns[j] = right: sparse elimination, sparsest row and column first."""
    rows = _transposed(columns)
    right = list(right)
    where = [set(column) for column in columns]
    left = set(range(len(rows)))
    order = []
    while left:
        i = min(left, key=lambda r: (len(rows[r]), r))
        if not rows[i]:
            raise ArithmeticError("the basis is singular")
        j = min(rows[i], key=lambda c: (len(where[c]), c))
        left.discard(i)
        order.append((i, j))
        pivot = rows[i][j]
        for other in where[j] & left:
            factor = rows[other][j] / pivot
            for c, value in rows[i].items():
                changed = rows[other].get(c, Fraction(0)) - factor * value
                if changed:
                    rows[other][c] = changed
                    where[c].add(other)
                else:
                    rows[other].pop(c, None)
                    where[c].discard(other)
            right[other] -= factor * right[i]
    found = [Fraction(0)] * len(columns)
    for i, j in reversed(order):
        rest = sum(value * found[c] for c, value in rows[i].items() if c != j)
        found[j] = (right[i] - rest) / rows[i][j]
    return found
