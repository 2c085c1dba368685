"""Which stratum a block belongs to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from croplayer.settings.active import Stratum


def assign_strata(table: pd.DataFrame, strata: Sequence[Stratum]) -> np.ndarray:
    """The name of the first stratum that fits each row; the last one takes the rest.

    Parameters
    ----------
    table : `slope` (degrees) and `coverage_type`, where strata ask for them. A block whose slope
        or coverage type is missing fits no condition on it.

    Returns (rows,) array of names.
    """
    names = np.full(len(table), strata[-1].name, dtype=object)
    free = np.ones(len(table), dtype=bool)
    for stratum in strata[:-1]:
        fits = free.copy()
        if stratum.slope_below_degrees is not None:
            fits &= (table["slope"] < stratum.slope_below_degrees).to_numpy()
        if stratum.coverage_types:
            fits &= table["coverage_type"].isin(stratum.coverage_types).to_numpy()
        names[fits] = stratum.name
        free &= ~fits
    return names
