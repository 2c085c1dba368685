"""From the desk's database into the label tables: rows are added, none is ever changed."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from cropbase.atomic import write_text
from croplayer.desk.labeltable import Row, rows_of, target_table
from croplayer.desk.store import Event, Store
from croplayer.desk.tasks import Task

FINDING_COLUMNS = (
    *("task", "finding", "block_id", "source", "annotator", "answer", "labelled_at"),
    *("in_table", "table_annotator", "table_row", "note"),
)
MEANINGS = {
    "added": "row added",
    "revised": "row added: the annotator's newer answer to one that the table holds",
    "same": "the table holds this answer of this annotator",
    "disagrees": "row added: two annotators of the desk differ",
    "conflict": "NOT added: the table holds another answer, of somebody else or a later one",
    "skipped": "no row: the annotator skipped it",
}


@dataclass
class Outcome:
    """What the export of one task did: the table, and an answer a finding."""

    table: Path
    findings: list[dict[str, str]] = field(default_factory=list)

    def count(self, finding: str) -> int:
        """Number of answers with this finding."""
        return sum(row["finding"] == finding for row in self.findings)


def export_task(store: Store, task: Task, table: Path, *, with_conflicts: bool = False) -> Outcome:
    """Add the answers of a task that stand to its label table.

    `table` is a file, or a folder of files in which the desk adds to `desk.csv`. Each annotator's
    answer becomes a row of its own with `annotator` and `labelled_at`; a table
    with two rows for a key is how double labelling is written down. An answer that contradicts
    what the table already holds from somebody else, or from the same annotator at the same time
    or later, is a conflict: listed, and added only if `with_conflicts`.

    Exporting twice adds nothing the second time. Raises InputError if the table cannot be read.
    """
    held = target_table(table, task)
    by_key: dict[tuple[str, ...], list[Row]] = {}
    for row in rows_of(table, task):
        by_key.setdefault(row.key, []).append(row)
    events = store.standing(task.key)
    names = {event.annotator for event in events}
    answers: dict[tuple[str, ...], set[str]] = {}
    for event in events:
        if event.action == "answer":
            answers.setdefault(_key(task, event), set()).add(event.value)
    outcome, added = Outcome(held.path), []
    for event in events:
        key = _key(task, event)
        finding, old = _judge(event, by_key.get(key, []), names)
        if finding == "added" and len(answers[key]) > 1:
            finding = "disagrees"
        outcome.findings.append(_finding(task, event, finding, old))
        if finding in ("added", "revised", "disagrees") or (
            finding == "conflict" and with_conflicts
        ):
            added.append(Row(key, event.value, event.annotator, event.at))
    held.append(sorted(added, key=lambda row: (row.key, row.labelled_at, row.annotator)))
    return outcome


def _judge(event: Event, rows: Iterable[Row], names: set[str]) -> tuple[str, Row | None]:
    """What to do with an answer beside the rows that the table holds for its key.

    Rows of other annotators of this desk (`names`) are answers of the desk, too: they were
    exported before, and double labelling is no conflict.
    """
    if event.action == "skip":
        return "skipped", None
    rows = list(rows)
    own = [row for row in rows if row.annotator == event.annotator]
    if own:
        last = max(own, key=lambda row: row.labelled_at)
        if last.value == event.value:
            return "same", last
        return ("revised" if event.at > last.labelled_at else "conflict"), last
    for row in rows:
        if row.value != event.value and row.annotator not in names:
            return "conflict", row
    return "added", None


def _key(task: Task, event: Event) -> tuple[str, ...]:
    return (event.block_id, event.source) if task.per_source else (event.block_id,)


def _finding(task: Task, event: Event, finding: str, old: Row | None) -> dict[str, str]:
    return {
        "task": task.key,
        "finding": finding,
        "block_id": event.block_id,
        "source": event.source,
        "annotator": event.annotator,
        "answer": event.value,
        "labelled_at": event.at,
        "in_table": old.value if old else "",
        "table_annotator": old.annotator if old else "",
        "table_row": f"{old.file}, line {old.line}" if old else "",
        "note": event.note,
    }


def write_findings(outcomes: Iterable[Outcome], path: Path) -> None:
    """Write what became of every answer, with the annotators' notes, as CSV."""
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, FINDING_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for outcome in outcomes:
        for row in outcome.findings:
            writer.writerow({**row, "note": _as_text(row["note"])})
    write_text(path, buffer.getvalue())


def _as_text(note: str) -> str:
    """A note that no spreadsheet takes for a formula."""
    return "'" + note if note.startswith(("=", "+", "-", "@")) else note


def summary(outcomes: Iterable[Outcome], findings: Path) -> str:
    """What the export did, for the terminal: counts by task, and every conflict."""
    lines = []
    for outcome in outcomes:
        lines.append(f"{outcome.table}")
        for name, meaning in MEANINGS.items():
            if number := outcome.count(name):
                lines.append(f"  {number:6d} {name:10s} {meaning}")
        if not outcome.findings:
            lines.append("         nothing was answered")
        conflicts = [row for row in outcome.findings if row["finding"] == "conflict"]
        for row in conflicts[:20]:
            where = " ".join(part for part in (row["block_id"], row["source"]) if part)
            by = row["table_annotator"] or "nobody named"
            lines.append(
                f"         conflict: {where}: {row['annotator']} says {row['answer']},"
                f" {row['table_row']} says {row['in_table']} ({by})"
            )
        if len(conflicts) > 20:
            lines.append(f"         ... and {len(conflicts) - 20} more")
    return "\n".join([*lines, f"every answer: {findings}"])
