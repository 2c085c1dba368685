"""A label table as people keep it: CSV, read with its lines, and only ever appended to."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cropbase.atomic import write_text
from cropbase.errors import InputError
from cropbase.texts import csv_lines
from croplayer.active.tables import PERSON
from croplayer.desk.tasks import Task


@dataclass(frozen=True)
class Row:
    """A row of a label table. `key`: block, and source where the task has one. `file` and `line`
    (from 1) say where it stands."""

    key: tuple[str, ...]
    value: str
    annotator: str = ""
    labelled_at: str = ""
    file: str = ""
    line: int = 0


def target_table(path: Path, task: Task) -> LabelTable:
    """The table that the desk appends to: the file itself, or `desk.csv` of a folder of tables."""
    path = Path(path)
    return LabelTable(path / "desk.csv" if path.is_dir() else path, task)


def rows_of(path: Path, task: Task) -> list[Row]:
    """The rows of a table, or of every CSV table in a folder. Raises InputError like LabelTable."""
    path = Path(path)
    files = sorted(path.glob("*.csv")) if path.is_dir() else [path]
    return [row for file in files for row in LabelTable(file, task).rows]


class LabelTable:
    """The table of one task.

    Every byte of the rows that are there stays, unless the columns `annotator` and `labelled_at`
    are missing and rows are added: then the old rows get empty fields there.

    Raises InputError for a file that is no CSV table with the columns of the task, or that has
    rows longer than its header.
    """

    def __init__(self, path: Path, task: Task) -> None:
        self.path, self.task = Path(path), task
        if self.path.suffix.lower() != ".csv":
            raise InputError(
                f"labels.{task.key}, {path}, is no CSV table",
                allowed="a file that ends in .csv",
                remedy="export into another folder with --folder and import from there",
            )
        try:
            # As bytes: line ends and Excel's byte order mark stay as they are.
            self._text = self.path.read_bytes().decode("utf-8")
        except FileNotFoundError:
            self._text = ""
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"label table {path} cannot be read", given=error) from None
        self._mark = "\ufeff" if self._text.startswith("\ufeff") else ""
        self._text = self._text.removeprefix("\ufeff")
        self._end = "\r\n" if "\r\n" in self._text else "\n"
        self._header: list[str] = []
        self.rows: list[Row] = []
        self._parse()

    def _parse(self) -> None:
        body = []
        for line, cells in csv_lines(self._text, name=f"label table {self.path}"):
            if not any(cell.strip() for cell in cells) or cells[0].startswith("#"):
                continue
            if not self._header:
                self._header = [cell.strip().lower() for cell in cells]
            else:
                body.append((line, [cell.strip() for cell in cells]))
        needed = [*self.task.keys, self.task.column]
        missing = [name for name in needed if self._header and name not in self._header]
        if missing:
            raise InputError(
                f"label table {self.path} has no column {missing[0]!r}",
                given=", ".join(self._header),
                allowed=",".join([*needed, *PERSON]),
            )
        for line, cells in body:
            if len(cells) > len(self._header):
                raise InputError(
                    f"label table {self.path}, line {line} has {len(cells)} fields",
                    allowed=f"{len(self._header)}: {','.join(self._header)}",
                    remedy="put a text that holds a comma between quotation marks",
                )
            named = dict(zip(self._header, cells, strict=False))
            self.rows.append(
                Row(
                    tuple(named.get(name, "") for name in self.task.keys),
                    _spelt(named.get(self.task.column, ""), self.task.values),
                    named.get("annotator", ""),
                    named.get("labelled_at", ""),
                    self.path.name,
                    line,
                )
            )

    def append(self, rows: Sequence[Row]) -> None:
        """Write the table with `rows` at its end, atomically. No rows: nothing is written."""
        if not rows:
            return
        needed = [*self.task.keys, self.task.column, *PERSON]
        header = self._header + [name for name in needed if name not in self._header]
        text = self._text if header == self._header else self._widened(header)
        if text and not text.endswith("\n"):
            text += self._end
        buffer = io.StringIO(newline="")
        writer = csv.writer(buffer, lineterminator=self._end)
        for row in rows:
            named = dict(zip(self.task.keys, row.key, strict=True))
            named |= {self.task.column: row.value}
            named |= {"annotator": row.annotator, "labelled_at": row.labelled_at}
            writer.writerow([named.get(name, "") for name in header])
        write_text(self.path, self._mark + text + buffer.getvalue())

    def _widened(self, header: list[str]) -> str:
        """The text of the table with further columns at the end of its header and rows."""
        buffer = io.StringIO(newline="")
        writer = csv.writer(buffer, lineterminator=self._end)
        seen = False
        for cells in csv.reader(io.StringIO(self._text, newline="")):
            if not any(cell.strip() for cell in cells) or cells[0].startswith("#"):
                writer.writerow(cells)
            elif not seen:
                seen = True
                writer.writerow([*cells, *header[len(cells) :]])
            else:
                writer.writerow(cells + [""] * (len(header) - len(cells)))
        if not seen:
            writer.writerow(header)
        return buffer.getvalue()


def _spelt(text: str, allowed: Sequence[str]) -> str:
    """The allowed value that `text` means, whatever its case, spaces, hyphens and slashes."""

    def plain(word: str) -> str:
        return "_".join(word.lower().replace("-", " ").replace("/", " ").replace("_", " ").split())

    return {plain(value): value for value in allowed}.get(plain(text), text)
