"""Tables of interpreted blocks: rows that people append, settled to one label a block."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cropbase.atomic import write_text
from cropbase.tables import read_geotable
from cropbase.texts import csv_lines, read_text
from croplayer.active.findings import Findings, LabelFileError
from croplayer.active.lock import LabelLockError, describe_labels, require_files
from croplayer.active.readers import FEATURE, label_files, read_vector
from croplayer.active.times import times_of
from croplayer.blocks.classes import COVERAGE_TYPES, OPTIONS, SEMANTIC_CLASSES

PERSON = ("annotator", "labelled_at")
"""The optional columns of every table."""


@dataclass(frozen=True)
class BlockTable:
    """What a table of block labels holds: what is labelled, the label, its values, what else."""

    keys: tuple[str, ...]
    value: str
    allowed: tuple[str, ...]
    extra: tuple[str, ...] = ()

    @property
    def columns(self) -> list[str]:
        """The columns of a settled table."""
        return [*self.keys, self.value, *self.extra]


TABLES = {
    "coverage": BlockTable(("block_id", "source"), "coverage_type", COVERAGE_TYPES),
    "semantic": BlockTable(("block_id", "source"), "semantic_class", SEMANTIC_CLASSES),
    "options": BlockTable(("block_id",), "option", OPTIONS),
    "corrections": BlockTable(("block_id",), "option", OPTIONS, ("reason",)),
}
"""The tables by their key under `labels`."""


def import_table(
    *,
    name: str,
    files: Sequence[Path],
    blocks: Path,
    sources: Collection[str],
    output: Path,
    report: Path,
) -> None:
    """Check a table of block labels and write one row a block (and source), sorted.

    Parameters
    ----------
    name : a key of `TABLES`.
    files : CSV, GeoPackage or GeoParquet files (docs/labels.md).
    blocks : `plan/blocks.parquet`.
    sources : names of the imagery sources.
    output : CSV with the columns of the table alone. Who labelled and when is not in it, so that
        nothing is trained again for a name or a time.
    report : every finding; .csv, .parquet or .html.

    Raises one LabelError with all faults, LabelLockError where the files change meanwhile, and then
    writes nothing.
    """
    require_files({name: files})
    locked = describe_labels(files, name)["sha256"]
    findings = Findings(files={name: Path(files[0]) if len(files) == 1 else Path(files[0]).parent})
    rows = read_rows(files, name)
    planned = set(read_geotable(blocks)["block_id"])
    rows = check_rows(rows, name, planned=planned, sources=sources, findings=findings)
    settled = settle(rows, name, findings)
    findings.raise_errors()
    if describe_labels(files, name)["sha256"] != locked:
        raise LabelLockError(
            f"the label table of labels.{name}, {files[0]}, changed while it was read",
            remedy="run the workflow again when the edit is saved; nothing was written",
        )
    findings.info("summary", name, output.name, f"{len(rows)} rows, {len(settled)} labels")
    findings.log()
    write_text(output, settled.to_csv(index=False, lineterminator="\n"))
    findings.write(report)


def read_rows(files: Iterable[Path], name: str) -> pd.DataFrame:
    """The rows of a table of block labels, as text, with columns annotator and labelled_at.

    `_feature` says where a row stands: `line 7` of a CSV (the file's name before it if there are
    several), `fid 7` of a GeoPackage.

    Raises LabelFileError for a file that is absent, unreadable or lacks a column.
    """
    table, parts = TABLES[name], []
    files = [file for path in files for file in label_files(path)]
    for path in files:
        rows = _read_csv(path, name) if path.suffix.lower() == ".csv" else _read_other(path, name)
        needed = [*table.keys, table.value]
        missing = [column for column in needed if column not in rows.columns]
        if missing:
            given = [str(column) for column in rows.columns if column != FEATURE]
            raise LabelFileError(
                f"label table {path} of labels.{name} has no column {missing[0]!r}",
                given=", ".join(given) or "an empty file",
                allowed=",".join([*needed, *table.extra, *PERSON]),
                remedy="part the columns with commas, not semicolons or tabs"
                if len(given) == 1
                else "add the column, or name it so",
            )
        rows = rows.reindex(columns=[*table.columns, *PERSON, FEATURE], fill_value="")
        if len(files) > 1:
            rows[FEATURE] = f"{path.name} " + rows[FEATURE]
        parts.append(rows)
    return pd.concat(parts, ignore_index=True)


def _read_csv(path: Path, name: str) -> pd.DataFrame:
    """A CSV as text; empty lines and lines that begin with # are no rows."""
    text = read_text(path, what=f"label table of labels.{name}", error=LabelFileError)
    rows = csv_lines(text, name=f"label table {path}", strict=True, error=LabelFileError)
    lines = [
        (number, [cell.strip() for cell in row])
        for number, row in rows
        if any(cell.strip() for cell in row) and not row[0].startswith("#")
    ]
    header = [text.lower() for text in lines[0][1]] if lines else []
    doubled = sorted({name for name in header if name and header.count(name) > 1})
    if doubled:
        raise LabelFileError(
            f"label table {path} of labels.{name} has more than one column {doubled[0]!r}",
            given=",".join(header),
            remedy="delete or rename all but one of them",
        )
    for number, row in lines[1:]:
        if len(row) > len(header):
            raise LabelFileError(
                f"label table {path}, line {number}: {len(row)} fields",
                allowed=f"{len(header)}: {','.join(header)}",
                remedy="put a text that holds a comma between quotation marks",
            )
    body = [row + [""] * (len(header) - len(row)) for _, row in lines[1:]]
    rows = pd.DataFrame(body, columns=header, dtype="str")
    rows[FEATURE] = [f"line {number}" for number, _ in lines[1:]]
    return rows


