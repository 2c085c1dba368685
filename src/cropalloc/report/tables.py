"""The accuracy table: a row a crop and contestant, as CSV and as a page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cropalloc.report.style import crop_title
from cropalloc.validation.figures import read_metrics
from cropbase.atomic import atomic_path, write_text
from cropbase.errors import InputError

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
    table = pd.DataFrame(rows, columns=COLUMNS)
    size = table.groupby("crop")["statistics_ha"].transform("max").fillna(0.0)
    order = {value["name"]: k for k, value in enumerate(found)}
    table = (
        table.assign(_size=-size.astype(float), _order=table["contestant"].map(order))
        .sort_values(["_size", "crop", "year", "_order"], kind="stable", ignore_index=True)
        .drop(columns=["_size", "_order"])
    )
    with atomic_path(output_csv) as path:
        table.to_csv(path, index=False, lineterminator="\n", float_format="%.6g")
    write_text(output_html, _page(table, str(found[0]["name"]), title, note))
    return table


_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #222; max-width: 68rem; margin: 2rem auto;
       padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .22rem .6rem; border-bottom: 1px solid #e3e3e3; }
th { border-bottom: 2px solid #555; }
th.text, td.text { text-align: left; }
tr.first td { border-top: 2px solid #999; }
td.best { color: #00674b; font-weight: 600; }
.note { color: #a33f00; font-weight: 600; }
p.verdict { background: #eef3f6; padding: .7rem 1rem; border-left: 4px solid #0072b2; }
p.legend { color: #555; font-size: 13px; }
"""


def _page(table: pd.DataFrame, judged: str, title: str, note: str) -> str:
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{escape(title)}</h1>",
    ]
    if note:
        parts.append(f'<p class="note">{escape(note)}</p>')
    sentence = _verdict(table, judged)
    if sentence:
        parts.append(f'<p class="verdict">{escape(sentence)}</p>')
    parts.append(
        '<table><thead><tr><th class="text">Crop</th><th class="text">Map</th><th>N</th>'
        "<th>r</th><th>R²</th><th>r²</th><th>RMSE, ha</th><th>MAE, ha</th><th>r of logs</th>"
        "<th>Statistics, ha</th><th>Units without a cell</th></tr></thead><tbody>"
    )
    best = _best(table)
    for (crop, year), rows in table.groupby(["crop", "year"], sort=False, dropna=False):
        for k, row in enumerate(rows.itertuples()):
            name = crop_title(str(crop)) + (f", {int(year)}" if pd.notna(year) else "")
            cells = [
                f'<td class="text">{escape(name) if k == 0 else ""}</td>',
                f'<td class="text">{escape(str(row.contestant).replace("_", " "))}</td>',
                f"<td>{_number(row.n, '.0f')}</td>",
            ]
            for measure, form in (
                ("r", ".3f"),
                ("r2", ".3f"),
                ("r_squared", ".3f"),
                ("rmse_ha", ",.0f"),
                ("mae_ha", ",.0f"),
                ("r_log", ".3f"),
                ("statistics_ha", ",.0f"),
                ("units_without_cells", ".0f"),
            ):
                mark = ' class="best"' if row.Index in best.get(measure, set()) else ""
                cells.append(f"<td{mark}>{_number(getattr(row, measure), form)}</td>")
            first = ' class="first"' if k == 0 else ""
            parts.append(f"<tr{first}>{''.join(cells)}</tr>")
    parts.append("</tbody></table>")
    parts.append(
        '<p class="legend">r: Eq. 17; R²: 1 − SSE/SST about the mean of the statistics (Eq. 18); '
        "r²: square of r; RMSE: Eq. 19. Harvested area against harvested area, a unit each. "
        "Green: the best of a crop.</p></body></html>"
    )
    return "\n".join(parts) + "\n"


def _best(table: pd.DataFrame) -> dict[str, set[int]]:
    """measure -> rows that are the best of their crop and year, where there is a contest."""
    found: dict[str, set[int]] = {}
    for measure, better in _JUDGED.items():
        found[measure] = set()
        for _, rows in table.groupby(["crop", "year"], dropna=False):
            values = pd.to_numeric(rows[measure], errors="coerce").dropna()
            if len(values) > 1 and values.nunique() > 1:
                found[measure] |= set(values.index[values == better(values)])
    return found


def _verdict(table: pd.DataFrame, judged: str) -> str:
    """In how many crops the judged maps have the best R2, and where they have not."""
    lost, contests = [], 0
    for (crop, _), rows in table.groupby(["crop", "year"], sort=False, dropna=False):
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
