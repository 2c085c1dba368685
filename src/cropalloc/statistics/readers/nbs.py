"""Exports of the National Bureau of Statistics of China (data.stats.gov.cn)."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from cropalloc.settings.statistics import NbsSource
from cropalloc.statistics.findings import Findings
from cropalloc.statistics.readers.rows import read_csv_rows, rows_table
from cropbase.errors import InputError

_FOOTER = ("注", "数据来源", "备注")


def read_nbs(path: Path, source: NbsSource, findings: Findings) -> pd.DataFrame:
    """Rows of an export: either items of one unit (指标) or units of one item (地区).

    The preamble (数据库, 时间) ends at the header of years, which may stand in any order; the
    footer (注, 数据来源) is not read. A unit that the file does not name is `source.unit`, or the
    file's name; an item that it does not name is the file's name. Raises InputError without a
    header.
    """
    lines = read_csv_rows(path, source.encoding)
    start = next(
        (i for i, line in enumerate(lines) if line and line[0].strip() in ("指标", "地区")), None
    )
    if start is None:
        raise InputError(
            f"statistics file {path} has no header line that begins with 指标 or 地区",
            remedy="give an export of data.stats.gov.cn as it was saved, or read it as kind: wide",
        )
    header = lines[start]
    years = {
        column: found.group(1)
        for column, text in enumerate(header)
        if (found := re.fullmatch(r"(\d{4})\s*年?", text.strip()))
    }
    if not years:
        raise InputError(
            f"statistics file {path}, row {start + 1}: no years in the header",
            given=", ".join(header),
            allowed="2020年, 2019年, ...",
        )
    by_item = header[0].strip() == "指标"
    rows = []
    for number, line in enumerate(lines[start + 1 :], start=start + 2):
        if not line or not line[0].strip():
            continue
        if line[0].strip().startswith(_FOOTER):
            break
        unit = (source.unit or path.stem) if by_item else line[0]
        item = line[0] if by_item else path.stem
        for column, year in years.items():
            text = line[column].strip() if column < len(line) else ""
            rows.append((number, unit.strip(), None, None, item.strip(), year, text, None, None))
    return rows_table(rows)
