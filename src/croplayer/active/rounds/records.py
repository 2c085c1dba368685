"""What the rounds of a province came to: `results/<province>/rounds/<number>/`."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from cropbase.atomic import atomic_path
from cropbase.digests import file_sha256
from cropbase.errors import InputError
from croplayer.report.results import read_json

DECISION, METRICS, CARD = "decision.json", "metrics.json", "segmentation_card.json"


def record_round(*, number: int, decision: Path, metrics: Path, card: Path, folder: Path) -> None:
    """Copy the decision, the metrics and the card of the segmentation of a round into its folder.

    Raises InputError if the decision is of another round: the results of a province are those of
    one round at a time.
    """
    of = read_json(decision).get("round")
    if of != number:
        raise InputError(
            f"the results are those of round {of}, not of round {number}",
            remedy=f"set labels.round: {number} and run the workflow again",
        )
    for source, name in ((decision, DECISION), (metrics, METRICS), (card, CARD)):
        with atomic_path(folder / name) as path:
            shutil.copyfile(source, path)


def recorded_rounds(folder: Path, *, other_than: int) -> list[dict[str, Any]]:
    """The decisions of the rounds that were recorded, but for one round, in order.

    Returns `round`, `path` and `sha256` of each: parameters of a rule, which runs again when one of
    them changes but never makes one of them.
    """
    found = sorted(
        (int(path.parent.name), path)
        for path in folder.glob(f"*/{DECISION}")
        if path.parent.name.isdecimal()
    )
    return [
        {"round": number, "path": str(path), "sha256": file_sha256(path)}
        for number, path in found
        if number != other_than
    ]
