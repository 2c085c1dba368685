"""A small generated case of the allocation branch: 2 provinces, 3 leaves, 24 cells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from cropalloc.grid.cellgrid import CellGrid
from cropbase.tables import write_table

GRID = CellGrid.from_bounds((100.0, 30.0, 100.5, 30.0 + 4 / 12), 300)
"""4 rows, 6 columns of 5 arc-minutes."""
UNITS = pd.DataFrame(
    [("N", "Nation", 0, None), ("P1", "First", 1, "N"), ("P2", "Second", 1, "N"),
     ("A", "A", 2, "P1"), ("B", "B", 2, "P1"), ("C", "C", 2, "P2")],
    columns=["unit_id", "name", "level", "parent_id"],
)  # fmt: skip


def cells() -> pd.DataFrame:
    """A: columns 0-1, B: 2-3, C: 4-5."""
    row, col = (part.ravel() for part in np.mgrid[0:4, 0:6])
    return GRID.table(row, col, np.array(list("AABBCC"))[col])


def targets(year: int = 2010) -> pd.DataFrame:
    """Wheat of both provinces, rice of A and the rest of P1 and P2; areas that are not round."""
    rows = [
        ("P1", "wheat", "P1", 1, False, 1000.1),
        ("P2", "wheat", "P2", 1, False, 333.3),
        ("A", "rice", "A", 2, False, 70.7),
        ("P1~rest", "rice", "P1", 1, True, 29.3),
        ("P2", "rice", "P2", 1, False, 0.0),
    ]
    table = pd.DataFrame(
        rows, columns=["target_id", "crop", "unit_id", "level", "residual", "harvested_ha"]
    )
    return table.assign(year=year, flag="")


def members(year: int = 2010) -> pd.DataFrame:
    """Which leaves a target covers."""
    rows = [
        ("wheat", "P1", "A"), ("wheat", "P1", "B"), ("wheat", "P2", "C"),
        ("rice", "A", "A"), ("rice", "P1~rest", "B"), ("rice", "P2", "C"),
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["crop", "target_id", "leaf_id"]).assign(year=year)


def write_case(folder: Path, year: int = 2010) -> dict[str, Path]:
    """Write units, cells, targets and members; returns their paths."""
    tables = {
        "units": UNITS,
        "cells": cells(),
        "targets": targets(year),
        "members": members(year),
    }
    paths = {}
    for name, table in tables.items():
        paths[name] = folder / f"{name}.parquet"
        write_table(table, paths[name])
    return paths
