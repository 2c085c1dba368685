"""Fetching a shard's tiles beside GDAL's own TMS driver; see `--help`.

Both ask the same server for the same generated tiles, those of 14 x 14 blocks, half a shard of the
workflow: a process of its own on this machine that answers from memory 20 ms after a request
(`fast_server.py`). Ours is `croplayer.tiles.fetch_tiles` as the workflow calls it, which checks
each image and keeps a ledger; GDAL's is `gdal_translate` from a TMS description to an uncompressed,
tiled GeoTIFF. Both are whole processes, started and ended; GDAL's with the best of several numbers
of connections (`MaxConnections`, `GDAL_MAX_CONNECTIONS`), large swaths, a cache that holds the
whole image, and all threads; ours with the same numbers. Seconds are of the clock, the least of
interleaved repeats.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio

sys.path.insert(0, str(Path(__file__).parent))
from fast_server import FastServer
from rows import parse_options, row, run_cases
from tile_shard import (
    GRID,
    NAME,
    ZOOM,
    places_of,
    shard_blocks,
    source_at,
    stored_tiles,
    write_truth,
)

from croplayer.tiles.fetch import FetchSummary, fetch_tiles
from croplayer.tiles.image import decode_tile

SEED = 20
LATENCY_SECONDS = 0.02
CONNECTIONS = (32, 64, 128)
SPEED_BAR, RATE_BAR = 3.0, 0.95
HALF_WORLD = 20037508.342789244
DESCRIPTION = """<GDAL_WMS>
  <Service name="TMS"><ServerUrl>{url}/{name}/${{z}}/${{x}}/${{y}}.jpg</ServerUrl></Service>
  <DataWindow>
    <UpperLeftX>-{half}</UpperLeftX><UpperLeftY>{half}</UpperLeftY>
    <LowerRightX>{half}</LowerRightX><LowerRightY>-{half}</LowerRightY>
    <TileLevel>{zoom}</TileLevel><TileCountX>1</TileCountX><TileCountY>1</TileCountY>
    <YOrigin>top</YOrigin>
  </DataWindow>
  <Projection>EPSG:3857</Projection><BlockSizeX>256</BlockSizeX><BlockSizeY>256</BlockSizeY>
  <BandsCount>3</BandsCount><MaxConnections>{connections}</MaxConnections>
</GDAL_WMS>
"""


def main() -> None:
    if len(sys.argv) == 6 and sys.argv[1] == "fetch":  # ours, as a process of its own
        _, _, url, side, connections, output = sys.argv
        fetch(url, int(side), Path(output), rate=10_000, connections=int(connections))
        return
    options = parse_options(__doc__, full="five minutes")
    full = options.full
    cases = {
        "speed": lambda: speed(14 if full else 3, repeats=2 if full else 1),
        "rate": lambda: [
            rate(limit, 8 if full else 3) for limit in ((50, 200) if full else (200,))
        ],
        "resumed": lambda: resumed(6 if full else 3),
    }
    run_cases(cases, options, seed=SEED, packages=("aiohttp", "pillow", "rasterio"))


def fetch(url: str, side: int, output: Path, *, rate: float, connections: int) -> FetchSummary:
    """Fetch the shard of side x side blocks from a server."""
    return fetch_tiles(
        source_name=NAME,
        source=source_at(url, requests_per_second=rate, concurrency=connections),
        grid=GRID,
        blocks=shard_blocks(side),
        halo_pixels=0,
        output=output,
    )


# ---------------------------------------------------------------------- beside GDAL
def speed(side: int, repeats: int) -> dict | None:
    """Seconds of a whole shard, ours and GDAL's; None where there is no gdal_translate."""
    if shutil.which("gdal_translate") is None:
        return None
    places = places_of(shard_blocks(side))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        truth = write_truth(folder / "truth.mbtiles", places, seed=SEED)
        ours: dict[int, float] = {}
        peer: dict[int, float] = {}
        with FastServer(folder / "truth.mbtiles", LATENCY_SECONDS) as server:
            for _ in range(repeats):
                for connections in CONNECTIONS:
                    for seconds, run in ((ours, our_fetch), (peer, gdal_fetch)):
                        took = run(folder, server, side, connections)
                        seconds[connections] = min(took, seconds.get(connections, took))
        right = stored_tiles(folder / "ours.mbtiles") == truth and same_pixels(
            folder / "gdal.tif", truth
        )
    best, theirs = min(ours, key=ours.__getitem__), min(peer, key=peer.__getitem__)
    ratio = peer[theirs] / ours[best]
    return row(
        f"{len(places)} tiles, latency 20 ms, beside gdal_translate", ours[best], peer[theirs],
        SPEED_BAR, right and ratio >= SPEED_BAR, len(places), ratio=ratio,
        note=f"by number of connections: ours {listed(ours)}; {gdal_version()} {listed(peer)}; "
        + ("both brought every tile" if right else "NOT every tile came"),
    )  # fmt: skip


def our_fetch(folder: Path, server: FastServer, side: int, connections: int) -> float:
    """Seconds of a process that fetches the shard anew."""
    output = folder / "ours.mbtiles"
    output.unlink(missing_ok=True)
    command = [sys.executable, __file__, "fetch", server.url, str(side), str(connections)]
    return timed([*command, str(output)])


