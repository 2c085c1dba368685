"""`python -m croplayer.active.rounds`: add, list, compare and check the rounds of a province."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pandas as pd

from cropbase.errors import InputError
from cropbase.jobs import run_command
from croplayer.active.lock import LabelPaths, counts_text
from croplayer.active.review import review_labels
from croplayer.active.rounds.changes import compare_labels
from croplayer.active.rounds.store import Round, add_round, read_rounds, round_of, rounds_folder
from croplayer.report.results import pick, read_json
from croplayer.settings import Settings, load_settings

WORKING = "working"


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m croplayer.active.rounds",
        description="A round is an immutable copy of all label files with a lock of their content.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    works = {"add": _add, "list": _list, "diff": _diff, "check": _check}
    texts = {
        "add": "check the label files, freeze them as the next round, say what changed",
        "list": "the rounds, their authors, counts and decisions",
        "diff": "what changed from round A to round B; 'working' means the label files as they are",
        "check": "are all rounds as they were left?",
    }
    for name, text in texts.items():
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("province", help="name of its file in config/provinces")
        if name == "diff":
            command.add_argument("before", metavar="A", help="number of a round")
            command.add_argument("after", metavar="B", help=f"number of a round, or '{WORKING}'")
        if name == "add":
            command.add_argument("--author", action="append", default=[], help="may be repeated")
            command.add_argument("--note", default="", help="a sentence for the lock")
        command.add_argument("--config-folder", type=Path, default=Path("config"))
    given = parser.parse_args(arguments)
    return run_command(
        lambda: works[given.command](load_settings(given.province, given.config_folder), given)
    )


def _add(settings: Settings, given: argparse.Namespace) -> None:
    review = review_labels(settings, settings.labels)
    faults = [row for row in review.findings.rows if row.severity == "error"]
    if faults:
        lines = [f"  {row.layer}, {row.feature}: {row.what}" for row in faults[:10]]
        raise InputError(
            f"the labels of {given.province} have {len(faults)} fault(s), so no round was added\n"
            + "\n".join(lines),
            remedy=f"`python -m croplayer.active.check {given.province}` lists and mends them",
        )
    added = add_round(
        settings.labels, province=given.province, authors=given.author, note=given.note
    )
    rounds = read_rounds(added.folder.parent)
    before = rounds[-2].files if len(rounds) > 1 else {}
    print(f"Round {added.number} added: {added.folder}")
    print(f"authors: {', '.join(added.lock['authors']) or 'nobody is named in the labels'}")
    print("Since the last round:" if before else "Its labels:")
    print(table_text(compare_labels(before, added.files)))


def _list(settings: Settings, given: argparse.Namespace) -> None:
    rounds = read_rounds(rounds_folder(settings.labels, given.province))
    if not rounds:
        print(f"No round yet; `python -m croplayer.active.rounds add {given.province}` adds one.")
    for one in rounds:
        parent = one.lock["parent"]
        print(
            f"round {one.number}, {one.lock['added_at']}, after "
            + (f"round {parent['round']}" if parent else "none")
            + f", by {', '.join(one.lock['authors']) or 'nobody named'}"
        )
        for key, entry in one.lock["files"].items():
            print(f"  {key}: {counts_text(entry)}")
        if one.lock["note"]:
            print(f"  note: {one.lock['note']}")
        record = Path("results", given.province, "rounds", str(one.number), "decision.json")
        if record.exists():
            print(f"  {pick(read_json(record), 'sentence')}")


def _diff(settings: Settings, given: argparse.Namespace) -> None:
    rounds = read_rounds(rounds_folder(settings.labels, given.province))
    sides = [_side(name, rounds, settings) for name in (given.before, given.after)]
    print(table_text(compare_labels(*sides)))


def _side(name: str, rounds: list[Round], settings: Settings) -> dict[str, LabelPaths]:
    if name == WORKING:
        return {key: path for key, path in settings.labels.files().items() if path.exists()}
    if not name.isdecimal():
        raise InputError("no round", given=name, allowed=f"a number, or '{WORKING}'")
    return round_of(rounds, int(name)).files


def _check(settings: Settings, given: argparse.Namespace) -> None:
    rounds = read_rounds(rounds_folder(settings.labels, given.province))
    for one in rounds:
        one.verify()
    print(f"{len(rounds)} round(s), all as they were added")


def table_text(changes: pd.DataFrame) -> str:
    """A comparison as text: hectares with two decimals, nothing where there is no area."""
    shown = changes.astype("object")
    for column in changes.columns:
        if column.endswith("_ha"):
            shown[column] = ["" if pd.isna(ha) else f"{ha:.2f}" for ha in changes[column]]
    return shown.to_string(index=False) if len(shown) else "no label files"


if __name__ == "__main__":
    sys.exit(main())
