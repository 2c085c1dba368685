"""A small XYZ tile server on this machine, for the generated imagery and for any RGB raster.

It exists so that the demo and the tests go through the real download path. It listens on the
loopback interface only.

    python -m croplayer.demo.server results/demo/generated --port 8123

It can also serve just as long as another command runs, which finds its address in the environment:

    python -m croplayer.demo.server imagery --variable CROPLAYER_TILE_SERVER -- snakemake ...
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType

from cropbase.errors import CropError, InputError
from croplayer.demo.faults import HTML_PAGE, Faults, half_size, placeholder_image
from croplayer.demo.tile_sources import MAX_ZOOM, TileSource, open_sources

HOST = "127.0.0.1"
_PATH = re.compile(r"^/([A-Za-z0-9_.-]+)/(\d{1,2})/(\d{1,7})/(\d{1,7})\.(png|jpg|jpeg)$")
_KINDS = ((b"\x89PNG", "image/png"), (b"\xff\xd8", "image/jpeg"), (b"RIFF", "image/webp"))


@dataclass(frozen=True)
class Request:
    """One answered request. seconds : time.monotonic() at its arrival. status 0: no answer."""

    seconds: float
    path: str
    status: int
    fault: str | None


class TileServer:
    """Serves `/{source}/{z}/{x}/{y}.png` while it is open.

    Tiles keep the format in which they are stored, whatever the suffix asks for; rasters are
    served as PNG. 404: no data there, no such source, no such tile. 304: the client's
    If-None-Match names the tile's ETag.

    Parameters
    ----------
    where : folder (see `open_sources`), or mapping of source name to MBTiles or raster file.
    port : 0 takes a free one.
    faults : what goes wrong on purpose; None: nothing.

    Raises InputError if there is nothing to serve or the port is taken.
    """

    def __init__(
        self,
        where: Path | str | Mapping[str, Path | str],
        port: int = 0,
        faults: Faults | None = None,
    ) -> None:
        self._sources = open_sources(where)
        self.faults = faults or Faults()
        self._requests: list[Request] = []
        self._attempts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.closing = threading.Event()
        try:
            self._http = _Server((HOST, port), self)
        except OSError as error:
            self._close_sources()
            raise InputError(
                f"the tile server cannot listen on port {port}",
                given=error.strerror,
                remedy="choose another port, or 0 for a free one",
            ) from None
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that the server listens on."""
        return int(self._http.server_address[1])

    @property
    def url(self) -> str:
        """Address without a slash at its end; a tile is at `{url}/{source}/{z}/{x}/{y}.png`."""
        return f"http://{HOST}:{self.port}"

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the sources, sorted."""
        return tuple(sorted(self._sources))

    @property
    def requests(self) -> list[Request]:
        """All requests so far, in the order of their arrival."""
        with self._lock:
            return sorted(self._requests, key=lambda request: request.seconds)

    def clear(self) -> None:
        """Forget the requests and attempts so far."""
        with self._lock:
            self._requests.clear()
            self._attempts.clear()

    def source(self, name: str) -> TileSource | None:
        """The source of a name, if there is one."""
        return self._sources.get(name)

    def attempt(self, path: str) -> int:
        """Number of earlier requests for `path`; this one is counted."""
        with self._lock:
            self._attempts[path] += 1
            return self._attempts[path] - 1

    def record(self, request: Request) -> None:
        """Add to the request log."""
        with self._lock:
            self._requests.append(request)

    def close(self) -> None:
        """Stop listening, end stalled answers and free the files."""
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
        self._close_sources()

    def _close_sources(self) -> None:
        for source in self._sources.values():
            source.close()

    def __enter__(self) -> TileServer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Clients open many connections at once.
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], owner: TileServer) -> None:
        self.owner = owner
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(address, _Handler)

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        connection, address = super().get_request()
        with self._open_lock:
            self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: socket.socket) -> None:
        with self._open_lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        # Idle kept-alive connections would hold their threads, and these are waited for.
        with self._open_lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # the client was faster
        super().server_close()

    def handle_error(self, request: socket.socket, client_address: tuple[str, int]) -> None:
        error = sys.exception() if hasattr(sys, "exception") else sys.exc_info()[1]
        if not isinstance(error, ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "CropLayerDemoTiles"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def do_GET(self) -> None:
        """Answer with a tile or with a fault."""
        arrival = time.monotonic()
        owner = self.server.owner
        faults = owner.faults
        if faults.latency_seconds:
            owner.closing.wait(faults.latency_seconds)
        path = self.path.split("?", 1)[0]
        found = _PATH.match(path)
        if path == "/":
            status, fault = self._index(), None
        elif not found:
            status, fault = self._send(404, b"no such path\n", "text/plain"), None
        else:
            fault = faults.draw(path, owner.attempt(path))
            source = owner.source(found[1])
            zoom, x, y = (int(part) for part in found.groups()[1:4])
            inside = zoom <= MAX_ZOOM and x < 2**zoom and y < 2**zoom
            data = source.tile(zoom, x, y) if source and inside else None
            status = self._tile(data) if fault is None else self._fail(fault, data)
        owner.record(Request(arrival, self.path, status, fault))

    do_HEAD = do_GET  # noqa: N815 - the name that http.server looks for

    def _index(self) -> int:
        listing = {"sources": self.server.owner.sources, "path": "/{source}/{z}/{x}/{y}.png"}
        return self._send(200, json.dumps(listing).encode() + b"\n", "application/json")

    def _tile(self, data: bytes | None) -> int:
        if data is None:
            return self._send(404, b"no data\n", "text/plain")
        tag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
        wanted = self.headers.get("If-None-Match", "")
        if wanted == "*" or tag in (t.strip().removeprefix("W/") for t in wanted.split(",")):
            return self._send(304, b"", None, {"ETag": tag})
        kind = next((k for head, k in _KINDS if data.startswith(head)), "application/octet-stream")
        return self._send(200, data, kind, {"ETag": tag, "Cache-Control": "max-age=3600"})

    def _fail(self, fault: str, data: bytes | None) -> int:
        faults = self.server.owner.faults
        image = data or placeholder_image()
        if fault == "server_error":
            return self._send(500, b"an error made on purpose\n", "text/plain")
        if fault == "too_many":
            wait = f"{faults.retry_after_seconds:g}"
            return self._send(429, b"slow down\n", "text/plain", {"Retry-After": wait})
        if fault == "html":
            return self._send(200, HTML_PAGE, "text/html")
        if fault == "placeholder":
            return self._tile(placeholder_image())
        if fault == "truncated":
            return self._send(200, image[: len(image) // 2], "image/png")
        if fault == "wrong_size":
            return self._send(200, half_size(image), "image/png")
        if fault == "stall":
            self.server.owner.closing.wait(faults.stall_seconds)
            self.close_connection = True
            return 0
        return self._reset(image)

    def _reset(self, image: bytes) -> int:
        """Begin an answer, then reset the connection (RST instead of FIN)."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n")
        self.wfile.write(f"Content-Length: {len(image)}\r\n\r\n".encode() + image[:64])
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        os.close(self.connection.detach())
        return 0

    def _send(
        self, status: int, body: bytes, kind: str | None, extra: dict[str, str] | None = None
    ) -> int:
        self.send_response(status)
        if kind:
            self.send_header("Content-Type", kind)
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        for name, value in (extra or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        return status

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet: `TileServer.requests` is the log."""


def main(arguments: list[str] | None = None) -> int:
    """Command line: serve a folder until interrupted, or as long as a given command runs."""
    parser = argparse.ArgumentParser(
        prog="python -m croplayer.demo.server",
        description="Serve generated imagery (or any RGB raster) as web-map tiles, on this "
        "machine only. With `-- COMMAND ...` at the end: as long as that command runs, and with "
        "its exit code.",
    )
    parser.add_argument(
        "folder", type=Path, help="folder of the generated province, or of MBTiles and GeoTIFFs"
    )
    parser.add_argument("--port", type=int, default=8123, help="port; 0: a free one")
    parser.add_argument(
        "--latency-ms", type=float, default=0.0, help="wait before every answer, milliseconds"
    )
    parser.add_argument(
        "--variable",
        default="CROPLAYER_TILE_SERVER",
        help="environment variable in which COMMAND finds the server's address "
        "(default: %(default)s)",
    )
    own, command = _split(sys.argv[1:] if arguments is None else arguments)
    given = parser.parse_args(own)
    faults = Faults(latency_seconds=given.latency_ms / 1000)
    try:
        with TileServer(given.folder, given.port, faults) as server:
            if command:
                return _run(command, {**os.environ, given.variable: server.url})
            print(f"{', '.join(server.sources)}: {server.url}/SOURCE/Z/X/Y.png (Ctrl-C ends)")
            sys.stdout.flush()
            threading.Event().wait()
    except CropError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


def _split(words: list[str]) -> tuple[list[str], list[str]]:
    """What stands before the first `--`, and what stands after it."""
    place = words.index("--") if "--" in words else len(words)
    return words[:place], words[place + 1 :]


def _run(command: list[str], environment: dict[str, str]) -> int:
    """Exit code of a command. Raises InputError if there is no such command."""
    try:
        return subprocess.run(command, env=environment, check=False).returncode
    except OSError as error:
        raise InputError(
            f"command {command[0]!r} cannot be run",
            given=error.strerror,
            remedy="check its name and PATH",
        ) from None


if __name__ == "__main__":
    sys.exit(main())
