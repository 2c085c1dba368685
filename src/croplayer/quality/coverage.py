"""The five coverage types (paper, section 2.2.3), their labels, and the blocks held out."""

from __future__ import annotations

import logging
import math
from collections.abc import Collection
from enum import StrEnum
from pathlib import Path

import numpy as np
import pandas as pd

from cropbase.errors import InputError
from cropbase.tables import read_csv

log = logging.getLogger(__name__)


class CoverageType(StrEnum):
    """What the image of a block shows."""

    PLANTING = "planting"
    NON_PLANTING = "non_planting"
    SNOW_ICE = "snow_ice"
    CLOUDY = "cloudy"
    NODATA = "nodata"


CLASSES: tuple[str, ...] = tuple(member.value for member in CoverageType)
"""The coverage types in the order of the network's outputs and of the quality table."""

LABEL_COLUMNS = ("block_id", "source", "coverage_type")
_FAULTS_SHOWN = 20


def is_nodata(valid_fraction: float, nodata_below: float) -> bool:
    """The rule that needs no network: too few valid pixels (or none at all) is nodata."""
    return valid_fraction < nodata_below or valid_fraction == 0


def read_coverage_labels(
    path: str | Path, *, sources: Collection[str], planned: Collection[str]
) -> pd.DataFrame:
    """Read and check a CSV table `block_id,source,coverage_type`.

    Types may be written as in the paper (`Snow/Ice`, `Non-planting`). Rows that repeat another are
    dropped and told. Returns the three columns, sorted by block and source.

    Raises InputError naming the lines: a column is missing, a type or source is unknown, a block
    is not planned, or a block and source have two different types.
    """
    path = Path(path)
    table = read_csv(path, LABEL_COLUMNS, what="coverage labels", as_text=True, comment="#")
    if table.empty:
        raise InputError(
            f"coverage labels {path} hold no row",
            remedy="label some blocks of every coverage type; rare ones need most care",
        )
    table = table[list(LABEL_COLUMNS)].apply(lambda column: column.str.strip())
    written = table["coverage_type"]
    table["coverage_type"] = written.str.lower().str.replace(r"[-/ ]+", "_", regex=True)
    planned, faults = set(planned), []
    for number, row in enumerate(table.itertuples(index=False)):
        where = f"  row {number + 1} ({row.block_id}, {row.source})"
        if row.coverage_type not in CLASSES:
            faults.append(f"{where}: unknown coverage type {written.iloc[number]!r}")
        if row.source not in sources:
            faults.append(f"{where}: unknown source {row.source!r}")
        if row.block_id not in planned:
            faults.append(f"{where}: block {row.block_id!r} is not planned in this province")
    unique = table.drop_duplicates()
    clashes = unique[unique.duplicated(["block_id", "source"], keep=False)]
    for (block_id, source), group in clashes.groupby(["block_id", "source"], sort=True):
        given = " and ".join(group["coverage_type"])
        faults.append(f"  {block_id}, {source}: two different types, {given}")
    if faults:
        rest = [f"  ... and {len(faults) - _FAULTS_SHOWN} more"] * (len(faults) > _FAULTS_SHOWN)
        raise InputError(
            f"coverage labels {path} have {len(faults)} fault(s)\n"
            + "\n".join(faults[:_FAULTS_SHOWN] + rest),
            allowed=f"types {', '.join(CLASSES)}; sources {', '.join(sources)}",
            remedy="mend these rows",
        )
    if len(unique) < len(table):
        log.warning("%s: %d rows repeat others and count once", path, len(table) - len(unique))
    return unique.sort_values(["block_id", "source"], ignore_index=True)


def split_by_block(labels: pd.DataFrame, *, share: float, seed: int) -> np.ndarray:
    """Choose the rows held out: stratified by type, whole blocks, so that all sources of a block
    fall on the same side (they show the same place).

    Every type with two rows or more gets about `share` of its rows held out, at least one; the
    rarest types choose first. A block is never held out if that would leave a type of its rows
    without a row to learn from: a type with one row goes to training.

    Returns (rows,) bool, True where held out. The same rows and seed give the same answer,
    whatever the order of the rows.
    """
    types, blocks = labels["coverage_type"].to_numpy(), labels["block_id"].to_numpy()
    counts = labels["coverage_type"].value_counts()
    members = {block: np.flatnonzero(blocks == block) for block in np.unique(blocks)}
    shuffled = np.random.default_rng(seed).permutation(sorted(members))
    held = np.zeros(len(labels), dtype=bool)
    for kind in sorted(counts.index, key=lambda name: (counts[name], name)):
        total = int(counts[kind])
        # Half up, not half to even: the share of 0.5 of 5 rows is 3 rows.
        target = 0 if total < 2 else max(1, math.floor(share * total + 0.5))
        for block in shuffled:
            if np.count_nonzero(held & (types == kind)) >= target:
                break
            rows = members[block]
            if held[rows[0]] or kind not in types[rows]:
                continue
            trial = held.copy()
            trial[rows] = True
            if all(np.any(~trial & (types == other)) for other in set(types[rows])):
                held = trial
    return held
