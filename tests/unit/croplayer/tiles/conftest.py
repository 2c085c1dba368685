"""A small tile server with faults on demand, and imagery of known values."""

from __future__ import annotations

import io
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tile_files import HALO

from croplayer.grid import Block, BlockGrid
from croplayer.settings.sources import XyzSource
from croplayer.tiles import FetchSummary, fetch_tiles


def scene(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Smooth grey values of red, green and blue at world pixels; waves of 30 to 90 pixels."""
    bands = [
        127 + 60 * np.sin(x / 11.0) * np.cos(y / 9.0) + 30 * np.sin((x + y) / 15.0),
        120 + 70 * np.cos(x / 8.0 + 1.0) * np.sin(y / 13.0),
        130 + 50 * np.sin(x / 14.0 - y / 10.0) + 40 * np.cos(y / 7.0),
    ]
    return np.clip(np.rint(np.stack(bands, axis=-1)), 0, 255).astype(np.uint8)


def tile_pixels(x: int, y: int, size: int = 256) -> np.ndarray:
    """The scene in one tile, uint8 (rows, columns, 3)."""
    cols, rows = np.meshgrid(x * size + np.arange(size) + 0.5, y * size + np.arange(size) + 0.5)
    return scene(cols, rows)


def encode(pixels: np.ndarray, kind: str = "png") -> bytes:
    """An image file of pixels (rows, columns, 3 or 4)."""
    buffer = io.BytesIO()
    options = {"quality": 90} if kind == "jpeg" else {"compress_level": 1} if kind == "png" else {}
    Image.fromarray(pixels).save(buffer, kind.upper(), **options)
    return buffer.getvalue()


class TileServer:
    """Serves `image(z, x, y)`, writes down every request, and fails as told.

    `faults[(x, y)]` is a list of functions of the request handler; the first is taken for the
    first request of the tile, and so on; when it is empty the image is sent.
    """

    def __init__(self) -> None:
        self.log: list[tuple[float, str, dict[str, str]]] = []
        self.faults: dict[tuple[int, int], list[Callable[[Any], None]]] = defaultdict(list)
        self.always: Callable[[Any], None] | None = None
        self.delay_seconds = 0.0
        self.image: Callable[[int, int, int], bytes] = lambda z, x, y: encode(tile_pixels(x, y))
        self.lock = threading.Lock()
        self._images: dict[tuple[int, int, int], bytes] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                z, x, y = outer.place(self.path)
                with outer.lock:
                    outer.log.append((time.monotonic(), self.path, dict(self.headers)))
                    waiting = outer.faults[(x, y)]
                    fault = waiting.pop(0) if waiting else outer.always
                if outer.delay_seconds:
                    time.sleep(outer.delay_seconds)
                if fault is not None:
                    fault(self)
                    return
                self.send(outer.bytes_of(z, x, y), {"ETag": f'"{z}-{x}-{y}"'})

            def send(
                self, body: bytes, headers: dict[str, str] | None = None, status: int = 200
            ) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                return

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_: object) -> None:
                return  # a client that was killed is part of the tests

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    @staticmethod
    def place(path: str) -> tuple[int, int, int]:
        """(z, x, y) of a requested path /z/x/y.png."""
        z, x, y = path.split("?")[0].removesuffix(".png").strip("/").split("/")
        return int(z), int(x), int(y)

    def bytes_of(self, z: int, x: int, y: int) -> bytes:
        if (z, x, y) not in self._images:
            self._images[(z, x, y)] = self.image(z, x, y)
        return self._images[(z, x, y)]

    def asked(self) -> list[tuple[int, int]]:
        """(x, y) of every request, in order."""
        with self.lock:
            return [self.place(path)[1:] for _, path, _ in self.log]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    # ------------------------------------------------------------------ faults
    @staticmethod
    def status(code: int, headers: dict[str, str] | None = None, body: bytes = b"no") -> Callable:
        return lambda handler: handler.send(body if code not in (204, 304) else b"", headers, code)

    @staticmethod
    def body(data: bytes, headers: dict[str, str] | None = None) -> Callable:
        return lambda handler: handler.send(data, headers)

    @staticmethod
    def reset(handler: Any) -> None:
        """Break the connection without a word."""
        handler.connection.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00"
        )
        handler.close_connection = True
        handler.connection.close()

    @staticmethod
    def stall(seconds: float) -> Callable:
        return lambda handler: (time.sleep(seconds), TileServer.reset(handler))

    @staticmethod
    def short(handler: Any) -> None:
        """Announce more bytes than are sent."""
        handler.send_response(200)
        handler.send_header("Content-Length", "5000")
        handler.end_headers()
        handler.wfile.write(b"\x89PNG\r\n\x1a\n" + b"0" * 100)
        handler.close_connection = True


@pytest.fixture
def server() -> Iterator[TileServer]:
    """A tile server on this machine."""
    made = TileServer()
    yield made
    made.close()


@pytest.fixture
def grid() -> BlockGrid:
    """Blocks of 0.05 degrees with 288 pixels: about the pixels of zoom 13."""
    return BlockGrid(block_degrees=0.05, pixels_per_block=288, shard_degrees=0.1)


@pytest.fixture
def make_source(server: TileServer) -> Callable[..., XyzSource]:
    """An XyzSource of the local server, quick to retry; keywords override."""

    def make(**changes: Any) -> XyzSource:
        values: dict[str, Any] = {
            "url": f"http://127.0.0.1:{server.port}/{{z}}/{{x}}/{{y}}.png",
            "zoom": 13,
            "terms_accepted": True,
            "requests_per_second": 2000,
            "concurrency": 8,
            "timeout_seconds": 1.0,
            "max_attempts": 4,
            "initial_backoff_seconds": 0.01,
            "max_backoff_seconds": 0.05,
            "attribution": "a generated scene",
            "generated": True,
        }
        return XyzSource(**{**values, **changes})

    return make


@pytest.fixture
def imagery() -> Any:
    """Functions of the generated scene: `scene`, `tile_pixels`, `encode`."""

    class Functions:
        pass

    functions = Functions()
    functions.scene, functions.tile_pixels, functions.encode = scene, tile_pixels, encode
    return functions


@pytest.fixture
def blocks(grid: BlockGrid) -> list[Block]:
    return [grid.block_at(112.31, 23.11), grid.block_at(112.36, 23.11)]


@pytest.fixture
def fetch(tmp_path: Path, grid: BlockGrid, blocks: list[Block]) -> Callable[..., FetchSummary]:
    def run(source: XyzSource, **changes: Any) -> FetchSummary:
        values: dict[str, Any] = {
            "source_name": "scene",
            "source": source,
            "grid": grid,
            "blocks": blocks,
            "halo_pixels": HALO,
            "output": tmp_path / "a.mbtiles",
        }
        return fetch_tiles(**{**values, **changes})

    return run
