"""The gate after every stage: what was delivered is exactly what was planned, or is named."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from cropbase.errors import CompletenessError


def remedy_of(stage: str, path: str | Path | None = None) -> str:
    """What makes the product of a rule again."""
    again = f"make it again: `snakemake --forcerun {stage}` with the same configuration"
    return again + (f"; if that does not help, delete {path} first" if path is not None else "")


def require_rows(
    table: pd.DataFrame,
    planned: pd.MultiIndex,
    *,
    stage: str,
    units: str,
    path: str | Path | None = None,
) -> None:
    """Check that `table` has exactly one row for each planned key.

    Parameters
    ----------
    table : has the columns that the levels of `planned` are named after.
    planned : what must be there, each once; in the order in which the first is to be named.
    stage : the rule that makes the table; the message tells how to run it again.
    units : what a row stands for, in the plural (`planned blocks`).
    path : the table's file, for the message.

    Raises
    ------
    CompletenessError : naming the first missing, doubled or unplanned key and how many more.
    """
    where = f"the table of {stage}" + (f" ({path})" if path is not None else "")
    names = [str(name) for name in planned.names]
    remedy = remedy_of(stage, path)
    absent = [name for name in names if name not in table.columns]
    if absent:
        raise CompletenessError(
            f"{where} has no column {absent[0]!r}",
            given=", ".join(map(str, table.columns)),
            remedy=remedy,
        )
    kinds = planned.dtypes
    found = pd.MultiIndex.from_arrays([table[n].astype(kinds[n]) for n in names], names=names)
    faults = (
        ("lacks", planned[~planned.isin(found)]),
        ("has twice or more", found[found.duplicated()].unique()),
        ("has, without its being planned,", found[~found.isin(planned)].unique()),
    )
    for verb, keys in faults:
        if len(keys):
            more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
            raise CompletenessError(
                f"{where} {verb} {_called(sorted(keys)[0], names)}{more}",
                given=f"{len(table)} rows",
                allowed=f"exactly one row for each of {len(planned)} {units}",
                remedy=remedy,
            )


def _called(key: Sequence[object], names: Sequence[str]) -> str:
    """`block E11200N2400 of source 'a'`: the first part by its name, the others with `of`."""
    words = [name.removesuffix("_id").replace("_", " ") for name in names]
    rest = [f" of {word} {part!r}" for word, part in zip(words[1:], key[1:], strict=True)]
    return f"{words[0]} {key[0]}" + "".join(rest)
