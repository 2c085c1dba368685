"""FAOSTAT: crops and livestock products (QCL), as downloaded in CSV."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cropalloc.settings.statistics import FaostatSource
from cropalloc.statistics.findings import Findings
from cropalloc.statistics.readers.rows import column_index, read_csv_rows, rows_table
from cropbase.errors import InputError


def read_faostat(path: Path, source: FaostatSource, findings: Findings) -> pd.DataFrame:
    """Rows of the areas that `source.areas` names and of the element `source.element`.

    Raises InputError if the file lacks a column, or if an area of the settings or their element
    never occurs.
    """
    lines = read_csv_rows(path, source.encoding)
    header = lines[0]
    at = {name: column_index(path, header, name, name) for name in
          ("Area", "Element", "Item", "Year", "Unit", "Value")}  # fmt: skip
    flag = header.index("Flag") if "Flag" in header else None
    rows, areas, elements = [], set(), set()
    for number, line in enumerate(lines[1:], start=2):
        if len(line) < len(header):
            continue
        areas.add(line[at["Area"]])
        elements.add(line[at["Element"]])
        if line[at["Element"]] != source.element or line[at["Area"]] not in source.areas:
            continue
        rows.append(
            (number, source.areas[line[at["Area"]]], None, None, line[at["Item"]],
             line[at["Year"]], line[at["Value"]], line[at["Unit"]],
             line[flag] if flag is not None else None)
        )  # fmt: skip
    absent = sorted(set(source.areas) - areas)
    if absent:
        import difflib

        near = {name: difflib.get_close_matches(name, sorted(areas), n=3) for name in absent}
        raise InputError(
            f"statistics file {path} has no area {', '.join(map(repr, absent))}",
            given="; ".join(
                f"{name!r} (near: {', '.join(n) or 'none'})" for name, n in near.items()
            ),
            remedy="write the area in `areas` as FAOSTAT names it",
        )
    if source.element not in elements:
        raise InputError(
            f"statistics file {path} has no element {source.element!r} (key `element`)",
            allowed=", ".join(sorted(elements)) or "none: the file has no rows",
        )
    return rows_table(rows)
