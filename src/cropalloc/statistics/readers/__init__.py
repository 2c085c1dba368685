"""Readers of what users really have; each gives the rows of a file as they stand in it.

Every reader takes (path, source settings, findings) and returns a table with the columns of
`cropalloc.statistics.readers.rows.COLUMNS`: nothing is converted or joined yet.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from cropalloc.statistics.findings import Findings
from cropalloc.statistics.readers.faostat import read_faostat
from cropalloc.statistics.readers.long import read_long
from cropalloc.statistics.readers.nbs import read_nbs
from cropalloc.statistics.readers.wide import read_wide
from cropalloc.statistics.readers.workbook import read_workbook

READERS: dict[str, Callable[[Path, object, Findings], pd.DataFrame]] = {
    "nbs": read_nbs,
    "workbook": read_workbook,
    "faostat": read_faostat,
    "wide": read_wide,
    "long": read_long,
}

__all__ = ["READERS", "read_faostat", "read_long", "read_nbs", "read_wide", "read_workbook"]
