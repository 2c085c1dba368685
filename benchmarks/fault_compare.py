"""Are the outputs of two runs of the workflow the same, apart from the times that some hold?"""

from __future__ import annotations

import csv
import hashlib
import json
import re
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TEMPORARY = (".part", ".partial", "-wal", "-shm")
"""Endings of what only a run under way may have."""
_NOT_OF_THE_RUN = re.compile(
    r"commit [0-9a-f]+( with changes)?|<dt>Newest input</dt><dd>[^<]*</dd>"
)


@dataclass
class Comparison:
    """Files of two runs: the same bytes, the same content (by kind), or not the same."""

    identical: int = 0
    equal: Counter[str] = field(default_factory=Counter)
    differing: list[str] = field(default_factory=list)


def compared(one: Path, other: Path) -> Comparison:
    """Compare every file of two folders; a file that only one of them has differs."""
    found = Comparison()
    for name in sorted(_files(one) | _files(other)):
        first, second = one / name, other / name
        if name.endswith(TEMPORARY) or not (first.is_file() and second.is_file()):
            found.differing.append(name)
        elif _digest(first) == _digest(second):
            found.identical += 1
        elif (kind := _same_content(first, second)) is not None:
            found.equal[kind] += 1
        else:
            found.differing.append(name)
    return found


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def _digest(path: Path) -> bytes:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _same_content(first: Path, second: Path) -> str | None:
    """What was compared instead of bytes, if that is the same in both; else None."""
    for kind, matches, content in KINDS:
        if matches(first):
            return kind if content(first) == content(second) else None
    return None


def _tiles(path: Path) -> list[tuple]:
    """Tiles, metadata and ledger of an MBTiles file, without times and numbers of attempts."""
    tables = (
        "SELECT zoom_level, tile_column, tile_row, tile_data FROM tiles ORDER BY 1, 2, 3",
        "SELECT name, value FROM metadata ORDER BY 1",
        "SELECT z, x, y, status, reason, format, sha256, bytes, etag FROM ledger ORDER BY 1, 2, 3",
    )
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        return [row for table in tables for row in database.execute(table)]


def _without_seconds(value: Any) -> Any:
    """A JSON value without the keys that end in `seconds`."""
    if isinstance(value, dict):
        return {
            key: _without_seconds(inner)
            for key, inner in value.items()
            if not key.endswith("seconds")
        }
    return [_without_seconds(inner) for inner in value] if isinstance(value, list) else value


def _json(path: Path) -> Any:
    return _without_seconds(json.loads(path.read_text(encoding="utf-8")))


def _seen(path: Path) -> Any:
    """What the label files were when they were last read, less their times of change."""
    seen = json.loads(path.read_text(encoding="utf-8"))
    for file in seen.values():
        file["stats"] = [[name, size] for name, _, size in file["stats"]]
    return seen


def _table(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV without the columns that end in `seconds`."""
    with open(path, encoding="utf-8", newline="") as file:
        return [_without_seconds(row) for row in csv.DictReader(file)]


def _columns(path: Path) -> str:
    return path.read_text(encoding="utf-8").partition("\n")[0]


def _page(path: Path) -> str:
    """A report without the commit of the code and the time of the newest input."""
    return _NOT_OF_THE_RUN.sub("", path.read_text(encoding="utf-8"))


def _nothing(_: Path) -> None:
    """Snakemake's report lists when each job ran: that there is one is all."""


KINDS: list[tuple[str, Callable[[Path], bool], Callable[[Path], Any]]] = [
    ("tiles and ledger less times and attempts", lambda p: p.suffix == ".mbtiles", _tiles),
    ("benchmarks, which are times", lambda p: "benchmarks" in p.parts, _columns),
    ("notes on label files less their times", lambda p: p.name == ".labels.seen", _seen),
    ("JSON less its keys in seconds", lambda p: p.suffix == ".json", _json),
    ("CSV less its columns in seconds", lambda p: p.suffix == ".csv", _table),
    ("reports less commit and times", lambda p: p.name == "report.html", _page),
    ("Snakemake's report, which lists times", lambda p: p.name == "workflow.html", _nothing),
]
"""What is compared where the bytes differ: its name, the files it is for, the content."""
