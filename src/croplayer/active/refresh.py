"""Keep a province's label lock up to date with its label files, when the workflow starts."""

from __future__ import annotations

import json
import logging
import tempfile
from pathlib import Path

from cropbase.atomic import write_json
from croplayer.active.lock import lock_labels
from croplayer.settings.labels import LabelSettings

log = logging.getLogger(__name__)

LOCKED = ("cropland", "extents")
"""The label files behind the segmentation. The tables of block labels are small and are inputs of
their own stages."""


def refresh_lock(labels: LabelSettings, lock: Path) -> bool:
    """Write `lock` anew if, and only if, the content of a label file has changed.

    A file whose size and time are those of the last look is not read again. Without label files
    nothing is written: a province may be planned and its tiles fetched before anyone labels.

    Returns True if the lock was written. Raises LabelFileError if only some of the files exist.
    """
    files = {key: getattr(labels, key) for key in LOCKED if getattr(labels, key) is not None}
    if not any(Path(path).exists() for path in files.values()):
        return False
    seen = lock.with_name("." + lock.name + ".seen")
    look = {
        key: {"round": labels.round, "files": _stats(Path(path))}
        for key, path in files.items()
        if Path(path).exists()
    }
    if lock.exists() and len(look) == len(files) and _read(seen) == look:
        return False
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / lock.name
        content = lock_labels(files=files, output=draft, round_number=labels.round)
        changed = not lock.exists() or lock.read_bytes() != draft.read_bytes()
    if changed:
        write_json(lock, content)
        log.info("labels changed: %s written", lock)
    write_json(seen, look)
    return changed


def _stats(path: Path) -> list[list]:
    """Name, time and size of a label file and of those that belong to it.

    A shapefile keeps its attributes in a .dbf, and a GeoPackage that is open in QGIS its newest
    edits in a -wal file.
    """
    family = {*path.parent.glob(path.stem + ".*"), *path.parent.glob(path.name + "-*"), path}
    return [[p.name, (s := p.stat()).st_mtime_ns, s.st_size] for p in sorted(family)]


def _read(path: Path) -> dict | None:
    """The last look; None where there was none or it is damaged (then the files are read again)."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
