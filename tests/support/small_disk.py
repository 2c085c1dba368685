"""A small disk for tests of a full one: a file system in memory, mounted for as long as it is used."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, kib: int) -> Iterator[Path]:
    """Mount a disk of so many KiB at `folder`; skips the test where nothing may be mounted."""
    folder.mkdir(parents=True, exist_ok=True)
    if not _mounted(["-t", "tmpfs", "-o", f"size={kib}k", "croplayer-test", str(folder)]):
        pytest.skip("mounting a small disk is not allowed here (root of a Linux machine may)")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def grow(folder: Path, kib: int) -> None:
    """Make a mounted small disk larger; what lies on it stays."""
    assert _mounted(["-o", f"remount,size={kib}k", str(folder)])


def _mounted(words: list[str]) -> bool:
    try:
        return subprocess.run(["mount", *words], capture_output=True, check=False).returncode == 0
    except OSError:
        return False  # no such program
