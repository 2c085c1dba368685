"""What wide and long CSV tables share: the columns of unit, parent, level, year and measure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cropalloc.settings.statistics import LongSource, WideSource
from cropalloc.statistics.findings import Findings
from cropalloc.statistics.readers.rows import column_index

_KEYS = ("unit_column", "within_column", "level_column", "year_column", "measure_column")


@dataclass(frozen=True)
class TableColumns:
    """Positions of the columns that are no crops."""

    path: Path
    width: int
    at: dict[str, int]
    year: int | None

    @classmethod
    def of(cls, path: Path, header: list[str], source: WideSource | LongSource) -> TableColumns:
        """Find the columns; raises InputError naming the key of one that is absent or doubled."""
        names = {key: getattr(source, key) for key in _KEYS}
        at = {key: column_index(path, header, n, key) for key, n in names.items() if n is not None}
        return cls(path, len(header), at, source.year)

    @property
    def used(self) -> set[int]:
        """Positions that are no crops."""
        return set(self.at.values())

    def lines(self, lines: list[list[str]], findings: Findings) -> Iterator[tuple[int, list[str]]]:
        """(row number, cells) of the lines below the header; short lines are listed."""
        for number, line in enumerate(lines[1:], start=2):
            if not any(line):
                continue
            if len(line) != self.width:
                findings.add(
                    f"the row has {len(line)} cells, the header {self.width}",
                    "left out",
                    file=self.path,
                    row=number,
                    loud=True,
                )
                continue
            yield number, line

    def row(
        self, number: int, line: list[str], item: str, text: str, flag: str | None
    ) -> tuple[object, ...]:
        """One row in the order of `rows.COLUMNS`."""

        def cell(key: str) -> str | None:
            return line[self.at[key]] if key in self.at else None

        year = self.year if self.year is not None else cell("year_column")
        return (
            number, cell("unit_column"), cell("within_column"), cell("level_column"),
            item, str(year), text, cell("measure_column"), flag,
        )  # fmt: skip
