"""The workflow killed in mid-download and in mid-inference ends with the bytes of a quiet run."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from killing import kill_all
from small_demo import SMALL, digests, small_demo
from workspaces import Workspace

from croplayer.tiles.ledger import PAGE_BYTES

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("demo"), pytest.mark.timeout(900)]

# Up to the final map: figures and reports have no part in this.
DEMO = ["-m", "croplayer.demo", "--cores", "2", "--", "--until", "integrate_shard"]
PATIENCE_SECONDS = 300


@pytest.fixture(scope="module")
def quiet(tmp_path_factory, request) -> Workspace:
    """The same small demo, run without a disturbance."""
    return small_demo(tmp_path_factory, request)


def kill_when(workspace: Workspace, ready: Callable[[Path], bool]) -> None:
    """Start the demo and kill it, with all its jobs, as soon as `ready` (of its results)."""
    process = workspace.start(DEMO)
    end = time.monotonic() + PATIENCE_SECONDS
    try:
        while not ready(workspace.folder / "results" / "demo"):
            assert process.poll() is None, process.stdout.read()
            assert time.monotonic() < end, "the moment to kill never came"
            time.sleep(0.01)
    finally:
        kill_all(process, workspace)


def stored(path: Path) -> int:
    """Tiles in an MBTiles file that nobody is writing, finished or not."""
    with closing(sqlite3.connect(path)) as database:
        return database.execute("SELECT count(*) FROM tiles").fetchone()[0]


def tiles(workspace: Workspace) -> dict[str, str]:
    """{file: sha256 of all its tiles in order}; the ledger's times differ from run to run."""
    found = {}
    root = workspace.folder / "results" / "demo" / "tiles"
    for path in sorted(root.rglob("*.mbtiles")):
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            rows = database.execute(
                "SELECT zoom_level, tile_column, tile_row, tile_data FROM tiles ORDER BY 1, 2, 3"
            )
            content = hashlib.sha256()
            for *place, data in rows:
                content.update(repr(place).encode() + data)
        found[str(path.relative_to(root))] = content.hexdigest()
    return found


def test_a_killed_run_ends_with_the_same_bytes(quiet, tmp_path):
    workspace = Workspace(tmp_path / "killed")
    workspace.configure("demo", SMALL)

    def downloading(results: Path) -> bool:
        # The download holds its database exclusively; tiles kept so far stand in its journal, after
        # seven pages of tables and plan.
        journals = results.glob("tiles/summer/*.partial-wal")
        return any(path.stat().st_size > 12 * PAGE_BYTES for path in journals)

    def segmenting(results: Path) -> bool:
        return any(results.glob("probability/*/.*.part/*.tif"))

    # A slow download, so that the kill comes in the middle of it; the rate reruns nothing.
    workspace.configure("demo", {"sources": {"summer": {"requests_per_second": 10}}})
    kill_when(workspace, downloading)
    results = workspace.folder / "results" / "demo"
    (interrupted, *_) = results.glob("tiles/summer/*.partial")
    kept = stored(interrupted)
    assert kept > 0
    assert not interrupted.with_suffix("").exists()

    workspace.configure("demo", {"sources": {"summer": {"requests_per_second": 400}}})
    kill_when(workspace, segmenting)
    whole = stored(interrupted.with_suffix(""))
    assert whole > kept
    assert (results / "segmentation" / "model" / "model.safetensors").exists()
    assert len(list(results.glob("mask/*/*.tif"))) < len(list(results.glob("mosaic/*/*.tif")))
    assert list(results.glob("probability/*/.*.part")), "killed before anything was written"
    assert not list((results / "map").glob("*"))

    finished = workspace.run(DEMO)
    assert finished.returncode == 0, finished.stdout[-6000:]
    assert not list(results.rglob(".*.part")), "what the kill left half-written is gone"
    assert tiles(workspace) == tiles(quiet)
    assert digests(workspace) == digests(quiet)
