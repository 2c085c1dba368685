"""CSV with a row a unit (and year) and a column a crop."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cropalloc.settings.statistics import WideSource
from cropalloc.statistics.findings import Findings
from cropalloc.statistics.readers.rows import column_index, read_csv_rows, rows_table
from cropalloc.statistics.readers.tables import TableColumns
from cropbase.errors import InputError


def read_wide(path: Path, source: WideSource, findings: Findings) -> pd.DataFrame:
    """Rows of a wide table; crops are `crop_columns`, or every column without another meaning.

    Raises InputError if a column of the settings is absent or doubled.
    """
    lines = read_csv_rows(path, source.encoding, source.delimiter)
    header = lines[0]
    columns = TableColumns.of(path, header, source)
    if source.crop_columns is not None:
        crops = [column_index(path, header, name, "crop_columns") for name in source.crop_columns]
    else:
        ignored = {column_index(path, header, n, "ignore_columns") for n in source.ignore_columns}
        crops = [i for i in range(len(header)) if i not in columns.used and i not in ignored]
        for index in crops:
            if not header[index]:
                raise InputError(
                    f"statistics file {path}: column {index + 1} has no name",
                    allowed="a crop in the header of every column",
                    remedy="name the column, delete it, or list the crops in `crop_columns`",
                )
            column_index(path, header, header[index], "crop_columns")
    rows = []
    for number, line in columns.lines(lines, findings):
        for index in crops:
            rows.append(columns.row(number, line, header[index], line[index], None))
    return rows_table(rows)
