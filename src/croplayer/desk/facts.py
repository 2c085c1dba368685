"""What the workflow already measured of the blocks, as far as it has come."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd

from cropbase.tables import read_table

OF_SOURCE = ("coverage_type", "af", "solidity_mean", "en_mean", "sharpness", "valid_fraction")
"""Columns of the quality and feature tables that are shown for each source."""
OF_BLOCK = ("consistency", "containment", "elevation", "slope")
"""Columns of the feature tables that are shown once a block."""


class Facts:
    """Measured values of blocks, read from the results of a province; absent tables are no fault.

    Parameters
    ----------
    results : `results/<province>`.
    sources : names of the sources, A first.
    """

    def __init__(self, results: Path, sources: list[str]) -> None:
        quality = [_tables(results / "quality" / source) for source in sources]
        self._quality = _by_source(pd.concat(quality) if quality else pd.DataFrame())
        features = _tables(results / "features")
        self._features = _by_source(features)
        self._block = _by_block(features)
        self._semantic = _by_source(_table(results / "semantic" / "classes.parquet"))
        self._options = _by_block(_table(results / "integration" / "options.parquet"))
        self._sources = sources

    def of(self, block_id: str) -> dict[str, Any]:
        """What is known of a block: `block`, `sources`, and what the models say (`models`)."""
        sources, models = {}, {}
        for source in self._sources:
            key = (block_id, source)
            known = {**self._quality.get(key, {}), **self._features.get(key, {})}
            sources[source] = _chosen(known, OF_SOURCE)
            models[source] = _without(self._semantic.get(key, {}))
        return {
            "block": _chosen(self._block.get(block_id, {}), OF_BLOCK),
            "sources": sources,
            "models": models,
            "option": _without(self._options.get(block_id, {})),
        }

    def alarms(self) -> dict[str, float]:
        """Block -> how sure the semantic model is that a mask is wrong (the worse source), 0-1."""
        found: dict[str, float] = {}
        for (block_id, _), row in self._semantic.items():
            if (right := _number(row.get("p_tp"))) is not None:
                found[block_id] = max(found.get(block_id, 0.0), 1.0 - right)
        return found

    def disagreements(self) -> dict[str, float]:
        """Block -> one less the consistency (IoU) of the two masks, 0-1."""
        numbers = {key: _number(row.get("consistency")) for key, row in self._block.items()}
        return {key: 1.0 - value for key, value in numbers.items() if value is not None}


def _tables(folder: Path) -> pd.DataFrame:
    """The tables of the shards in a folder as one; empty where there are none."""
    parts = [read_table(path) for path in sorted(folder.glob("*.parquet"))]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _table(path: Path) -> pd.DataFrame:
    return read_table(path) if path.exists() else pd.DataFrame()


def _by_source(table: pd.DataFrame) -> dict[tuple[str, str], dict[str, Any]]:
    if table.empty:
        return {}
    return {(str(row["block_id"]), str(row["source"])): row for row in table.to_dict("records")}


def _by_block(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    return {} if table.empty else {str(row["block_id"]): row for row in table.to_dict("records")}


def _chosen(row: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: _plain(row[name]) for name in names if name in row}


def _without(row: dict[str, Any]) -> dict[str, Any]:
    """A model's row without its keys."""
    return {k: _plain(v) for k, v in row.items() if k not in ("block_id", "source")}


def _plain(value: Any) -> Any:
    """A cell as JSON knows it; a missing number is None."""
    if isinstance(value, (bool, str)) or value is None:
        return value
    return _number(value)


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
