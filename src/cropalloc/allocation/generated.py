"""Generated allocation problems, for benchmarks and tests: no real data, and never called so."""

from __future__ import annotations

import numpy as np

from cropalloc.allocation.problem import AllocationProblem, Demand


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
