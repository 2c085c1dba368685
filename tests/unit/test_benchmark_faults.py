"""What the benchmarks of faults conclude: which outputs count as the same, and how requests are counted."""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
import fault_compare
import fault_server
import tile_shard

from croplayer.demo.server import Request

LEDGER = "UPDATE ledger SET fetched_at = 'later', attempts = 9"


@pytest.fixture
def two_runs(tmp_path) -> tuple[Path, Path]:
    """The outputs of a run, twice: a tile file, a table, JSON, a benchmark."""
    one, other = tmp_path / "one", tmp_path / "other"
    (one / "demo" / "benchmarks").mkdir(parents=True)
    places = [(5, 6), (5, 7)]
    tile_shard.write_truth(one / "a.mbtiles", places, seed=1)
    with closing(sqlite3.connect(one / "a.mbtiles")) as database:
        for x, y in places:
            database.execute(
                "INSERT INTO ledger VALUES (16, ?, ?, 'stored', '', 'jpeg', 'f', 9, 1, 'now', '', '')",
                (x, y),
            )
        database.commit()
    (one / "history.csv").write_text("step,loss,seconds\n1,0.5,2.0\n")
    (one / "card.json").write_text(json.dumps({"iou": 0.5, "run": {"wall_seconds": 3.0}}))
    (one / "demo" / "benchmarks" / "a.tsv").write_text("s\th:m:s\n1.0\t0:00:01\n")
    seen = {"cropland a.gpkg": {"stats": [["a.gpkg", 17, 200]], "entry": {"sha256": "f"}}}
    (one / ".labels.seen").write_text(json.dumps(seen))
    (one / "report.html").write_text(
        "<dd>croplayer 0.1.0, commit a49803af39f3 with changes</dd><dd>97 ha</dd>"
        "<dt>Newest input</dt><dd>2026-11-21</dd>"
    )
    (one / "workflow.html").write_text("run at noon")
    (one / "map.tif").write_bytes(b"pixels")
    shutil.copytree(one, other)
    return one, other


def change(path, before, after):
    path.write_text(path.read_text().replace(before, after))


def sql(path, statement):
    with closing(sqlite3.connect(path)) as database:
        database.execute(statement)
        database.commit()


def test_the_same_bytes_are_the_same(two_runs):
    found = fault_compare.compared(*two_runs)
    assert (found.identical, sum(found.equal.values()), found.differing) == (8, 0, [])


def test_times_alone_make_no_difference(two_runs):
    _, other = two_runs
    sql(other / "a.mbtiles", LEDGER)
    change(other / "history.csv", "2.0", "9.0")
    change(other / "card.json", "3.0", "9.0")
    change(other / ".labels.seen", "17", "18")
    change(other / "demo" / "benchmarks" / "a.tsv", "1.0", "9.0")
    change(other / "report.html", "a49803af39f3 with changes", "c339bee62830")
    change(other / "report.html", "2026-11-21", "2026-11-22")
    change(other / "workflow.html", "noon", "night")
    found = fault_compare.compared(*two_runs)
    assert (found.identical, sum(found.equal.values()), found.differing) == (1, 7, [])


@pytest.mark.parametrize(
    ("name", "spoil"),
    {
        "a.mbtiles": lambda p: sql(p, "UPDATE images SET tile_data = x'00' WHERE tile_id = '5/6'"),
        "history.csv": lambda p: change(p, "0.5", "0.6"),
        "card.json": lambda p: change(p, "0.5", "0.6"),
        "demo/benchmarks/a.tsv": lambda p: change(p, "h:m:s", "other"),
        ".labels.seen": lambda p: change(p, "200", "201"),
        "report.html": lambda p: change(p, "97 ha", "98 ha"),
        "map.tif": lambda p: p.write_bytes(b"other"),
        "missing.tif": lambda p: p.write_bytes(b"one too many"),
        ".map.tif.x.part": lambda p: p.write_bytes(b"half"),
    }.items(),
)
def test_other_differences_are_found(two_runs, name, spoil):
    spoil(two_runs[1] / name)
    assert fault_compare.compared(*two_runs).differing == [name]


def test_what_is_half_written_counts_although_both_have_it(two_runs):
    for folder in two_runs:
        (folder / "a.tif.partial").write_bytes(b"half")
    assert fault_compare.compared(*two_runs).differing == ["a.tif.partial"]


def test_the_busiest_second_by_brute_force():
    times = np.sort(np.random.default_rng(3).uniform(0, 20, 400))
    requests = [Request(seconds, "/", 200, None) for seconds in times]
    most = max(((times >= t) & (times < t + 1)).sum() for t in times)
    assert fault_server.most_in_a_second(requests) == most


def test_requests_in_a_pause_are_counted():
    begin = fault_server.FAULTS.latency_seconds
    times = [0.0, begin + 0.05, begin + 0.5, begin + 0.99, begin + 1.01]
    faults = ["too_many", None, None, None, None]
    requests = [Request(s, "/", 200, fault) for s, fault in zip(times, faults, strict=True)]
    assert fault_server.during_a_pause(requests) == 2


def test_a_block_from_a_faulty_server_is_whole():
    tiles, busiest, _ = fault_server.faulty_server(1, seed=20)
    assert tiles["passed"], tiles
    assert tiles["size"] > 90 and "server_error" in tiles["note"]
    # Client and server share this process: on a busy machine requests arrive unevenly.
    assert busiest["ours"] <= 1.2 * fault_server.RATE
