"""Every table of a stage holds exactly the planned blocks: checked here, by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path

import pandas as pd

from cropbase.errors import CompletenessError
from croplayer.grid.blocks import Block, BlockGrid


def require_blocks(
    table: pd.DataFrame,
    blocks: Iterable[Block],
    grid: BlockGrid,
    *,
    stage: str,
    per_source: Sequence[str] | None = None,
    path: str | Path | None = None,
) -> None:
    """Check that `table` has exactly one row a planned block (and source).

    Parameters and errors as `require_ids`, with the planned blocks in the place of their ids.
    """
    ids = [grid.block_id(block) for block in set(blocks)]
    require_ids(table, ids, stage=stage, per_source=per_source, path=path)


def require_ids(
    table: pd.DataFrame,
    block_ids: Iterable[str],
    *,
    stage: str,
    per_source: Sequence[str] | None = None,
    path: str | Path | None = None,
) -> None:
    """Check that `table` has exactly one row for each of `block_ids` (and each source).

    Parameters
    ----------
    table : a column `block_id`, and `source` where `per_source` is given.
    block_ids : ids of the planned blocks.
    stage : the name of the rule that makes the table; the message tells how to run it again.
    per_source : the sources of which every block must have one row each.
    path : the table's file, for the message.

    Raises
    ------
    CompletenessError : naming the first missing, doubled or unplanned block (by id and source)
        and how many more there are.
    """
    keys = ["block_id"] if per_source is None else ["block_id", "source"]
    where = f"the table of {stage}" + (f" ({path})" if path is not None else "")
    remedy = f"make the table again: `snakemake --forcerun {stage}` with the same configuration" + (
        f"; if that does not help, delete {path} first" if path is not None else ""
    )
    absent = [key for key in keys if key not in table.columns]
    if absent:
        raise CompletenessError(
            f"{where} has no column {absent[0]!r}",
            given=", ".join(map(str, table.columns)),
            remedy=remedy,
        )
    ids = sorted(set(block_ids))
    if per_source is None:
        planned = pd.MultiIndex.from_arrays([ids], names=keys)
    else:
        planned = pd.MultiIndex.from_tuples(list(product(ids, per_source)), names=keys)
    found = pd.MultiIndex.from_arrays([table[key].astype(str) for key in keys], names=keys)
    faults = (
        ("lacks", planned[~planned.isin(found)]),
        ("has twice or more", found[found.duplicated()].unique()),
        ("has, without its being planned,", found[~found.isin(planned)].unique()),
    )
    for verb, rows in faults:
        if len(rows):
            first = sorted(rows)[0]
            name = f"block {first[0]}" + (
                f" of source {first[1]!r}" if per_source is not None else ""
            )
            more = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
            raise CompletenessError(
                f"{where} {verb} {name}{more}",
                given=f"{len(table)} rows",
                allowed=f"exactly one row for each of {len(planned)} planned "
                + ("blocks" if per_source is None else "pairs of block and source"),
                remedy=remedy,
            )