def _read_other(path: Path, name: str) -> pd.DataFrame:
    """The attributes of a vector file, as text."""
    frame = read_vector(path, name)
    rows = pd.DataFrame(frame.drop(columns="geometry")).astype("object")
    return rows.where(rows.notna(), "").map(lambda value: str(value).strip()).astype("str")


def check_rows(
    rows: pd.DataFrame,
    name: str,
    *,
    planned: Collection[str] | None,
    sources: Collection[str] | None,
    findings: Findings,
) -> pd.DataFrame:
    """Check every row of a table; returns the faultless ones, spelt as the table's values.

    `planned` and `sources`: the block ids and sources that there are; None: any.

    Coverage types may be written as in the paper (`Snow/Ice`, `Non-planting`). A column
    `labelled_at` of times in UTC takes the place of the texts, NaT where nobody wrote one.
    """
    table, rows = TABLES[name], rows.copy()
    rows[table.value] = rows[table.value].map(lambda text: spelling(text, table.allowed))
    rows["labelled_at"], good = times_of(rows, name, findings)
    known = {"block_id": planned, "source": sources}
    for index, row in enumerate(rows.to_dict("records")):
        faults = []
        if row[table.value] not in table.allowed:
            given = row[table.value] or "an empty field"
            faults.append(f"unknown {table.value} {given!r}; allowed: {', '.join(table.allowed)}")
        for key in table.keys:
            if known[key] is not None and row[key] not in known[key]:
                some = ", ".join(sorted(known[key])[:3])
                faults.append(f"{key} {row[key]!r} is none of this province, e.g. {some}")
        for fault in faults:
            findings.error("row", name, row[FEATURE], fault)
        good[index] &= not faults
    return rows.loc[good].reset_index(drop=True)


def spelling(text: str, allowed: Sequence[str]) -> str:
    """The allowed value that `text` is but for case, spaces, hyphens and slashes; else `text`."""
    plain = {_plain(value): value for value in allowed}
    return plain.get(_plain(text), text)


def _plain(text: str) -> str:
    return "_".join(text.lower().replace("-", " ").replace("/", " ").replace("_", " ").split())


def settle(rows: pd.DataFrame, name: str, findings: Findings) -> pd.DataFrame:
    """One label for each key: the last word of each annotator, then their majority.

    Parameters
    ----------
    rows : of `check_rows`.

    Returns the columns of the table, sorted by its keys. Keys without a majority are left out and
    listed; an annotator's rows that differ and cannot be ordered in time are an error.
    """
    table = TABLES[name]
    last = last_words(rows, name, findings)
    chosen = []
    for key, group in last.groupby(list(table.keys), sort=True):
        votes = group[table.value].value_counts()
        label = " of ".join(key)
        if len(votes) > 1:
            said = "; ".join(
                f"{who or 'nobody named'}: {what}"
                for who, what in zip(group["annotator"], group[table.value], strict=True)
            )
            if votes.iloc[0] == votes.iloc[1]:
                findings.warning("disagreement", name, label, said, "left out of training")
                continue
            findings.info(
                "disagreement", name, label, said, f"the majority counts: {votes.index[0]}"
            )
        chosen.append(group[group[table.value] == votes.index[0]].iloc[-1])
    return pd.DataFrame(chosen, columns=table.columns).reset_index(drop=True)


def last_words(rows: pd.DataFrame, name: str, findings: Findings) -> pd.DataFrame:
    """The row that counts of each annotator for each key: the one of the latest time."""
    table = TABLES[name]
    kept = []
    for (*key, who), group in rows.groupby([*table.keys, "annotator"], sort=True):
        label = " of ".join(key)
        group = group.sort_values("labelled_at", kind="stable", na_position="first")
        newest = group[group["labelled_at"] == group["labelled_at"].iloc[-1]]
        if group["labelled_at"].isna().all():
            newest = group
        if newest[table.value].nunique() > 1:
            where = ", ".join(newest[FEATURE])
            findings.error(
                "row", name, label, f"{where}: {' and '.join(newest[table.value])} at one time"
            )
        elif len(group) > 1:
            what = f"{who or 'nobody named'}: {', '.join(group[table.value])}"
            done = f"the latest counts: {newest[table.value].iloc[-1]}"
            findings.info("revised", name, label, what, done)
        kept.append(newest.iloc[-1])
    return pd.DataFrame(kept, columns=rows.columns)
