"""What the metrics of both branches are made with."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cropbase.errors import InputError


def flat(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Numbers and truth values of nested objects under joined names; lists and texts are left."""
    found: dict[str, Any] = {}
    for key, inner in value.items():
        if isinstance(inner, dict):
            found |= flat(inner, f"{prefix}{key}_")
        elif inner is None or isinstance(inner, bool | int | float):
            found[f"{prefix}{key}"] = inner
    return found


def wall_seconds(benchmarks: Sequence[Path] | None) -> float | None:
    """Sum of the column `s` of Snakemake's benchmark tables; None for no table.

    Raises InputError for a table that cannot be read.
    """
    if not benchmarks:
        return None
    total = 0.0
    for path in benchmarks:
        try:
            with open(path, newline="", encoding="utf-8") as handle:
                total += sum(float(row["s"]) for row in csv.DictReader(handle, delimiter="\t"))
        except (OSError, KeyError, ValueError) as error:
            raise InputError(f"benchmark {path} cannot be read", given=error) from None
    return round(total, 1)
