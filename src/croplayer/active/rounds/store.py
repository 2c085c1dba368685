"""The folder of a province's rounds: adding one, reading them, and what can be wrong with them.

A round is a folder `<labels.rounds>/<number>/` with a copy of every label file (a folder a key) and
`labels.lock`: the content of each file, its counts, the parent round, the authors. Nothing in it
ever changes. The lock of the parent stands in the lock of its child, so a round that was replaced
is found out.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from cropbase.atomic import write_json
from croplayer.active.checks import texts
from croplayer.active.findings import LabelError
from croplayer.active.lock import (
    LabelPaths,
    describe_labels,
    read_lock,
    require_files,
    signed,
    verify_lock,
)
from croplayer.active.readers import read_vector
from croplayer.active.rounds.copies import copy_labels
from croplayer.active.tables import TABLES, read_rows
from croplayer.settings.labels import KEYS, LabelSettings

LOCK = "labels.lock"
PUT_BACK = "put the folder back from a copy; to change labels edit the label files and add a round"


class RoundError(LabelError):
    """A round cannot be added, or the folder of rounds is not as it was left."""


@dataclass(frozen=True)
class Round:
    """One round: its number, folder, and the content of its lock."""

    number: int
    folder: Path
    lock: Mapping[str, Any]

    @property
    def files(self) -> dict[str, Path]:
        """The frozen label files (or folders) by key."""
        return {key: self.folder / entry["path"] for key, entry in self.lock["files"].items()}

    @property
    def digests(self) -> dict[str, str]:
        """sha256 of the content of each label file by key."""
        return {key: entry["sha256"] for key, entry in self.lock["files"].items()}

    def verify(self) -> None:
        """Raise LabelLockError if the frozen files are not those of the lock."""
        verify_lock(lock=self.folder / LOCK, files=self.files, remedy=PUT_BACK)


def read_rounds(folder: Path) -> list[Round]:
    """All rounds of a folder, by number; [] if there is none yet.

    Raises RoundError or LabelLockError: two folders are one round, a folder is not named as its
    round, a lock was edited, a parent is gone or is another.
    """
    folder = Path(folder)
    places = sorted(p for p in folder.glob("*") if p.is_dir() and p.name[0] != ".")
    for place in places:
        if place.name.isdecimal() and not (place / LOCK).exists():
            raise RoundError(f"round {place} has no {LOCK}", remedy=PUT_BACK)
    found: dict[int, Round] = {}
    for place in places:
        if not (place / LOCK).exists():
            continue
        lock = read_lock(place / LOCK, remedy=PUT_BACK)
        number = int(lock["round"])
        if number in found:
            raise RoundError(
                f"two folders are round {number}: {found[number].folder} and {place}",
                remedy=f"move the one that is a copy out of {folder}",
            )
        found[number] = Round(number, place, lock)
    rounds = [found[number] for number in sorted(found)]
    for one in rounds:
        if one.folder.name != str(one.number):
            raise RoundError(
                f"folder {one.folder} holds the lock of round {one.number}",
                remedy=f"name it {one.number}, or move it out of {folder}",
            )
        _check_parent(one, found)
    return rounds


def _check_parent(one: Round, found: Mapping[int, Round]) -> None:
    parent = one.lock["parent"]
    if parent is None:
        return
    number = parent["round"]
    if number not in found:
        raise RoundError(
            f"the parent of round {one.number}, round {number}, is gone",
            given=", ".join(str(n) for n in sorted(found)),
            remedy=f"put {one.folder.parent / str(number)} back from a copy",
        )
    if found[number].lock["sha256"] != parent["sha256"]:
        raise RoundError(
            f"round {number} is not the one that round {one.number} was made from: its lock is"
            " another",
            remedy=f"put {found[number].folder} back from a copy",
        )


def round_of(rounds: Iterable[Round], number: int) -> Round:
    """The round of this number; raises RoundError listing those that there are."""
    rounds = list(rounds)
    for one in rounds:
        if one.number == number:
            return one
    raise RoundError(
        f"there is no round {number}",
        allowed=", ".join(str(one.number) for one in rounds) or "none was added yet",
        remedy="`python -m croplayer.active.rounds list PROVINCE` lists them",
    )


def labels_of_run(labels: LabelSettings) -> LabelSettings:
    """The label files that a run uses: those of the round `labels.round`, or the files as they are.

    Raises as `read_rounds` and `round_of` do.
    """
    if labels.rounds is None or labels.round is None:
        return labels
    frozen = round_of(read_rounds(labels.rounds), labels.round).files
    return labels.model_copy(update={key: frozen.get(key) for key in KEYS})


def add_round(
    labels: LabelSettings, *, province: str, authors: Iterable[str] = (), note: str = ""
) -> Round:
    """Freeze the label files as they are now, as the round after the newest one.

    Parameters
    ----------
    authors : names besides those that the attribute or column `annotator` holds.
    note : a sentence for the lock.

    Raises LabelFileError for absent files, RoundError if there is nothing new or another process
    adds the same round, LabelLockError if a file is edited meanwhile. Nothing is left behind then.
    """
    folder = rounds_folder(labels, province)
    rounds, files = read_rounds(folder), labels.files()
    require_files(files)
    now = {key: describe_labels(path, key) for key, path in files.items()}
    parent = rounds[-1] if rounds else None
    if parent and parent.digests == {key: entry["sha256"] for key, entry in now.items()}:
        raise RoundError(
            f"the labels are those of round {parent.number}: there is nothing to add",
            remedy="edit the label files first",
        )
    number = parent.number + 1 if parent else 1
    folder.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{number}.", suffix=".part", dir=folder))
    try:
        copies = {key: _copied(path, draft / key) for key, path in files.items()}
        for key, copy in copies.items():
            now[key] |= {"path": str(copy.relative_to(draft))}
        content = {
            "province": province,
            "round": number,
            "parent": parent and {"round": parent.number, "sha256": parent.lock["sha256"]},
            "authors": authors_of(copies, authors),
            "note": note,
            "added_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "files": now,
        }
        write_json(draft / LOCK, signed(content))
        Round(number, draft, content).verify()
        draft.chmod(0o755)
        _rename(draft, folder / str(number))
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return round_of(read_rounds(folder), number)


def rounds_folder(labels: LabelSettings, province: str) -> Path:
    """`labels.rounds`; raises RoundError where it is not configured."""
    if labels.rounds is None:
        raise RoundError(
            f"province {province!r} has no folder of rounds",
            remedy="set labels.rounds in its configuration, for instance"
            f' rounds: "{{data_root}}/labels/{province}/rounds"',
        )
    return labels.rounds


def _copied(path: Path, folder: Path) -> Path:
    try:
        return copy_labels(path, folder)
    except (OSError, sqlite3.Error) as error:
        raise RoundError(f"label file {path} cannot be copied", given=error) from None


def _rename(draft: Path, target: Path) -> None:
    try:
        os.rename(draft, target)
    except OSError:
        raise RoundError(
            f"round {target.name} was added by somebody else just now",
            remedy="look at what they added, then add yours again: it becomes the round after it",
        ) from None


def authors_of(files: Mapping[str, LabelPaths], more: Iterable[str] = ()) -> dict[str, int]:
    """{annotator: labels that bear the name}, by name; `more` names come with what they have."""
    names = []
    for key, path in files.items():
        frame = read_rows([path], key) if key in TABLES else read_vector(path, key)
        names.append(texts(frame, "annotator"))
    counts = pd.concat(names).value_counts() if names else pd.Series(dtype=int)
    found = {str(name): int(count) for name, count in counts.items() if name}
    return {name: found.get(name, 0) for name in sorted({*found, *more})}
