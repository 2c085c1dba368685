"""The arithmetic of scores: access, min-max scaling, Eq. 8."""

from __future__ import annotations

import numpy as np


def scale_min_max(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Scale to 0-100 between low and high; NaN stays. Without a spread: 100 if positive, else 0."""
    if high > low:
        return (values - low) * (100.0 / (high - low))
    flat = 100.0 if high > 0 else 0.0
    return np.where(np.isnan(values), np.nan, flat)


def access_score(travel_time: np.ndarray, *, log_scale: bool, missing_is_farthest: bool):
    """Access of Eq. 8: 100 at the shortest travel time of the cells, 0 at the longest.

    Parameters
    ----------
    travel_time : (n,) any unit of time, NaN = not known.

    Returns
    -------
    (n,) float64, 0-100; NaN where the time is not known and that is not read as the farthest.
    """
    time = np.log1p(travel_time) if log_scale else np.asarray(travel_time, dtype=float)
    known = time[np.isfinite(time)]
    if not len(known):
        return np.full(time.shape, 0.0 if missing_is_farthest else np.nan)
    low, high = float(known.min()), float(known.max())
    access = (
        np.where(np.isfinite(time), 100.0, np.nan)
        if high == low
        else scale_min_max(high - time, 0.0, high - low)
    )
    return np.where(np.isfinite(access), access, 0.0) if missing_is_farthest else access


def market_score(access: np.ndarray, revenue_scaled: np.ndarray) -> np.ndarray:
    """Eq. 8: geometric mean of access and revenue, both 0-100 (n,); float32, NaN = never."""
    return np.sqrt(access * revenue_scaled).astype(np.float32)
