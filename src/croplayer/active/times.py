"""When people labelled: ISO 8601 times, in UTC where no zone is written."""

from __future__ import annotations

import numpy as np
import pandas as pd

from croplayer.active.findings import Findings
from croplayer.active.readers import FEATURE


def times_of(rows: pd.DataFrame, layer: str, findings: Findings) -> tuple[pd.Series, np.ndarray]:
    """The column `labelled_at` (text) as times in UTC, and (rows,) bool: which could be read.

    An empty text is NaT and can be read; anything that is no ISO 8601 date or time is an error.
    """
    texts = rows["labelled_at"]
    times = pd.to_datetime(
        texts.where(texts != "", None), format="ISO8601", utc=True, errors="coerce"
    )
    good = (times.notna() | (texts == "")).to_numpy(copy=True)
    for feature, text in zip(rows.loc[~good, FEATURE], texts[~good], strict=True):
        findings.error(
            "attribute",
            layer,
            feature,
            f"labelled_at {text!r} is no time such as 2024-05-01T09:30:00Z",
        )
    return times, good
