"""The compiled loops beside plain numpy: every parcel looked at, nothing read in blocks."""

from __future__ import annotations

import numpy as np
import pytest

from cropalloc.allocation import kernels
from cropalloc.allocation.box import open_box, placed
from cropalloc.allocation.compiled import Compiled, compile_problem
from cropalloc.allocation.generated import degenerate
from cropalloc.allocation.problem import AllocationProblem

CASES = [(1, {"ties", "bare"}), (2, {"missing"}), (3, {"equal"}), (4, {"general"})]


def some(seed: int, traits: set) -> tuple[AllocationProblem, Compiled, np.ndarray, np.ndarray]:
    """A problem of more cells than are read together, prices, and nets of all parcels (2n, m)."""
    problem = degenerate(seed, 150, 3, 3, traits)
    compiled = compile_problem(problem, "share")
    rng = np.random.default_rng(seed)
    best = compiled.best_worth()
    prices = best * np.round(rng.random(compiled.n_demands), 1)
    leaf = compiled.leaf
    scores = problem.scores[compiled.scores.rows].T.astype(float)
    net = scores * compiled.weight[leaf] - compiled.activity_prices(prices)[leaf]
    net = np.repeat(np.where(np.isnan(net), -np.inf, net), 2, axis=0)
    net[1::2, compiled.n_rainfed :] = -np.inf
    return problem, compiled, prices, net


def areas(compiled: Compiled) -> np.ndarray:
    return np.stack([compiled.irrigated, compiled.dry], axis=1).ravel()


def shared(compiled: Compiled, prices: np.ndarray) -> tuple:
    return (
        compiled.scores, compiled.leaf, compiled.irrigated, compiled.dry, compiled.weight,
        compiled.activity_prices(prices), compiled.first, compiled.n_rainfed, np.inf,
    )  # fmt: skip


@pytest.mark.parametrize(("seed", "traits"), CASES)
def test_value_is_that_of_the_best_uses(seed, traits):
    _, compiled, prices, net = some(seed, traits)
    expected = areas(compiled) @ np.maximum(net.max(axis=1), 0)
    assert kernels.exact_value(*shared(compiled, prices)) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize(("seed", "traits"), CASES)
@pytest.mark.parametrize("rank", [0, 7, 60, 10_000])
def test_margin_of_rank_is_that_of_sorted_margins(seed, traits, rank):
    _, compiled, prices, net = some(seed, traits)
    with_idle = np.column_stack([np.zeros(len(net)), net])[areas(compiled) > 0]
    second, first = np.sort(with_idle, axis=1)[:, -2:].T
    margins = np.sort((first - second)[np.isfinite(second)])
    expected = margins[rank] if rank < len(margins) else np.inf
    assert kernels.margin_of_rank(*shared(compiled, prices), rank) == pytest.approx(expected)


@pytest.mark.parametrize(("seed", "traits"), CASES)
@pytest.mark.parametrize("part", [0.0, 0.1, 10.0])
def test_box_settles_what_no_price_in_it_can_change(seed, traits, part):
    _, compiled, prices, net = some(seed, traits)
    radius = np.full(compiled.weight.shape, part * compiled.best_worth())
    box = open_box(compiled, prices, radius)
    reach = radius[0, 0] * (1 + 1e-9)
    area, row_of = areas(compiled), dict(zip(box.parcel.tolist(), box.row.tolist(), strict=True))
    capacity = np.zeros(box.n_rows)
    for parcel in np.flatnonzero(area > 0).tolist():
        floor = max(0.0, net[parcel].max() - reach)
        candidates = np.flatnonzero(net[parcel] + reach >= floor)
        candidates = candidates[np.isfinite(net[parcel][candidates])]
        choice = box.choice[parcel // 2, parcel % 2]
        if len(candidates) == 0:
            assert choice == -1
        elif len(candidates) == 1 and floor > 0:
            assert choice == candidates[0]
        else:
            row = row_of[parcel]
            here = slice(box.start[row], box.start[row + 1])
            assert box.activity[here].tolist() == candidates.tolist()
            assert box.leaf[row] == compiled.leaf[parcel // 2]
            assert box.idle[row] == (floor <= 0)
            capacity[row] += area[parcel]
            points = compiled.scores.at(np.full(len(candidates), parcel // 2), candidates)
            worth = points * compiled.weight[compiled.leaf[parcel // 2], candidates]
            shift = 0.0 if box.idle[row] else worth[0] - box.worth[here][0]
            assert worth - shift == pytest.approx(box.worth[here], rel=1e-12)
    assert box.capacity == pytest.approx(capacity, rel=1e-12)
    assert len(row_of) == (box.choice == -3).sum()
    if part == 10.0 and "equal" in traits:
        assert box.n_rows < len(row_of) / 2  # ties share rows


@pytest.mark.parametrize(("seed", "traits"), CASES)
def test_uses_are_sorted_without_doubles_and_of_all_land(seed, traits):
    problem, compiled, prices, _ = some(seed, traits)
    box = open_box(compiled, prices, np.full(compiled.weight.shape, 0.1 * compiled.best_worth()))
    rng = np.random.default_rng(seed)
    flow = rng.random(len(box.worth))
    row = np.repeat(np.arange(box.n_rows), np.diff(box.start))
    flow *= (box.capacity / np.bincount(row, flow, minlength=box.n_rows))[row]
    cell, kind, hectares = placed(compiled, box, flow)
    order = compiled.scores.rows[kind]
    key = cell.astype(np.int64) * len(problem.activities) + order
    assert (np.diff(key) > 0).all() and (hectares > 0).all()
    used = np.zeros(compiled.weight.shape)
    np.add.at(used, (compiled.leaf[cell], kind), hectares)
    expected = box.used.copy()
    np.add.at(expected, (box.leaf[row], box.activity), flow)
    assert used == pytest.approx(expected, rel=1e-12)
    idle = (box.choice == -1).ravel()
    land = np.where(idle, 0.0, areas(compiled)).reshape(-1, 2).sum(axis=1)
    assert np.bincount(cell, hectares, minlength=problem.n_cells) == pytest.approx(land, rel=1e-12)
