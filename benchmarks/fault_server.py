"""A fetch from a server that answers badly: what is stored, and how fast it asked."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
from rows import row
from tile_shard import GRID, NAME, places_of, shard_blocks, source_at, stored_tiles, write_truth

from croplayer.demo.faults import Faults
from croplayer.demo.server import Request, TileServer
from croplayer.tiles.fetch import fetch_tiles
from croplayer.tiles.image import inspect_image

RATE = 100.0
"""Requests a second that the source allows."""
FAULTS = Faults(
    server_error=0.10,
    too_many=0.05,
    truncated=0.02,
    html=0.02,
    stall=0.01,
    stall_seconds=4.0,
    retry_after_seconds=1.0,
    latency_seconds=0.02,
    most_failures=6,
)
UNDER_WAY_SECONDS = 0.1
"""Requests so soon after a 429 had left before its answer came."""


def faulty_server(side: int, seed: int) -> list[dict]:
    """Rows of a shard of side x side blocks, fetched from a server with FAULTS."""
    blocks = shard_blocks(side)
    with tempfile.TemporaryDirectory() as scratch:
        path, output = Path(scratch) / "truth.mbtiles", Path(scratch) / "fetched.mbtiles"
        truth = write_truth(path, places_of(blocks), seed=seed)
        with TileServer({NAME: path}, faults=FAULTS) as server:
            summary = fetch_tiles(
                source_name=NAME,
                source=source_at(
                    server.url, requests_per_second=RATE, concurrency=32, timeout_seconds=2.0
                ),
                grid=GRID,
                blocks=blocks,
                halo_pixels=0,
                output=output,
            )
            requests = server.requests
        stored = stored_tiles(output)
    wrong = sum(stored.get(place) != data for place, data in truth.items())
    for data in stored.values():
        inspect_image(data, tile_pixels=256, formats=("jpeg",))  # raises if it is no whole image
    seen = Counter(request.fault for request in requests if request.fault)
    what = "a server with 20 % bad answers"
    most, during = most_in_a_second(requests), during_a_pause(requests)
    return [
        row(f"tiles missing or unlike the truth, from {what}", wrong, None, 0, wrong == 0,
            len(truth), unit="tiles",
            note=f"{summary.requests} requests for {len(truth)} tiles; " + counted(seen)),
        row(f"most requests in any second, asked of {what}", most, None, RATE, most <= RATE,
            len(requests), unit="a second", note="by their arrival at the server; any second is "
            "one that begins with a request"),
        row(f"requests in the second of a Retry-After, asked of {what}", during, None, 0,
            during == 0, seen["too_many"], unit="requests",
            note=f"those of the first {UNDER_WAY_SECONDS:g} s, under way when it came, apart"),
    ]  # fmt: skip


def most_in_a_second(requests: list[Request]) -> int:
    """Largest number of arrivals in any window of a second."""
    times = np.array([request.seconds for request in requests])
    return int((np.searchsorted(times, times + 1.0, side="left") - np.arange(len(times))).max())


def during_a_pause(requests: list[Request]) -> int:
    """Arrivals while a Retry-After of the server was in force."""
    times = np.array([request.seconds for request in requests])
    total = 0
    for request in requests:
        if request.fault == "too_many":
            begin = request.seconds + FAULTS.latency_seconds + UNDER_WAY_SECONDS
            end = request.seconds + FAULTS.latency_seconds + FAULTS.retry_after_seconds
            total += int(np.searchsorted(times, end) - np.searchsorted(times, begin))
    return total


def counted(faults: Counter[str]) -> str:
    """`3 x html, 5 x stall`."""
    return ", ".join(f"{count} x {name}" for name, count in sorted(faults.items()))
