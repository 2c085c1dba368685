"""What was noticed while reading, and what was done about it: nothing is dropped in silence."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd

from cropbase.atomic import atomic_path

log = logging.getLogger(__name__)

COLUMNS = ["file", "row", "unit_id", "crop", "finding", "action"]


class Findings:
    """Collects findings; a row each of `findings.csv`."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, int | None, str, str, str, str]] = []

    def add(
        self,
        finding: str,
        action: str,
        *,
        file: str = "",
        row: int | None = None,
        unit_id: str = "",
        crop: str = "",
        loud: bool = False,
    ) -> None:
        """Note one thing; `loud` says it in the log as a warning too."""
        self._rows.append((str(file), row, str(unit_id), str(crop), finding, action))
        if loud:
            log.warning("%s: %s; %s", file or unit_id or crop, finding, action)

    def __len__(self) -> int:
        return len(self._rows)

    def table(self) -> pd.DataFrame:
        """Findings in the order of file, row, unit, crop; equal ones once."""
        table = pd.DataFrame(self._rows, columns=COLUMNS).astype({"row": "Int64"})
        return table.drop_duplicates().sort_values(COLUMNS, kind="stable", ignore_index=True)

    def write(self, path: str | Path) -> None:
        """Write `findings.csv`, atomically."""
        with atomic_path(path) as temporary:
            self.table().to_csv(temporary, index=False, lineterminator="\n")
