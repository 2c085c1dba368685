"""The readable model: docs/allocation.md, section 8, written down in PuLP.

Nothing here is shared with the exact solver. Any solver that PuLP knows can be named in the
configuration; HiGHS is the default. Meant for small problems, for tests and as a fallback:
the model has a variable a cell and activity.
"""

from __future__ import annotations

import math
import time

import numpy as np
import pulp

from cropalloc.allocation.limits import Limits
from cropalloc.allocation.problem import AllocationProblem, demand_weights
from cropalloc.allocation.solution import Rule, Solution
from cropbase.errors import CropError, DependencyError

NONE = Limits()
TIGHT = {"primal_feasibility_tolerance": 1e-9, "dual_feasibility_tolerance": 1e-9}
"""Solvers check rows to an absolute tolerance; the model's areas are in units of a mean cell."""


def pulp_solver(name: str = "HiGHS", *, limit_s: float = math.inf) -> pulp.LpSolver:
    """The PuLP solver called `name`, which ends after `limit_s` seconds.

    Raises DependencyError naming those that this machine has.
    """
    try:
        options: dict[str, float] = dict(TIGHT) if name == "HiGHS" else {}
        if math.isfinite(limit_s):
            options["timeLimit"] = max(limit_s, 0.01)
        solver = pulp.getSolver(name, msg=False, **options)
        if solver.available():
            return solver
    except pulp.PulpError:
        pass
    raise DependencyError(
        f"the solver {name} of the reference model is not available",
        given=name,
        allowed=", ".join(pulp.listSolvers(onlyAvailable=True)),
        remedy="set allocation.reference_solver to one of these, or install the solver",
    ) from None


def solve_reference(
    problem: AllocationProblem, rule: Rule, *, solver: str = "HiGHS", limits: Limits = NONE
) -> Solution:
    """Solve with PuLP; prices are the model's dual values where the solver reports them.

    The lexicographic rule takes two solves: least shortage, then best score with the shortage held.
    Raises CropError where they do not end before the deadline of `limits`.
    """
    begin = time.perf_counter()
    pulp_solver(solver)
    weight = demand_weights(problem, rule.weighting)
    land_slack = not rule.lexicographic
    land = problem.cropland_ha[problem.cropland_ha > 0]
    unit = float(land.mean()) if len(land) else 1.0  # hectares of one unit of area in the model
    model = pulp.LpProblem("allocation", pulp.LpMinimize)

    # a[i, k] >= 0: physical area of activity k in cell i, where a score allows it.
    a: dict[tuple[int, int], pulp.LpVariable] = {}
    in_cell: list[list[int]] = [[] for _ in range(problem.n_cells)]
    covered = {
        (leaf, row)
        for d in problem.demands
        for leaf in d.leaves
        for row, _ in problem.activity_rows(d)
    }
    for i in range(problem.n_cells):
        for k in range(len(problem.activities)):
            usable = problem.cropland_ha[i] > 0 and not np.isnan(problem.scores[k, i])
            if usable and (problem.leaf[i], k) in covered:
                a[i, k] = pulp.LpVariable(f"a_{i}_{k}", lowBound=0)
                in_cell[i].append(k)

    # Land, Eq. 15-16; its slack has a price only with the printed weights.
    over_c = pulp.LpVariable.dicts("over_cropland", range(problem.n_cells), lowBound=0)
    over_i = pulp.LpVariable.dicts("over_irrigated", range(problem.n_cells), lowBound=0)
    for i, rows in enumerate(in_cell):
        wet = [k for k in rows if problem.activities[k][1] == "I"]
        if rows:
            slack = over_c[i] if land_slack else 0
            model += pulp.lpSum(a[i, k] for k in rows) - slack <= float(
                problem.cropland_ha[i] / unit
            )
        if wet:
            slack = over_i[i] if land_slack else 0
            model += pulp.lpSum(a[i, k] for k in wet) - slack <= float(
                problem.irrigated_ha[i] / unit
            )

    # Statistics, Eq. 12-14: what is placed and the shortage are the statistic.
    shortage = pulp.LpVariable.dicts("shortage", range(len(problem.demands)), lowBound=0)
    cells_of = [np.flatnonzero(problem.leaf == leaf) for leaf in range(len(problem.leaf_ids))]
    for d, demand in enumerate(problem.demands):
        terms = [
            coefficient * a[i, k]
            for k, coefficient in problem.activity_rows(demand)
            for leaf in demand.leaves
            for i in cells_of[leaf]
            if (i, k) in a
        ]
        model += pulp.lpSum(terms) + shortage[d] == demand.area_ha / unit, f"statistic_{d}"

    score = pulp.lpSum(
        float(problem.scores[k, i]) * float(weight[problem.leaf[i], k]) * variable
        for (i, k), variable in a.items()
    )
    multiplier, first = 0.0, np.zeros(len(problem.demands))
    if rule.lexicographic:
        total = pulp.lpSum(shortage.values())
        model.setObjective(total)
        _run(model, solver, limits)
        least = float(pulp.value(total) or 0.0)
        first = _prices(model, len(problem.demands))
        if least > 0:
            model += total <= least, "least_shortage"
        else:
            for variable in shortage.values():
                variable.upBound = 0
        model.setObjective(-1 * score)
        _run(model, solver, limits)
        if "least_shortage" in model.constraints:
            multiplier = abs(float(model.constraints["least_shortage"].pi or 0.0))
        # Where nothing is short, any worth of a hectare above the prices proves the same.
        multiplier = max(multiplier, float(-_prices(model, len(problem.demands)).min(initial=0.0)))
    else:
        penalties = rule.penalties(problem)
        lost = pulp.lpSum(float(p) * shortage[d] for d, p in enumerate(penalties))
        over = pulp.lpSum(over_c.values()) + pulp.lpSum(over_i.values())
        model.setObjective(lost + rule.land_penalty_per_ha * over - score)
        _run(model, solver, limits)
    used = [(i, k, v.varValue) for (i, k), v in a.items() if (v.varValue or 0) > 0]
    table = np.array(used, dtype=np.float64).reshape(-1, 3)
    table[:, 2] *= unit

    def amounts(variables: dict[int, pulp.LpVariable]) -> np.ndarray:
        return unit * np.array([max(v.varValue or 0.0, 0.0) for v in variables.values()])

    return Solution(
        table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2],
        amounts(shortage), _prices(model, len(problem.demands)), multiplier, first,
        amounts(over_c), amounts(over_i), f"reference ({solver})", time.perf_counter() - begin,
    )  # fmt: skip


def _run(model: pulp.LpProblem, solver: str, limits: Limits) -> None:
    engine = pulp_solver(solver, limit_s=limits.left_s)
    status = pulp.LpStatusNotSolved if limits.over else model.solve(engine)
    if status == pulp.LpStatusOptimal:
        return
    if limits.over:
        raise CropError(
            "the reference model was not solved within the time limit",
            given=f"{len(model.variables())} variables, nothing proven by then",
            remedy="raise allocation.time_limit_s, or take allocation.solver: exact",
        )
    raise DependencyError(
        "the solver of the reference model found no optimum, though one exists",
        given=pulp.LpStatus[status],
        remedy="take another solver (allocation.reference_solver), or solver: exact",
    )


def _prices(model: pulp.LpProblem, n: int) -> np.ndarray:
    """Worth of a hectare of each statistic; minimised, so that all solvers agree on the sign."""
    return -np.array([float(model.constraints[f"statistic_{d}"].pi or 0.0) for d in range(n)])
