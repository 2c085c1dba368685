"""Write to a temporary name, then rename: a killed job leaves nothing that looks finished."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cropbase.disk import telling_full_disk


@contextmanager
def atomic_path(target: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `target`; rename it on success, delete it on failure.

    The temporary file lies in the same folder (a rename across file systems is not atomic) and
    keeps the suffix, because GDAL and GeoPandas choose their driver by it. What a killed job left
    of an earlier try is removed first. Raises DiskFullError if the disk is full.
    """
    target = Path(target)
    with telling_full_disk(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(target)
        name = tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    folder = Path(name)
    temporary = folder / target.name
    with _locked(folder):
        try:
            with telling_full_disk(target, folder):
                yield temporary
                if temporary.exists():
                    with open(temporary, "rb") as handle:
                        os.fsync(handle.fileno())
                    os.replace(temporary, target)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _locked(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the folder's lock, which the system releases when the process dies, however it dies.

    Raises BlockingIOError if another process holds it and `wait` is false.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(handle)


def _remove_leftovers(target: Path) -> None:
    """Remove the temporary folders of `target` whose writers are dead."""
    # Names are taken literally: a target may hold the signs of a glob pattern.
    start, end = f".{target.name}.", ".part"
    for entry in list(target.parent.iterdir()):
        if not (entry.name.startswith(start) and entry.name.endswith(end)):
            continue
        try:
            with _locked(entry, wait=False):
                shutil.rmtree(entry, ignore_errors=True)
        except OSError:
            continue  # its writer is alive, or it ended just now


def write_text(target: str | os.PathLike[str], text: str) -> None:
    """Write `text` as UTF-8, atomically."""
    with atomic_path(target) as path:
        path.write_text(text, encoding="utf-8")


def write_json(target: str | os.PathLike[str], value: Any) -> None:
    """Write `value` as indented JSON, atomically; keys keep their order, NaN is refused."""
    write_text(target, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
