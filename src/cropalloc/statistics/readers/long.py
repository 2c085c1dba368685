"""CSV with a row a figure."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cropalloc.settings.statistics import LongSource
from cropalloc.statistics.findings import Findings
from cropalloc.statistics.readers.rows import column_index, read_csv_rows, rows_table
from cropalloc.statistics.readers.tables import TableColumns


def read_long(path: Path, source: LongSource, findings: Findings) -> pd.DataFrame:
    """Rows of a long table. Raises InputError if a column of the settings is absent or doubled."""
    lines = read_csv_rows(path, source.encoding, source.delimiter)
    header = lines[0]
    columns = TableColumns.of(path, header, source)
    crop = column_index(path, header, source.crop_column, "crop_column")
    value = column_index(path, header, source.value_column, "value_column")
    flag = (
        None
        if source.flag_column is None
        else column_index(path, header, source.flag_column, "flag_column")
    )
    rows = [
        columns.row(number, line, line[crop], line[value], None if flag is None else line[flag])
        for number, line in columns.lines(lines, findings)
    ]
    return rows_table(rows)
