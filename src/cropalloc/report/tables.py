"""The accuracy table: a row a crop and contestant, as CSV and as a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cropalloc.report.style import crop_title
from cropalloc.validation.figures import read_metrics
from cropbase.atomic import atomic_path, write_text
from cropbase.errors import InputError
from cropbase.pages import Cell, Row, number, page, paragraph, table

COLUMNS = [
    "crop",
    "contestant",
    "year",
    "n",
    "r",
    "r2",
    "r_squared",
    "rmse_ha",
    "mae_ha",
    "bias_ha",
    "r_log",
    "statistics_ha",
    "allocated_ha",
    "units_without_cells",
]
_JUDGED = {"r": max, "r2": max, "rmse_ha": min, "mae_ha": min}


def accuracy_table(
    *,
    metrics: Sequence[Path],
    output_html: Path,
    output_csv: Path,
    title: str = "Accuracy",
    note: str = "",
) -> pd.DataFrame:
    """Write the measures of all contestants, crops in descending order of reported area.

    Parameters
    ----------
    metrics : files of `validate_allocation` and `compare_product`, the judged maps first.
    note : what every table of generated data must say.

    The page marks the best r, R2 and RMSE of a crop and, at its head, says in how many crops the
    first contestant has the best R2 and lists where another has. Returns the table; a measure that
    could not be taken is empty, never left out. Raises InputError for files that cannot be read.
    """
    found = [read_metrics(path) for path in metrics]
    if not found:
        raise InputError("an accuracy table needs at least one validation")
    rows = []
    for value in found:
        for crop, numbers in value["crops"].items():
            known = {name: numbers.get(name) for name in COLUMNS[3:]}
            rows.append({"crop": crop, "contestant": value["name"], "year": value["year"]} | known)
    measures = pd.DataFrame(rows, columns=COLUMNS)
    size = measures.groupby("crop")["statistics_ha"].transform("max").fillna(0.0)
    order = {value["name"]: k for k, value in enumerate(found)}
    measures = (
        measures.assign(_size=-size.astype(float), _order=measures["contestant"].map(order))
        .sort_values(["_size", "crop", "year", "_order"], kind="stable", ignore_index=True)
        .drop(columns=["_size", "_order"])
    )
    with atomic_path(output_csv) as path:
        measures.to_csv(path, index=False, lineterminator="\n", float_format="%.6g")
    write_text(output_html, _page(measures, str(found[0]["name"]), title, note))
    return measures


_MEASURES = (
    ("r", ".3f"),
    ("r2", ".3f"),
    ("r_squared", ".3f"),
    ("rmse_ha", ",.0f"),
    ("mae_ha", ",.0f"),
    ("r_log", ".3f"),
    ("statistics_ha", ",.0f"),
    ("units_without_cells", ".0f"),
)
_HEADS = (
    *("N", "r", "R²", "r²", "RMSE, ha", "MAE, ha", "r of logs"),
    *("Statistics, ha", "Units without a cell"),
)
_LEGEND = (
    "r: Eq. 17; R²: 1 − SSE/SST about the mean of the statistics (Eq. 18); r²: square of r; "
    "RMSE: Eq. 19. Harvested area against harvested area, a unit each. Green: the best of a crop."
)


def _page(measures: pd.DataFrame, judged: str, title: str, note: str) -> str:
    best = _best(measures)
    lines = []
    for (crop, year), rows in measures.groupby(["crop", "year"], sort=False, dropna=False):
        for k, row in enumerate(rows.itertuples()):
            name = crop_title(str(crop)) + (f", {int(year)}" if pd.notna(year) else "")
            cells = [
                name if k == 0 else "",
                str(row.contestant).replace("_", " "),
                number(_number(row.n, ".0f")),
            ]
            for measure, form in _MEASURES:
                mark = " good" if row.Index in best.get(measure, set()) else ""
                cells.append(Cell(_number(getattr(row, measure), form), "number" + mark))
            lines.append(Row(cells, first=k == 0))
    sentence = _verdict(measures, judged)
    said = [paragraph(sentence, "verdict")] if sentence else []
    head = ["Crop", "Map", *map(number, _HEADS)]
    return page(title, *said, table(head, lines), paragraph(_LEGEND, "small"), note=note)


def _best(measures: pd.DataFrame) -> dict[str, set[int]]:
    """measure -> rows that are the best of their crop and year, where there is a contest."""
    found: dict[str, set[int]] = {}
    for measure, better in _JUDGED.items():
        found[measure] = set()
        for _, rows in measures.groupby(["crop", "year"], dropna=False):
            values = pd.to_numeric(rows[measure], errors="coerce").dropna()
            if len(values) > 1 and values.nunique() > 1:
                found[measure] |= set(values.index[values == better(values)])
    return found


def _verdict(measures: pd.DataFrame, judged: str) -> str:
    """In how many crops the judged maps have the best R2, and where they have not."""
    lost, contests = [], 0
    for (crop, _), rows in measures.groupby(["crop", "year"], sort=False, dropna=False):
        values = pd.to_numeric(rows["r2"], errors="coerce")
        values.index = rows["contestant"]
        values = values.dropna()
        if judged not in values or len(values) < 2:
            continue
        contests += 1
        if values[judged] < values.max():
            lost.append(f"{crop_title(str(crop))} ({values.idxmax().replace('_', ' ')})")
    if not contests:
        return ""
    text = f"{judged.replace('_', ' ')} has the best R² in {contests - len(lost)} of {contests}"
    text += " crops compared."
    return text + (f" Another map is better for: {', '.join(lost)}." if lost else "")


def _number(value: Any, form: str) -> str:
    if value is None or pd.isna(value) or not np.isfinite(value):
        return "–"
    return format(float(value), form)
