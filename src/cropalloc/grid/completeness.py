"""Every table of a case holds exactly the cells or targets of the stage before: checked by name."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from cropbase.completeness import require_rows


def require_cells(
    table: pd.DataFrame, cell_ids: Iterable[int], *, stage: str, path: str | Path
) -> None:
    """Check that `table` has one row for each of `cell_ids` (column cell_id).

    Raises CompletenessError naming the first missing, doubled or foreign cell and the rule `stage`
    that makes the table.
    """
    planned = pd.MultiIndex.from_arrays([sorted(cell_ids)], names=["cell_id"])
    require_rows(table, planned, stage=stage, units="cells", path=path)


def require_targets(
    areas: pd.DataFrame, members: pd.DataFrame, *, stage: str, path: str | Path
) -> None:
    """Check that `areas` has rows of each target of `members` (columns target_id, crop), and of no
    other; a target has a row a system.

    Raises CompletenessError as `require_cells`.
    """
    keys = ["target_id", "crop"]
    planned = pd.MultiIndex.from_frame(
        members[keys].astype(str).astype(object).drop_duplicates().sort_values(keys)
    )
    require_rows(
        areas[keys].drop_duplicates(), planned, stage=stage, units="targets with a crop", path=path
    )
