"""How files of one stage are told apart: by their folder's name, the source."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from cropbase.errors import InputError


def by_source(files: Iterable[str | Path], sources: Sequence[str]) -> dict[str, list[Path]]:
    """Group shard files `.../<source>/<shard>.*` by source, in the order of `sources`.

    Raises InputError for a file whose folder is no source.
    """
    groups: dict[str, list[Path]] = {source: [] for source in sources}
    for file in map(Path, files):
        if file.parent.name not in groups:
            raise InputError(f"{file} belongs to no source", allowed=", ".join(sources))
        groups[file.parent.name].append(file)
    return groups
