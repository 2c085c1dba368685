"""In which order blocks are handed out, and ranked lists from files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd

from cropbase.errors import InputError
from cropbase.tables import read_csv, read_table
from croplayer.desk.facts import Facts

ORDERS = {
    "ranked": "Ranked list",
    "alarms": "Semantic alarms first",
    "disagreement": "Disagreement of the sources first",
    "random": "Random",
    "map": "Row by row",
}
"""Name of an order -> what people read; the first that can be had is the one to begin with."""


def orders_of(
    sampled: list[str], facts: Facts, seed: int, ranked: Path | None
) -> tuple[dict[str, list[str]], dict[str, str]]:
    """The orders that can be had: (order -> block ids, block -> why it is on the ranked list).

    Parameters
    ----------
    sampled : the blocks that are handed out, row by row.
    seed : of the order `random`.
    ranked : CSV, Parquet or a vector file with `block_id`, and optionally `rank` and `reason`.

    Raises InputError for a list that cannot be read or names other blocks.
    """
    orders: dict[str, list[str]] = {"map": sampled}

    def digest(block_id: str) -> bytes:
        return hashlib.sha256(f"{seed}:{block_id}".encode()).digest()

    orders["random"] = sorted(sampled, key=digest)
    for name, scores in (("alarms", facts.alarms()), ("disagreement", facts.disagreements())):
        if scores:
            orders[name] = sorted(sampled, key=lambda b, s=scores: (-s.get(b, -1.0), b))
    reasons: dict[str, str] = {}
    if ranked is not None:
        orders["ranked"], reasons = _read_ranked(ranked, set(sampled))
    return orders, reasons


def _read_ranked(path: Path, known: set[str]) -> tuple[list[str], dict[str, str]]:
    """(block ids in the order of the list, block -> reason)."""
    table = _table_of(path)
    table.columns = [str(column).lower() for column in table.columns]
    if "block_id" not in table.columns:
        raise InputError(
            f"the ranked list {path} has no column 'block_id'",
            given=", ".join(str(column) for column in table.columns),
        )
    if "rank" in table.columns:
        rank = pd.to_numeric(table["rank"], errors="coerce")
        if rank.isna().any():
            raise InputError(f"the ranked list {path} has a rank that is no number")
        table = table.iloc[np.argsort(rank.to_numpy(), kind="stable")]
    ids = table["block_id"].astype(str).str.strip()
    unknown = sorted(set(ids) - known)
    if unknown:
        raise InputError(
            f"the ranked list {path} names {len(unknown)} block(s) that are not handed out",
            given=", ".join(unknown[:5]),
            allowed="blocks of the plan, and of the sample if desk.every_blocks is set",
        )
    reason = table["reason"] if "reason" in table.columns else pd.Series("", index=table.index)
    told = reason.fillna("").astype(str)
    first = ~ids.duplicated().to_numpy()
    return ids[first].tolist(), dict(zip(ids[first], told[first], strict=True))


def _table_of(path: Path) -> pd.DataFrame:
    if path.suffix.lower() == ".csv":
        return read_csv(path, what="the ranked list", as_text=True)
    if path.suffix.lower() == ".parquet":
        return read_table(path)
    try:
        return gpd.read_file(path, ignore_geometry=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(
            f"the ranked list {path} cannot be read",
            given=error,
            allowed="CSV, Parquet, GeoPackage, shapefile, GeoJSON",
        ) from None
