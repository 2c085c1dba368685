"""The accuracy table: three levels of validation, thresholds, and the stopping decision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from cropbase.atomic import atomic_path, write_text
from cropbase.pages import Cell, Row, number, page, paragraph, table
from croplayer.report.results import pick, read_json, read_result

COLUMNS = [
    "level",
    "of",
    "measure",
    "value",
    "unit",
    "low_95",
    "high_95",
    "threshold",
    "met",
    "basis",
]
_RATIOS = {
    "iou": "IoU (Eq. 2)",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "overall_accuracy": "overall accuracy",
}
_SHAPES = {
    "solidity_mean": "mean solidity of a region (Eq. 3)",
    "en_mean": "mean Euler number of a region (Eq. 4)",
}


def accuracy_table(
    *,
    pixel: Path,
    block: Path,
    province: Path,
    stopping: Path,
    output_html: Path,
    output_csv: Path,
    title: str = "Accuracy",
    note: str = "",
) -> pd.DataFrame:
    """Write the measures of the three levels as a CSV and as a page of HTML without any reference.

    Parameters
    ----------
    pixel, block, province, stopping : JSON files of `croplayer.validation`.
    note : what every table of generated data must say.

    Returns the table: level, of (a source or the integrated map), measure, value, unit, 95 %
    interval, threshold of the stopping rule, whether it is met, and what the value rests on. A
    measure that could not be taken has no value; it is never left out. Raises InputError for a
    file that cannot be read or is of another level.
    """
    decision = read_json(stopping)
    levels = decision.get("levels", {})
    rows = [
        *_pixel_rows(read_result(pixel, level="pixel"), levels.get("pixel", {})),
        *_block_rows(read_result(block, level="block"), levels.get("block", {})),
        *_province_rows(read_result(province, level="province"), levels.get("province", {})),
    ]
    measures = pd.DataFrame(rows, columns=COLUMNS)
    with atomic_path(output_csv) as path:
        measures.to_csv(path, index=False, lineterminator="\n", float_format="%.6g")
    write_text(output_html, _page(measures, decision, title, note))
    return measures


def _row(level: str, of: str, measure: str, value: Any, unit: str, **more: Any) -> dict[str, Any]:
    return {"level": level, "of": of, "measure": measure, "value": value, "unit": unit} | more


def _judged(value: float | None, of: str, stop: dict[str, Any]) -> dict[str, Any]:
    """Threshold and verdict, for the sources that the stopping rule looks at."""
    if of not in (stop.get("measured") or {}):
        return {}
    threshold = stop.get("threshold")
    met = None if value is None or threshold is None else bool(value >= threshold)
    return {"threshold": threshold, "met": met}


def _interval(of: str, stop: dict[str, Any]) -> dict[str, Any]:
    """The interval that the stopping record gives for a source."""
    low, high = pick(stop, "interval_95", of) or (None, None)
    return {"low_95": low, "high_95": high}


def _pixel_rows(result: dict[str, Any], stop: dict[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for name, found in result["maps"].items():
        pooled, interval = found["pooled"], found["interval_95"] or {}
        pixels = sum(pooled[key] for key in ("tp", "fp", "fn", "tn"))
        for key, text in _RATIOS.items():
            low, high = interval.get(key) or (None, None)
            value = pooled[key] if result["assessed"] else None
            rows.append(
                _row("pixel", name, text, value, "share", low_95=low, high_95=high)
                | {"basis": f"{pixels} pixels of {len(found['extents'])} held-out extents"}
                | (_judged(value, name, stop) if key == "iou" else {})
            )
    return rows


def _block_rows(result: dict[str, Any], stop: dict[str, Any]) -> list[dict[str, Any]]:
    rows = []
    named = dict(result["sources"])
    if result.get("integration"):
        named["integrated"] = result["integration"]
    for name, found in named.items():
        value = found["semantic_correctness"]
        rows.append(
            _row("block", name, "semantic correctness", value, "share", **_interval(name, stop))
            | {"basis": f"{found['blocks']} blocks, classes of the model"}
            | _judged(value, name, stop)
        )
        for key, text in _SHAPES.items():
            if key in found:
                basis = f"{found.get('blocks_with_cropland')} blocks with cropland"
                rows.append(_row("block", name, text, found[key], "1", basis=basis))
    model = result["model"]
    rows.append(
        _row("block", "model", "accuracy of semantic classes", model["accuracy"], "share")
        | {"basis": f"{model['test_rows']} held-out blocks"}
    )
    return rows


def _province_rows(result: dict[str, Any], stop: dict[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for name, found in result["scenarios"].items():
        of = name.removeprefix("only_")
        basis = "official area" if result["assessed"] else "no official area is known"
        rows.append(_row("province", of, "cropland area", found["cropland_ha"], "ha", basis="map"))
        rows.append(
            _row("province", of, "area / official area", found["ratio"], "share", basis=basis)
        )
        rows.append(
            _row("province", of, "agreement of area", found["agreement"], "share", basis=basis)
            | _interval(of, stop)
            | _judged(found["agreement"], of, stop)
        )
    return rows


def _page(measures: pd.DataFrame, decision: dict[str, Any], title: str, note: str) -> str:
    rows = []
    level = None
    for row in measures.itertuples():
        interval = ""
        if pd.notna(row.low_95) and pd.notna(row.high_95):
            interval = f"{row.low_95:.3f} to {row.high_95:.3f}"
        cells = [
            row.level if row.level != level else "",
            row.of,
            row.measure,
            number(_number(row.value, row.unit)),
            interval,
            _verdict(row),
            Cell(str(row.basis), "small"),
        ]
        rows.append(Row(cells, first=row.level != level))
        level = row.level
    head = ["Level", "Of", "Measure", number("Value"), "95 % interval", "Threshold", "Rests on"]
    sentence = paragraph(str(pick(decision, "sentence") or ""), "verdict")
    return page(title, sentence, table(head, rows), note=note)


def _number(value: Any, unit: str) -> str:
    if value is None or pd.isna(value):
        return "not measured"
    if unit == "ha":
        return f"{value:,.0f} ha"
    return f"{value:.3f}" if unit == "share" else f"{value:.2f}"


def _verdict(row: Any) -> str | Cell:
    if row.threshold is None or pd.isna(row.threshold):
        return ""
    if row.met is None or pd.isna(row.met):
        return f"{row.threshold:.2f}, not assessed"
    return Cell(
        f"{row.threshold:.2f} {'met' if row.met else 'not met'}", "good" if row.met else "bad"
    )
