"""A full disk, told as what it is: which disk, what is free there, what to do."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cropbase.errors import CropError, DiskFullError

_FULL = {errno.ENOSPC, errno.EDQUOT}
_WORDS = ("no space left", "disk is full", "quota exceeded")
_WRITERS = {"rasterio", "pyogrio", "sqlite3", "torch"}
"""Libraries whose errors do not say that the disk is full."""
_LITTLE_BYTES = 16 * 2**20


@contextmanager
def telling_full_disk(target: Path, draft: Path | None = None) -> Iterator[None]:
    """Raise DiskFullError in place of whatever a full disk makes of writing `target`.

    GDAL and PyTorch say only that writing failed: then it is the disk if little is free there, or
    less than twice of what lies in `draft`, the folder of the temporary files (GDAL makes its last
    file from a draft, and removes what it cannot finish).
    """
    try:
        yield
    except CropError:
        raise
    except Exception as error:
        if not _says_full(error) and not (_from_writer(error) and _little_free(target, draft)):
            raise
        raise disk_full(target, error) from error


def disk_full(target: Path, error: BaseException) -> DiskFullError:
    """The message for a user whose disk was full when `target` was written."""
    return DiskFullError(
        f"the disk is full: {target} cannot be written",
        given=f"{free_space(target)} ({error})",
        remedy="free space there, or put the results on a larger disk, and run the same command "
        "again: what is finished is kept, and nothing half-written is left",
    )


def free_space(path: Path) -> str:
    """`12.3 MB of 40.0 GB free on /data`, of the disk that `path` is, or will be, on."""
    place = _existing(path)
    usage = shutil.disk_usage(place)
    while not os.path.ismount(place):
        place = place.parent
    return f"{_size(usage.free)} of {_size(usage.total)} free on {place}"


def free_bytes(path: Path) -> int:
    """Bytes that are free on the disk that `path` is, or will be, on."""
    return shutil.disk_usage(_existing(path)).free


def is_disk_full(error: BaseException) -> bool:
    """True if an error of the system, or one behind it, says that a disk or a quota is full."""
    return any(isinstance(e, OSError) and e.errno in _FULL for e in _chain(error))


def _says_full(error: BaseException) -> bool:
    said = " ".join(str(e).lower() for e in _chain(error))
    return is_disk_full(error) or any(word in said for word in _WORDS)


def _from_writer(error: BaseException) -> bool:
    # PyTorch raises a plain RuntimeError.
    return isinstance(error, RuntimeError) or any(
        type(e).__module__.split(".")[0] in _WRITERS for e in _chain(error)
    )


def _little_free(target: Path, draft: Path | None) -> bool:
    files = [] if draft is None else [path for path in draft.rglob("*") if path.is_file()]
    written = sum(path.stat().st_size for path in files)
    return free_bytes(target) < max(_LITTLE_BYTES, 2 * written)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _existing(path: Path) -> Path:
    """The path itself or the nearest folder above it that is there."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
