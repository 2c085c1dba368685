"""A downloader that is killed: the next run goes on and ends with the same file."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from croplayer.grid import BlockGrid
from croplayer.settings.sources import XyzSource
from croplayer.tiles import fetch_tiles

SCRIPT = """
import json, sys
from pathlib import Path
from croplayer.grid import BlockGrid
from croplayer.settings.sources import XyzSource
from croplayer.tiles import fetch_tiles
given = json.loads(sys.argv[1])
grid = BlockGrid(**given["grid"])
fetch_tiles(
    source_name="scene", source=XyzSource(**given["source"]), grid=grid,
    blocks=[grid.block_at(112.31, 23.11)], halo_pixels=0, output=Path(given["output"]),
)
"""
GRID = {"block_degrees": 0.05, "pixels_per_block": 288, "shard_degrees": 0.1}


def rows(path: Path, sql: str) -> list[tuple]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def test_a_killed_download_goes_on(
    server: Any, make_source: Any, tmp_path: Path, imagery: Any
) -> None:
    server.image = lambda z, x, y: imagery.encode(
        np.full((256, 256, 3), (x % 251, y % 251, (x * y) % 251), np.uint8)
    )
    source: XyzSource = make_source(
        zoom=17, requests_per_second=80, concurrency=4, timeout_seconds=10
    )
    output = tmp_path / "killed.mbtiles"
    arguments = json.dumps(
        {"grid": GRID, "source": source.model_dump(mode="json"), "output": str(output)}
    )
    stored: set[tuple[int, int]] = set()
    for requests in (150, 130):
        server.log.clear()
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, arguments],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 60
        while len(server.log) < requests:
            assert process.poll() is None, "the download ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        time.sleep(0.1)
        assert not output.exists()
        assert not stored & set(server.asked())
        partial = tmp_path / "killed.mbtiles.partial"
        before = len(stored)
        stored = set(rows(partial, "SELECT x, y FROM ledger WHERE status = 'stored'"))
        assert before < len(stored)
    server.log.clear()
    grid = BlockGrid(**GRID)
    common = {
        "source_name": "scene",
        "source": source.model_copy(update={"requests_per_second": 2000}),
        "grid": grid,
        "blocks": [grid.block_at(112.31, 23.11)],
        "halo_pixels": 0,
    }
    summary = fetch_tiles(**common, output=output)
    assert not stored & set(server.asked())
    assert summary.requests == len(server.log) == summary.tiles - len(stored)
    assert [path.name for path in tmp_path.iterdir()] == ["killed.mbtiles"]
    undisturbed = tmp_path / "undisturbed.mbtiles"
    fetch_tiles(**common, output=undisturbed)
    for sql in (
        "SELECT * FROM tiles",
        "SELECT rowid, * FROM images",
        "SELECT * FROM map",
        "SELECT * FROM metadata",
        "SELECT z, x, y, status, reason, format, sha256, bytes, etag FROM ledger",
    ):
        assert rows(output, sql) == rows(undisturbed, sql), sql
    # Only times and numbers of attempts may differ: without them the files are the same bytes.
    plain = []
    for path in (output, undisturbed):
        connection = sqlite3.connect(path)
        connection.execute("UPDATE ledger SET fetched_at = '', attempts = 0")
        connection.commit()
        connection.execute("VACUUM")
        connection.close()
        plain.append(path.read_bytes()[100:])
    assert plain[0] == plain[1]
