"""Hashes of files, for records."""

from __future__ import annotations

import hashlib
from pathlib import Path

from cropbase.errors import InputError


def file_sha256(path: str | Path) -> str:
    """sha256 of a file's bytes; raises InputError if it cannot be read."""
    try:
        with open(path, "rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"file {path} cannot be read", given=error) from None
