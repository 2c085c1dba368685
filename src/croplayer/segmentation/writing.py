"""Writing rasters beside the computation that makes them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from rasterio.windows import Window

from cropbase.rasters import write_cog

_END = None
_PATIENCE_SECONDS = 0.5


class CogWriter:
    """A COG that a thread of its own compresses and writes, window by window.

    Used as a context manager: leaving it waits for the file; leaving it by an error throws the
    file away. `put` waits while `ahead` windows are unwritten, so a slow disk slows the computation
    instead of filling the memory.

    Parameters
    ----------
    path, raster : as for `cropbase.rasters.write_cog`, whose errors `put` and the exit raise.
    """

    def __init__(self, path: Path, *, ahead: int = 2, **raster: Any) -> None:
        self.path, self._raster = Path(path), raster
        self._windows: queue.Queue[tuple[Window, np.ndarray] | None] = queue.Queue(ahead)
        self._thrown_away = threading.Event()
        self._pool: ThreadPoolExecutor | None = None
        self._written: Future[None] | None = None

    def __enter__(self) -> CogWriter:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._written = self._pool.submit(write_cog, self.path, self._items(), **self._raster)
        return self

    def put(self, window: Window, array: np.ndarray) -> None:
        """Hand over a window; array (bands, rows, columns)."""
        self._put((window, array))

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._thrown_away.set()
        try:
            if kind is None:
                self._put(_END)
                self._written.result()
        finally:
            self._pool.shutdown()

    def _put(self, item: tuple[Window, np.ndarray] | None) -> None:
        while True:
            if self._written.done():
                self._written.result()  # raises what ended the writing
            try:
                self._windows.put(item, timeout=_PATIENCE_SECONDS)
                return
            except queue.Full:
                continue

    def _items(self) -> Iterator[tuple[Window, np.ndarray]]:
        while True:
            try:
                item = self._windows.get(timeout=_PATIENCE_SECONDS)
            except queue.Empty:
                if self._thrown_away.is_set():
                    raise _ThrownAwayError from None
                continue
            if self._thrown_away.is_set():
                raise _ThrownAwayError
            if item is _END:
                return
            yield item


class _ThrownAwayError(Exception):
    """Ends the writing of a file that is not wanted any more; never leaves the writer's thread."""
