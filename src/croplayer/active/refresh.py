"""What of the labels must be known before any job is planned: their lock, and the round they are.

Both are written when the workflow starts, and only if the content of a label file has changed; jobs
read them.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from cropbase.atomic import write_json
from croplayer.active.findings import LabelError
from croplayer.active.lock import describe_labels, read_lock, require_files, signed
from croplayer.active.readers import label_files
from croplayer.active.rounds.store import LOCK, labels_of_run, read_rounds, round_of
from croplayer.settings.labels import LabelSettings

log = logging.getLogger(__name__)

LOCKED = ("cropland", "extents")
"""The label files behind the segmentation. The tables of block labels are small and are inputs of
their own stages."""


def refresh_labels(labels: LabelSettings, folder: Path) -> LabelSettings:
    """Bring `labels.lock` and `round.json` in `folder` up to date; both only where they change.

    Returns the label files that the run uses: those of round `labels.round`, or those that people
    edit. The number in `round.json` is `labels.round`; without it the number of the newest round if
    the label files are still the same, else the number after it.

    Raises LabelFileError if only some of the label files exist, RoundError or LabelLockError if a
    round that is used is not as it was added.
    """
    used = labels_of_run(labels)
    cache = Cache(folder / ".labels.seen")
    number = round_number(labels, cache)
    refresh_lock(used, folder / LOCK, cache)
    if number != current_round(folder):
        write_json(folder / "round.json", {"round": number})
    return used


def round_number(labels: LabelSettings, cache: Cache) -> int:
    """The number of the round that the label files of a run are (see `refresh_labels`)."""
    if labels.rounds is None:
        return labels.round or 1
    rounds = read_rounds(labels.rounds)
    if labels.round is not None:
        frozen = round_of(rounds, labels.round)
        files = frozen.files.items()
        if not all(
            path.exists() and cache.describe(path, key)["sha256"] == frozen.digests[key]
            for key, path in files
        ):
            frozen.verify()
        return labels.round
    if not rounds:
        return 1
    newest = rounds[-1]
    there = {key: path for key, path in labels.files().items() if path.exists()}
    same = all(
        cache.describe(path, key)["sha256"] == newest.digests.get(key)
        for key, path in there.items()
    )
    return newest.number if same else newest.number + 1


def refresh_lock(labels: LabelSettings, lock: Path, cache: Cache | None = None) -> bool:
    """Write `lock` anew if, and only if, the content of a label file has changed.

    Without label files nothing is written: a province may be planned and its tiles fetched before
    anyone labels. A lock that was edited by hand is written anew, with a warning.

    Returns True if the lock was written. Raises LabelFileError if only some of the files exist.
    """
    cache = cache or Cache(lock.with_name("." + lock.name + ".seen"))
    files = {key: path for key, path in labels.files().items() if key in LOCKED}
    if not any(path.exists() for path in files.values()):
        return False
    require_files(files)
    content = signed({"files": {key: cache.describe(files[key], key) for key in sorted(files)}})
    if lock.exists():
        try:
            if read_lock(lock) == content:
                return False
        except LabelError as error:
            log.warning("%s", error.problem)
    write_json(lock, content)
    log.info("labels changed: %s written", lock)
    return True


def current_round(folder: Path) -> int:
    """The number in `round.json`; 1 without: nothing is written for the first round."""
    return int(_read(folder / "round.json").get("round", 1))


class Cache:
    """What label files hold, remembered: a file untouched since the last look is not read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seen = _read(path)

    def describe(self, path: Path, key: str) -> dict[str, Any]:
        """`croplayer.active.lock.describe_labels`, from memory where nothing was touched."""
        name, stats = f"{key} {path}", _stats(path)
        known = self.seen.get(name, {})
        if known.get("stats") != stats:
            known = {"stats": stats, "entry": describe_labels(path, key)}
            self.seen[name] = known
            write_json(self.path, self.seen)
        return known["entry"]


def _stats(path: Path) -> list[list]:
    """Name, time and size of every label file and of those that belong to it.

    A shapefile keeps its attributes in a .dbf, and a GeoPackage that is open in QGIS its newest
    edits in a -wal file.
    """
    family = {
        part
        for file in label_files(path)
        for part in (*file.parent.glob(file.stem + ".*"), *file.parent.glob(file.name + "-*"), file)
    }
    return [[p.name, (s := p.stat()).st_mtime_ns, s.st_size] for p in sorted(family)]


def _read(path: Path) -> dict[str, Any]:
    """A JSON object; empty where there is none or it is damaged (then the files are read again)."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
