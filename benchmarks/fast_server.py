"""A tile server that is not what one measures: from memory, in a process of its own, with a log.

`fast_server.py MBTILES LATENCY_SECONDS` prints its port. `/log` answers with all requests since the
last time as JSON, `[[seconds of arrival, path], ...]`.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import uvloop
from tile_shard import NAME, ZOOM, stored_tiles

HEAD = b"HTTP/1.1 %d OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"


class Connection(asyncio.Protocol):
    """One connection of HTTP/1.1: requests without bodies, answered in order."""

    def __init__(self, tiles: dict[str, bytes], latency: float, log: list) -> None:
        self.tiles, self.latency, self.log = tiles, latency, log
        self.pending = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.pending += data
        while (end := self.pending.find(b"\r\n\r\n")) >= 0:
            path = self.pending.split(b" ", 2)[1].decode()
            self.pending = self.pending[end + 4 :]
            self.answer(path)

    def answer(self, path: str) -> None:
        """Send a tile after the latency, the log at once."""
        if path == "/log":
            body, status, kind = json.dumps(self.log).encode(), 200, b"application/json"
            self.log.clear()
            self.transport.write(HEAD % (status, kind, len(body)) + body)
            return
        self.log.append((time.monotonic(), path))
        tile = self.tiles.get(path)
        body = b"" if tile is None else tile
        head = HEAD % (404 if tile is None else 200, b"image/jpeg", len(body))
        asyncio.get_running_loop().call_later(self.latency, self.send, head + body)

    def send(self, answer: bytes) -> None:
        """Send, unless whoever asked has been killed meanwhile."""
        if not self.transport.is_closing():
            self.transport.write(answer)


async def serve(path: Path, latency: float) -> None:
    """Serve the tiles of an MBTiles file until killed."""
    tiles = {f"/{NAME}/{ZOOM}/{x}/{y}.jpg": data for (x, y), data in stored_tiles(path).items()}
    log: list[tuple[float, str]] = []
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(tiles, latency, log), "127.0.0.1", 0, backlog=512
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


class FastServer:
    """The server in its own process. Use as a context manager."""

    def __init__(self, path: Path, latency: float) -> None:
        command = [sys.executable, __file__, str(path), str(latency)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}"

    def requests(self) -> list[tuple[float, str]]:
        """(seconds of arrival, path) of all requests since the last call."""
        with urllib.request.urlopen(f"{self.url}/log") as answer:
            return [(seconds, path) for seconds, path in json.load(answer)]

    def __enter__(self) -> FastServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1]), float(sys.argv[2])))
