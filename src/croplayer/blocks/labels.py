"""Tables of interpreted blocks: read from CSV and checked before anything is trained on them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from pathlib import Path

import pandas as pd

from cropbase.errors import InputError
from cropbase.tables import read_csv


def read_labels(
    path: str | Path,
    *,
    keys: Sequence[str],
    value: str,
    allowed: Sequence[str],
    known: Collection[tuple[str, ...]],
    known_name: str,
    optional: Sequence[str] = (),
) -> pd.DataFrame:
    """Read one CSV of labels.

    Parameters
    ----------
    keys : columns that name what is labelled, such as block_id and source.
    value : the column of the label, and `allowed` what it may hold.
    known : the keys that may be labelled, and `known_name` what they are called in messages.
    optional : further columns; absent ones and empty fields become "".

    Returns the columns `keys`, `value` and `optional` as strings, sorted by the keys. A file
    without a byte has no labels.

    Raises InputError naming the file and its line for an absent column, an unknown class, block
    or source, an empty field and a doubled row.
    """
    path = Path(path)
    if path.is_file() and not path.stat().st_size:
        return pd.DataFrame(columns=[*keys, value, *optional], dtype=str)
    table = read_csv(path, (*keys, value), what="label table", as_text=True)
    for name in optional:
        if name not in table.columns:
            table[name] = ""
    table = table[[*keys, value, *optional]].apply(lambda column: column.str.strip())
    first: dict[tuple[str, ...], int] = {}
    for line, row in enumerate(table.itertuples(index=False), start=2):
        where = f"label table {path}, line {line}"
        key, label = tuple(row[: len(keys)]), row[len(keys)]
        if label not in allowed:
            raise InputError(
                f"{where}: unknown {value}",
                given=label or "an empty field",
                allowed=", ".join(allowed),
            )
        if key not in known:
            raise InputError(
                f"{where}: {' of '.join(key)} is no {known_name}",
                allowed="e.g. " + ", ".join(" of ".join(k) for k in sorted(known)[:3]),
                remedy="correct the line or delete it",
            )
        if key in first:
            raise InputError(
                f"{where}: {' of '.join(key)} is labelled twice",
                given=f"line {first[key]} and line {line}",
                remedy="keep one of the two lines",
            )
        first[key] = line
    return table.sort_values(list(keys), ignore_index=True)


def label_digest(table: pd.DataFrame) -> str:
    """SHA-256 of a label table; the same for the same labels in any order of rows."""
    rows = sorted(table.astype(str).itertuples(index=False, name=None))
    text = json.dumps([list(table.columns), rows], ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
