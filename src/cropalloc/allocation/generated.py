"""Generated allocation problems, for benchmarks and tests: no real data, and never called so."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from cropalloc.allocation.problem import AllocationProblem, Demand

TRAITS = (
    "general", "short", "missing", "ties", "equal", "bare", "all_irrigated", "one_system",
    "tiny", "huge", "uneven",
)  # fmt: skip


def generate(
    n_cells: int,
    n_crops: int,
    *,
    seed: int,
    n_leaves: int = 1,
    general: bool = False,
    fill: float = 0.8,
    missing: float = 0.05,
    pool: float = 0.0,
) -> AllocationProblem:
    """A generated problem of three systems a crop on a smooth random landscape.

    Parameters
    ----------
    n_leaves : units, of equal numbers of cells.
    general : statistics by unit and crop as harvested area, systems known for the whole area only.
    fill : statistics as a share of the land.
    missing : share of the scores that are missing.
    pool : share of the crops whose statistic exists only for all units together (separable form).
    """
    rng = np.random.default_rng(seed)
    m = 3 * n_crops
    position = rng.random((n_cells, 2)) * np.sqrt(n_cells / 1000 + 1)
    waves = rng.normal(size=(m, 4, 2)) * 2
    phase = rng.random((m, 4)) * 2 * np.pi
    scores = np.empty((m, n_cells), dtype=np.float32)
    for k in range(m):
        field = np.cos(position @ waves[k].T + phase[k]).sum(axis=1)
        scores[k] = np.clip(50 + 15 * field + rng.normal(size=n_cells) * 5, 0, 100)
        scores[k, rng.random(n_cells) < missing] = np.nan
    cropland = 90 * rng.random(n_cells) * (rng.random(n_cells) > 0.1)
    irrigated = cropland * rng.random(n_cells) * (rng.random(n_cells) > 0.4)
    leaf = np.sort(np.arange(n_cells) % n_leaves).astype(np.int32)
    activities = tuple((f"crop{j:02d}", s) for j in range(n_crops) for s in ("I", "H", "L"))
    wet, land = (np.bincount(leaf, x, minlength=n_leaves) for x in (irrigated, cropland))
    weights = rng.gamma(0.7, size=(n_leaves, m))
    is_wet = np.array([s == "I" for _, s in activities])
    area = np.where(
        is_wet,
        weights / weights[:, is_wet].sum(1, keepdims=True) * wet[:, None] * fill,
        weights / weights[:, ~is_wet].sum(1, keepdims=True) * (land - wet)[:, None] * fill,
    )
    intensity = np.round(1 + rng.random(m), 2) if general else np.ones(m)
    leaves = np.arange(n_leaves)
    demands = []
    if general:
        for j in range(n_crops):
            rows = slice(3 * j, 3 * j + 3)
            for c in leaves:
                harvested = float(area[c, rows] @ intensity[rows])
                demands.append(
                    Demand(f"crop{j:02d}", ("I", "H", "L"), f"u{c}", [c], harvested,
                           tuple(intensity[rows]))
                )  # fmt: skip
            for s, row in zip(("I", "H", "L"), range(3 * j, 3 * j + 3), strict=True):
                demands.append(Demand(f"crop{j:02d}", (s,), "all", leaves, area[:, row].sum()))
    else:
        pooled = rng.random(n_crops) < pool
        for row, (crop, s) in enumerate(activities):
            if pooled[row // 3]:
                demands.append(Demand(crop, (s,), "all", leaves, float(area[:, row].sum())))
            else:
                demands += [Demand(crop, (s,), f"u{c}", [c], float(area[c, row])) for c in leaves]
    return AllocationProblem(
        np.arange(n_cells, dtype=np.int64), leaf, tuple(f"u{c}" for c in leaves), cropland,
        irrigated, activities, scores, tuple(demands),
    )  # fmt: skip


def degenerate(
    seed: int, cells: int, crops: int, leaves: int, traits: Collection[str]
) -> AllocationProblem:
    """A small random problem with the degenerate traits asked for, of `TRAITS`."""
    rng = np.random.default_rng(seed)
    leaves = min(leaves, cells)
    base = generate(
        cells, crops, seed=seed, n_leaves=leaves, general="general" in traits,
        fill=1.6 if "short" in traits else 0.7, missing=0.3 if "missing" in traits else 0.0,
        pool=0.5,
    )  # fmt: skip
    land, wet, scores = base.cropland_ha.copy(), base.irrigated_ha.copy(), base.scores.copy()
    if "ties" in traits:
        scores = np.round(scores / 25) * np.float32(25)
    if "equal" in traits:
        scores = np.where(np.isnan(scores), scores, np.float32(40))
    if "bare" in traits:
        bare = rng.random(cells) < 0.5
        land[bare], wet[bare] = 0.0, 0.0
    if "all_irrigated" in traits:
        wet = land.copy()
    if "one_system" in traits:
        scores[1::3] = np.nan
    factor = 1e-6 if "tiny" in traits else 1e5 if "huge" in traits else 1.0
    areas = np.array([demand.area_ha for demand in base.demands]) * factor
    if "uneven" in traits:  # some statistics of a few square metres, down to 1e-6 ha
        part = 10 ** np.where(rng.random(len(areas)) < 0.4, rng.uniform(-8, 0, len(areas)), 0.0)
        areas = np.maximum(areas * part, np.minimum(areas, 1e-6))
    demands = tuple(
        Demand(d.crop, d.systems, d.unit_id, d.leaves, float(area), d.coefficients)
        for d, area in zip(base.demands, areas, strict=True)
    )
    return AllocationProblem(
        base.cell_id, base.leaf, base.leaf_ids, land * factor, wet * factor, base.activities,
        scores, demands,
    )  # fmt: skip


def random_degenerate(seed: int) -> AllocationProblem:
    """A small random problem with statistics of a few square metres and up to three traits more."""
    rng = np.random.default_rng(seed)
    others = [trait for trait in TRAITS if trait != "uneven"]
    traits = {"uneven", *rng.choice(others, rng.integers(0, 4), replace=False).tolist()}
    cells, crops, leaves = (int(rng.integers(1, most)) for most in (41, 5, 4))
    return degenerate(seed, cells, crops, leaves, traits)