def gdal_fetch(folder: Path, server: FastServer, side: int, connections: int) -> float:
    """Seconds of gdal_translate for the rectangle of the shard's tiles."""
    xml = folder / "tms.xml"
    xml.write_text(
        DESCRIPTION.format(
            url=server.url, name=NAME, zoom=ZOOM, half=HALF_WORLD, connections=connections
        ),
        encoding="ascii",
    )
    x, y, width, height = rectangle(places_of(shard_blocks(side)))
    settings = {
        "GDAL_MAX_CONNECTIONS": connections,
        "GDAL_NUM_THREADS": "ALL_CPUS",
        "GDAL_CACHEMAX": 4000,
        "GDAL_SWATH_SIZE": 400_000_000,
        "GDAL_HTTP_VERSION": "1.1",
    }
    words = [word for key, value in settings.items() for word in ("--config", key, str(value))]
    window = [str(256 * number) for number in (x, y, width, height)]
    tiled = ["-co", "TILED=YES", "-co", "BLOCKXSIZE=256", "-co", "BLOCKYSIZE=256"]
    files = [str(xml), str(folder / "gdal.tif")]
    return timed(["gdal_translate", "-q", *words, "-srcwin", *window, *tiled, *files])


def timed(command: list[str]) -> float:
    """Seconds of a command of another process; it must succeed."""
    # The wheels' own tables of projections are not those of the system's GDAL.
    environment = {k: v for k, v in os.environ.items() if k not in ("PROJ_LIB", "GDAL_DATA")}
    begin = time.perf_counter()
    subprocess.run(command, check=True, env=environment)
    return time.perf_counter() - begin


def rectangle(places: list[tuple[int, int]]) -> tuple[int, int, int, int]:
    """First column and row, width and height of the tiles."""
    xs, ys = zip(*places, strict=True)
    return min(xs), min(ys), max(xs) - min(xs) + 1, max(ys) - min(ys) + 1


def same_pixels(path: Path, truth: dict[tuple[int, int], bytes]) -> bool:
    """True if a raster of the tiles' rectangle holds the tiles, up to the decoder's rounding."""
    x0, y0, _, _ = rectangle(list(truth))
    with rasterio.open(path) as dataset:
        for (x, y), data in list(truth.items())[:: max(1, len(truth) // 100)]:
            window = rasterio.windows.Window(256 * (x - x0), 256 * (y - y0), 256, 256)
            pixels = np.moveaxis(dataset.read(window=window), 0, -1).astype(int)
            if np.abs(pixels - decode_tile(data, tile_pixels=256)[0]).max() > 4:
                return False
    return True


def listed(seconds: dict[int, float]) -> str:
    """`16: 3.20 s, 64: 1.10 s`."""
    return ", ".join(f"{connections}: {value:.2f} s" for connections, value in seconds.items())


def gdal_version() -> str:
    """`GDAL 3.6.2`, of the program."""
    said = subprocess.run(["gdal_translate", "--version"], stdout=subprocess.PIPE, text=True)
    return said.stdout.split(",")[0]


# ---------------------------------------------------------------------- the rate limit
def rate(limit: int, side: int) -> dict:
    """Share of a configured rate that is reached, while no second at the server holds more."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "truth.mbtiles"
        write_truth(path, places_of(shard_blocks(side)), seed=SEED)
        with FastServer(path, LATENCY_SECONDS) as server:
            fetch(server.url, side, Path(scratch) / "out.mbtiles", rate=limit, connections=32)
            times = np.array([seconds for seconds, _ in server.requests()])
    reached = (len(times) - 1) / (times[-1] - times[0]) / limit
    most = int((np.searchsorted(times, times + 1.0) - np.arange(len(times))).max())
    return row(
        f"share of {limit} requests a second that is reached", reached, None, RATE_BAR,
        reached >= RATE_BAR and most <= limit, len(times), unit="of the limit",
        note=f"at the server, at most {most} requests in any second",
    )  # fmt: skip


# ---------------------------------------------------------------------- a resumed shard
def resumed(side: int) -> list[dict]:
    """Requests for tiles that are stored: after a kill in mid-download, and once all are there."""
    places = places_of(shard_blocks(side))
    with tempfile.TemporaryDirectory() as scratch:
        path, output = Path(scratch) / "truth.mbtiles", Path(scratch) / "out.mbtiles"
        truth = write_truth(path, places, seed=SEED)
        with FastServer(path, LATENCY_SECONDS) as server:
            kept = killed_halfway(server, side, output, len(places))
            fetch(server.url, side, output, rate=10_000, connections=32)
            asked = [tile_of(name) for _, name in server.requests()]
            fetch(server.url, side, output, rate=10_000, connections=32)
            again = len(server.requests())
        whole = stored_tiles(output) == truth
    twice = len(kept & set(asked))
    what = f"of a shard of {len(places)} tiles"
    return [
        row(f"stored tiles asked for again {what}, killed half-way", twice, None, 0,
            whole and twice == 0 and 0 < len(kept) < len(places), len(places), unit="requests",
            note=f"{len(kept)} tiles were stored, {len(asked)} were asked for"),
        row(f"requests {what} that is finished", again, None, 0, whole and again == 0,
            len(places), unit="requests"),
    ]  # fmt: skip


def killed_halfway(server: FastServer, side: int, output: Path, tiles: int) -> set[tuple[int, int]]:
    """Kill a fetch once half of the tiles were asked for; the tiles it had stored."""
    command = [sys.executable, __file__, "fetch", server.url, str(side), "4", str(output)]
    process = subprocess.Popen(command)
    asked = 0
    try:
        while asked < tiles / 2:
            if process.poll() is not None:
                raise SystemExit("the fetch ended before it could be killed")
            time.sleep(0.05)
            asked += len(server.requests())
    finally:
        process.kill()
        process.wait()
    time.sleep(2 * LATENCY_SECONDS)
    server.requests()
    return set(stored_tiles(output.with_name(output.name + ".partial")))


def tile_of(path: str) -> tuple[int, int]:
    """(x, y) of a requested path."""
    x, y = path.removesuffix(".jpg").split("/")[-2:]
    return int(x), int(y)


if __name__ == "__main__":
    main()
