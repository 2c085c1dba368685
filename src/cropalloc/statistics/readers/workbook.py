"""Sheets of yearbook workbooks (.xls and .xlsx), wherever they hold unit, crop and year."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pandas as pd

from cropalloc.settings.statistics import Place, WorkbookSource
from cropalloc.statistics.findings import Findings
from cropalloc.statistics.readers.rows import rows_table
from cropbase.errors import InputError
from cropbase.texts import require_file

_MOST_MEGABYTES = 400
_MOST_CELLS = 5_000_000


def read_workbook(path: Path, source: WorkbookSource, findings: Findings) -> pd.DataFrame:
    """Figures of a sheet, each with the unit, crop and year that its row, column or sheet names.

    A figure without one of the three (a blank row, a spacer column) is not read if it is empty, and
    listed if it is not. Raises InputError if the workbook, the sheet or a column is absent.
    """
    sheet = read_sheet(path, source.sheet)
    first, _, last = source.value_columns.partition(":")
    columns = range(column_number(first), column_number(last or first) + 1)
    end = min(source.last_row or len(sheet), len(sheet))
    measure = None
    if source.measure_cell is not None:
        letters, digits = re.fullmatch(r"([A-Z]+)(\d+)", source.measure_cell).groups()
        measure = _cell(sheet, int(digits) - 1, column_number(letters)) or "(empty)"
    units, crops, years = (
        _Labels(sheet, place, columns, source.first_row, end)
        for place in (source.unit, source.crop, source.year)
    )
    rows = []
    for row in range(source.first_row - 1, end):
        for column in columns:
            text = _cell(sheet, row, column)
            unit, crop, year = (part.at(row, column) for part in (units, crops, years))
            if unit and crop and year:
                rows.append((row + 1, unit, None, None, crop, year, text, measure, None))
            elif text and (unit or len(columns) == 1):
                lacks = [n for n, v in (("unit", unit), ("crop", crop), ("year", year)) if not v]
                findings.add(
                    f"column {column_letters(column)} holds {text!r} without {' and '.join(lacks)}",
                    "left out",
                    file=path,
                    row=row + 1,
                )
    if not rows:
        raise InputError(
            f"sheet {source.sheet!r} of {path} has no figures in rows {source.first_row} to {end}, "
            f"columns {source.value_columns}",
            remedy="check `first_row`, `value_columns` and where unit, crop and year are",
        )
    return rows_table(rows)


class _Labels:
    """Unit, crop or year of every figure."""

    def __init__(
        self, sheet: list[list[str]], place: Place, columns: range, first_row: int, end: int
    ) -> None:
        self._fixed = place.fixed
        self._rows: dict[int, str] | None = None
        self._columns: dict[int, str] | None = None
        if place.column is not None:
            letter = column_number(place.column)
            texts = [_cell(sheet, row, letter) for row in range(first_row - 1, end)]
            self._rows = dict(enumerate(_filled(texts, place.fill), start=first_row - 1))
        elif place.rows is not None:
            parts = [
                _filled([_cell(sheet, row - 1, column) for column in columns], place.fill)
                for row in place.rows
            ]
            joined = (" ".join(filter(None, texts)) for texts in zip(*parts, strict=True))
            self._columns = dict(zip(columns, joined, strict=True))

    def at(self, row: int, column: int) -> str:
        if self._fixed is not None:
            return self._fixed
        if self._rows is not None:
            return self._rows[row]
        assert self._columns is not None  # of the three places one is set
        return self._columns[column]


def _filled(texts: list[str], fill: bool) -> list[str]:
    if not fill:
        return texts
    filled, last = [], ""
    for text in texts:
        last = text or last
        filled.append(last)
    return filled


def _cell(sheet: list[list[str]], row: int, column: int) -> str:
    if row < 0 or row >= len(sheet) or column >= len(sheet[row]):
        return ""
    return sheet[row][column]


def column_number(letters: str) -> int:
    """Position (from 0) of a column by its letters: A is 0, AA is 26."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def column_letters(number: int) -> str:
    """Letters of the column at a position (from 0)."""
    letters = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def read_sheet(path: Path, sheet: str | int) -> list[list[str]]:
    """All cells of a sheet as texts; whole numbers without a point, empty cells as ''."""
    require_file(path, what="workbook")
    suffix = path.suffix.lower()
    try:
        if suffix == ".xls":
            return _read_xls(path, sheet)
        if suffix in (".xlsx", ".xlsm"):
            return _read_xlsx(path, sheet)
    except InputError:
        raise
    # The two libraries raise a dozen kinds of errors for a damaged file.
    except Exception as error:
        raise InputError(
            f"workbook {path} cannot be read",
            given=f"{type(error).__name__}: {error}",
            remedy="open it in a spreadsheet program and save it as .xlsx",
        ) from None
    raise InputError(
        f"workbook {path} is neither .xls nor .xlsx",
        given=path.suffix,
        remedy="read a CSV with `kind: long` or `kind: wide`",
    )


def _pick(path: Path, names: list[str], sheet: str | int) -> str:
    if isinstance(sheet, int):
        if 1 <= sheet <= len(names):
            return names[sheet - 1]
    elif sheet in names:
        return sheet
    raise InputError(
        f"workbook {path} has no such sheet", given=sheet, allowed=", ".join(map(repr, names))
    )


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value).strip()


def _refuse_oversize(path: Path) -> None:
    """A workbook of some kilobytes may unpack to gigabytes: they are counted before."""
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(member.file_size for member in archive.infolist()) / 1e6
    if unpacked > _MOST_MEGABYTES:
        raise InputError(
            f"workbook {path} is too large to be a table of statistics",
            given=f"{unpacked:.0f} MB when unpacked",
            allowed=f"at most {_MOST_MEGABYTES} MB",
            remedy="copy the sheet that is read into a workbook of its own",
        )


def _read_xls(path: Path, sheet: str | int) -> list[list[str]]:
    import xlrd

    with xlrd.open_workbook(path, on_demand=True) as book:
        table = book.sheet_by_name(_pick(path, book.sheet_names(), sheet))
        rows = []
        for index in range(table.nrows):
            cells = []
            for cell in table.row(index):
                if cell.ctype == xlrd.XL_CELL_ERROR:
                    cells.append(f"#ERROR {xlrd.error_text_from_code.get(cell.value, cell.value)}")
                else:
                    cells.append(_text(cell.value))
            rows.append(cells)
        return rows


def _read_xlsx(path: Path, sheet: str | int) -> list[list[str]]:
    import openpyxl

    _refuse_oversize(path)
    # data_only: the figures that a formula gave when the workbook was saved.
    book = openpyxl.load_workbook(path, data_only=True, read_only=True)
    try:
        table = book[_pick(path, book.sheetnames, sheet)]
        rows, cells = [], 0
        for row in table.iter_rows(values_only=True):
            cells += len(row)
            if cells > _MOST_CELLS:
                raise InputError(
                    f"workbook {path}, sheet {table.title!r} has too many cells",
                    given=f"{cells} up to row {len(rows) + 1}",
                    allowed=f"at most {_MOST_CELLS}",
                    remedy="copy the table into a sheet of its own: far below or beside it lies "
                    "something else, or a format without a figure",
                )
            rows.append([_text(value) for value in row])
        return rows
    finally:
        book.close()
