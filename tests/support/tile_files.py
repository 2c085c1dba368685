"""What tests of a fetched tile file share."""

from __future__ import annotations

import sqlite3
from pathlib import Path

HALO = 40
"""Pixels around the blocks of the fixture `fetch`."""


def query(path: Path, sql: str) -> list[tuple]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()
