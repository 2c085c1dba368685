"""The allocation problem in the form that the solver works on.

Three facts carry the method. First, the land of a cell is a nested capacity (irrigated inside
cropland), which is the sum of two *parcels*: `irrigated_ha` that any activity may use, and
`cropland_ha - irrigated_ha` that only rainfed activities may use. Second, given a price a
statistic, the best use of a parcel is a closed form: the activity whose worth less price is
greatest, or none. Third, leaves covered by the same statistics are one (a *zone*): to the solver
`leaf` means zone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from cropalloc.allocation.limits import Ended
from cropalloc.allocation.problem import AllocationProblem, Weighting, demand_weights
from cropalloc.allocation.scores import Scores, best_scores

SHORT = 1e-12  # of a statistic, what it lacks beyond rounding


@dataclass
class Compiled:
    """Arrays of one problem; activities are reordered, rainfed first.

    Fields
    ------
    n_rainfed : the first `n_rainfed` activities are rainfed.
    scores : the problem's own scores, and the order of activities used here.
    leaf : (n,) int32, zone of the cell: the leaves that the same statistics cover are one.
    irrigated, dry : (n,) float64, hectares of the two parcels, zero where there is none.
    weight : (leaves, m) float64, worth of a score point on a hectare.
    allowed : (leaves, m) bool, whether a statistic above zero covers the activity there.
    owner : (leaves, m, q) int32, demands that an activity counts for, -1 where none.
    coefficient : (leaves, m, q) float64, zero where none.
    area : (d,) float64, the demands.
    penalty : (d,) float64, worth lost by a hectare of shortage.
    land_penalty : worth lost by a hectare beyond the land; inf where land is never exceeded.
    first : (leaves, m) float64, prices of activities in a first stage that is settled (`kernels`);
        (0, m) where there is none.
    """

    n_rainfed: int
    scores: Scores
    leaf: np.ndarray
    irrigated: np.ndarray
    dry: np.ndarray
    weight: np.ndarray
    allowed: np.ndarray
    owner: np.ndarray
    coefficient: np.ndarray
    area: np.ndarray
    penalty: np.ndarray
    land_penalty: float
    first: np.ndarray

    @property
    def n_demands(self) -> int:
        return len(self.area)

    @property
    def unequal(self) -> bool:
        """Whether a score point is worth more on some hectares than on others."""
        weight = self.weight[self.allowed]
        return weight.size > 0 and bool(np.ptp(weight) > 0)

    def activity_prices(self, prices: np.ndarray) -> np.ndarray:
        """(leaves, m): price of a hectare of each activity, +inf where it is not allowed."""
        padded = np.append(prices, 0.0)
        total = np.einsum("lmq,lmq->lm", self.coefficient, padded[self.owner])
        return np.where(self.allowed, total, np.inf)

    def placed(self, used: np.ndarray) -> np.ndarray:
        """(d,): what (leaves, m) hectares of activities count for each demand."""
        amount = self.coefficient * used[:, :, None]
        owner = np.where(self.owner < 0, self.n_demands, self.owner)
        return np.bincount(owner.ravel(), amount.ravel(), minlength=self.n_demands + 1)[:-1]

    def is_short(self, shortage: np.ndarray) -> np.ndarray:
        """(d,) bool: statistics that lack hectares, by more than rounding."""
        return shortage > SHORT * self.area

    def of_cells(self, cells: np.ndarray) -> Compiled:
        """The same problem on some of the cells, (r,) indices."""
        return replace(
            self,
            scores=self.scores._replace(values=self.scores.values[:, cells]),
            leaf=self.leaf[cells],
            irrigated=self.irrigated[cells],
            dry=self.dry[cells],
        )

    @cached_property
    def best(self) -> tuple[np.ndarray, np.ndarray]:
        """(leaves, m): greatest score among cells with land (-inf: none), and its cell (or -1)."""
        return best_scores(self.scores, self.leaf, self.irrigated, self.dry, len(self.weight))

    def best_worth(self) -> float:
        """The greatest worth of a hectare anywhere, zero if nothing can be placed."""
        worth = np.where(self.allowed, self.best[0], -np.inf) * self.weight
        return float(worth.max(initial=0.0))


@dataclass
class Finish:
    """An optimum, or what was reached at the limits of time or gap.

    Fields
    ------
    prices : (d,) float64.
    cell, activity : (r,) int32 and int16, cells of the problem and activities of `Compiled`;
        sorted by cell, then by the problem's order of activities; hectares (r,) float64.
    over_cell, over_activity, over_hectares : hectares placed beyond the land of a cell.
    shortage : (d,) float64, what a demand lacks.
    steps : finishing programmes solved.
    ended : why the solver ended.
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
    ended: Ended = "optimum"


