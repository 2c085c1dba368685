"""`python -m croplayer.active.check PROVINCE`: check the label files, and mend copies of them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cropbase.errors import InputError
from cropbase.jobs import run_command
from croplayer.active.mend import mend_labels
from croplayer.active.review import Review, review_labels
from croplayer.active.rounds.store import labels_of_run
from croplayer.settings import load_settings

_SHOWN = 12


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit code: 0 if the labels can be used, 1 otherwise."""
    parser = argparse.ArgumentParser(
        prog="python -m croplayer.active.check",
        description="Check the label files of a province: geometry, overlaps, slivers, classes,"
        " CRS, doubles, leakage, and the agreement of annotators. Nothing is changed.",
    )
    parser.add_argument("province", help="name of its file in config/provinces")
    parser.add_argument(
        "--fix",
        action="store_true",
        help="write repaired copies and a list of every change into OUTPUT/fixed; the label files"
        " themselves stay as they are",
    )
    parser.add_argument(
        "--output", type=Path, help="folder of the report; default: results/PROVINCE/labels/check"
    )
    parser.add_argument("--config-folder", type=Path, default=Path("config"))
    given = parser.parse_args(arguments)
    return run_command(lambda: _check(given))


def _check(given: argparse.Namespace) -> None:
    settings = load_settings(given.province, given.config_folder)
    labels = labels_of_run(settings.labels)
    folder = given.output or Path("results", given.province, "labels", "check")
    review = review_labels(settings, labels)
    review.write(folder)
    _tell(review, folder)
    if given.fix:
        mended, changes = mend_labels(labels, folder / "fixed")
        for layer, feature, change, before, after in changes.rows[:_SHOWN]:
            print(f"  mended {layer}, {feature}: {change}: {before} -> {after or 'nothing'}")
        print(f"{len(changes.rows)} changes, all listed in {folder / 'fixed' / 'changes.csv'}")
        review = review_labels(settings, mended)
        review.write(folder / "fixed")
        print("The repaired copies:")
        _tell(review, folder / "fixed")
    if review.errors:
        raise InputError(
            f"the labels of {given.province} have {review.errors} fault(s) that refuse them",
            remedy=f"see {folder / ('fixed' if given.fix else '')}/check.html"
            + ("" if given.fix else "; --fix mends what has one right answer, in copies"),
        )


def _tell(review: Review, folder: Path) -> None:
    """The findings of most weight, and where all of them are."""
    rows = [row for row in review.findings.rows if row.severity != "info"]
    rows.sort(key=lambda row: row.severity != "error")
    for row in rows[:_SHOWN]:
        print(f"  {row.severity} {row.layer}, {row.feature}: {row.what}")
    if len(rows) > _SHOWN:
        print(f"  ... and {len(rows) - _SHOWN} more")
    for row in review.findings.rows:
        if row.kind == "summary":
            print(f"  {row.layer}: {row.what}")
    print(f"{review.errors} errors, {len(rows) - review.errors} warnings: {folder}/check.html")


if __name__ == "__main__":
    sys.exit(main())
