"""Measures of agreement between allocated and reported areas (Eq. 17-19)."""

from __future__ import annotations

from typing import Any

import numpy as np


def agreement(allocated: np.ndarray, statistics: np.ndarray) -> dict[str, Any]:
    """Eq. 17-19 for one crop.

    Parameters
    ----------
    allocated, statistics : (n,) float64, harvested hectares of the same units, all known.

    Returns
    -------
    `n`; `r`, Pearson's correlation (Eq. 17); `r_squared`, its square, which is what the paper's
    printed pairs equal; `r2` = 1 - SSE / SST with SST about the mean of the statistics (Eq. 18 as
    it must read; negative where the mean would do better); `rmse_ha` (Eq. 19); `mae_ha`;
    `bias_ha`, mean of allocated - statistics; both sums; `r_log`, the correlation of the decimal
    logarithms of the units where both are above zero, and their number `n_log`. A measure that is
    not defined (fewer than two units, no variance) is None.
    """
    allocated = np.asarray(allocated, dtype=np.float64)
    statistics = np.asarray(statistics, dtype=np.float64)
    n = len(statistics)
    error = allocated - statistics
    total = float(np.sum((statistics - statistics.mean()) ** 2)) if n else 0.0
    r = _correlation(allocated, statistics)
    both = (allocated > 0) & (statistics > 0)
    return {
        "n": n,
        "r": r,
        "r_squared": None if r is None else r * r,
        "r2": 1 - float(np.sum(error**2)) / total if total > 0 else None,
        "rmse_ha": float(np.sqrt(np.mean(error**2))) if n else None,
        "mae_ha": float(np.mean(np.abs(error))) if n else None,
        "bias_ha": float(error.mean()) if n else None,
        "statistics_ha": float(statistics.sum()),
        "allocated_ha": float(allocated.sum()),
        "n_log": int(both.sum()),
        "r_log": _correlation(np.log10(allocated[both]), np.log10(statistics[both])),
    }


def placement(allocated: np.ndarray, statistics: np.ndarray) -> dict[str, float | None]:
    """How much of the reported area lies in the unit that reported it, over all crops together.

    Parameters
    ----------
    allocated, statistics : (n,) float64, harvested hectares of the same pairs of unit and crop.

    Returns
    -------
    `overlap_share`, sum of the lesser of the two over the sum of the statistics: 1 = every hectare
    in its unit; `empty_share`, the share of the pairs with a statistic above zero that got nothing;
    `empty_area_share`, what these hold of the area. None where nothing is reported.
    """
    reported = statistics > 0
    total = float(statistics.sum())
    if total <= 0:
        return dict.fromkeys(("overlap_share", "empty_share", "empty_area_share"))
    empty = reported & (allocated <= 0)
    return {
        "overlap_share": float(np.minimum(allocated, statistics).sum()) / total,
        "empty_share": float(empty.sum()) / float(reported.sum()),
        "empty_area_share": float(statistics[empty].sum()) / total,
    }


def _correlation(a: np.ndarray, b: np.ndarray) -> float | None:
    if len(a) < 2:
        return None
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt(np.sum(a * a)) * np.sqrt(np.sum(b * b)))
    return float(np.clip(np.sum(a * b) / scale, -1.0, 1.0)) if scale > 0 else None