def compile_problem(problem: AllocationProblem, weighting: Weighting) -> Compiled:
    """Bring a problem into the solver's form; penalties are set by the caller."""
    n_demands = len(problem.demands)
    is_wet = np.array([system == "I" for _, system in problem.activities], dtype=bool)
    order = np.argsort(is_wet, kind="stable")
    position = np.argsort(order)
    shape = (len(problem.leaf_ids), len(order))
    covers: list[list[tuple[np.ndarray, int, float, int]]] = []
    for index, demand in enumerate(problem.demands):
        covers.append(
            [(demand.leaves, position[row], c, index) for row, c in problem.activity_rows(demand)]
        )
    depth = np.zeros(shape, dtype=np.int64)
    for rows in covers:
        for leaves, column, _, _ in rows:
            depth[leaves, column] += 1
    q = max(1, int(depth.max(initial=0)))
    owner = np.full((*shape, q), -1, dtype=np.int32)
    coefficient = np.zeros((*shape, q))
    allowed = depth > 0
    filled = np.zeros(shape, dtype=np.int64)
    for rows in covers:
        for leaves, column, value, index in rows:
            place = filled[leaves, column]
            owner[leaves, column, place] = index
            coefficient[leaves, column, place] = value
            filled[leaves, column] += 1
            if problem.demands[index].area_ha == 0:
                allowed[leaves, column] = False
    weight = demand_weights(problem, weighting)[:, order]
    owner[~allowed], coefficient[~allowed], weight[~allowed] = -1, 0.0, 1.0
    kept, zone = _zones(
        np.unique(problem.leaf[problem.cropland_ha > 0]), weight, allowed, owner, coefficient
    )
    return Compiled(
        n_rainfed=int((~is_wet).sum()),
        scores=Scores(np.asarray(problem.scores, dtype=np.float32), order),
        leaf=zone[problem.leaf],
        irrigated=np.asarray(problem.irrigated_ha, dtype=np.float64),
        dry=np.subtract(problem.cropland_ha, problem.irrigated_ha, dtype=np.float64),
        weight=weight[kept],
        allowed=allowed[kept],
        owner=owner[kept],
        coefficient=coefficient[kept],
        area=np.array([demand.area_ha for demand in problem.demands], dtype=np.float64),
        penalty=np.zeros(n_demands),
        land_penalty=np.inf,
        first=np.empty((0, len(order))),
    )


def _zones(
    with_land: np.ndarray,
    weight: np.ndarray,
    allowed: np.ndarray,
    owner: np.ndarray,
    coefficient: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Join the leaves in which the same statistics cover the same activities at the same worth.

    To the solver they are one leaf: hundreds of districts in a handful of states with statistics
    are a handful of leaves. `with_land` are the leaves that have a cell with land. Returns one leaf
    of each zone, and the zone of each leaf (leaves,) int32; zones come in the order of their first
    leaf, and leaves without land are in none (zero).
    """
    rows = len(weight)
    parts = (weight, allowed, owner, coefficient)
    flat = np.concatenate([part.reshape(rows, -1).astype(np.float64) for part in parts], axis=1)
    if len(with_land) == 0:
        with_land = np.arange(min(rows, 1))
    _, first, inverse = np.unique(flat[with_land], axis=0, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    zone = np.zeros(rows, dtype=np.int32)
    zone[with_land] = rank[inverse.ravel()]
    return with_land[np.sort(first)], zone
