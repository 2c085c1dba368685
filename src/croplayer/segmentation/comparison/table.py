"""The table of the comparison: every model's measures, mean and spread over the seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from cropbase import pages
from cropbase.atomic import atomic_path, write_json, write_text
from croplayer.report.results import read_json
from croplayer.validation.boundary import BoundaryCounts
from croplayer.validation.confusion import Confusion

# Measure -> (heading, decimals).
ACCURACY = {
    "iou": ("IoU", 3),
    "f1": ("F1", 3),
    "iou_inner": ("IoU off the edges", 3),
    "boundary_f1": ("boundary F1", 3),
    "precision": ("precision", 3),
    "recall": ("recall", 3),
}
_PIXEL_RATIOS = ("iou", "f1", "precision", "recall")
MOVED = "labels_one_pixel_aside"
COST = {
    "train_seconds": ("training, s", 0),
    "train_chips_per_second": ("chips/s, training", 1),
    "inference_chips_per_second": ("chips/s, mapping", 1),
    "peak_memory_mb": ("peak memory, MB", 0),
    "parameters": ("parameters", 0),
}


def compare_models(
    *,
    results: Sequence[Path],
    plate: Path,
    order: Sequence[str],
    output_csv: Path,
    output_extents: Path,
    output_html: Path,
    metrics: Path,
    title: str,
    facts: Sequence[str] = (),
    note: str = "",
) -> pd.DataFrame:
    """Write the table of all runs: CSV, a page with the plate of pictures, and flat metrics.

    Parameters
    ----------
    results : JSON files of `compare_model`.
    order : names of the models in the order of the rows.
    facts : sentences on split and budget, for the page.
    note : what every table of generated data must say.

    Returns the table, a row a model: `model`, `description`, `runs`, and `<measure>_mean` and
    `<measure>_spread` (standard deviation over the seeds; missing for a single one). Accuracies
    pool the pixels of all folds of a seed; `iou_inner` leaves out those near a drawn boundary. The
    last row is no model: the labels against themselves, moved by one pixel. `output_extents`
    receives the IoU of each held-out extent, mean over the seeds, a column a model.

    Raises InputError for a result that cannot be read.
    """
    results_read = [read_json(path) for path in results]
    runs = pd.DataFrame([*_by_seed(results_read), _labels_moved(results_read)])
    rows = []
    for name in (*order, MOVED):
        own = runs[runs["model"] == name]
        row: dict[str, Any] = {
            "model": name,
            "description": own["description"].iloc[0],
            "runs": int(own["runs"].sum()),
        }
        for measure in (*ACCURACY, *COST):
            values = own[measure].dropna()
            row[f"{measure}_mean"] = values.mean() if len(values) else math.nan
            row[f"{measure}_spread"] = values.std(ddof=1) if len(values) > 1 else math.nan
        rows.append(row)
    table, extents = pd.DataFrame(rows), _by_extent(results_read, order)
    for frame, output in ((table, output_csv), (extents, output_extents)):
        with atomic_path(output) as path:
            frame.to_csv(path, index=False, lineterminator="\n", float_format="%.6g")
    write_json(metrics, _metrics(table))
    write_text(output_html, _page(table, extents, title, facts, note, plate))
    return table


def _by_seed(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row a model and seed: accuracies pooled over its folds, costs averaged."""
    groups: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for result in results:
        groups.setdefault((result["model"], result["seed"]), []).append(result)
    rows = []
    for (model, seed), folds in sorted(groups.items()):
        extents = [extent for result in folds for extent in result["extents"]]
        pixels, inner = _pooled(extents, "pixels"), _pooled(extents, "inner")
        lines = sum((BoundaryCounts(**e["boundary"]) for e in extents), BoundaryCounts())
        costs = {name: [r[name] for r in folds if r[name] is not None] for name in COST}
        rows.append(
            {"model": model, "seed": seed, "runs": len(folds)}
            | {"description": folds[0]["description"]}
            | {name: getattr(pixels, name) for name in _PIXEL_RATIOS}
            | {"iou_inner": inner.iou, "boundary_f1": lines.f1}
            | {name: sum(v) / len(v) if v else None for name, v in costs.items()}
        )
    return rows


def _labels_moved(results: list[dict[str, Any]]) -> dict[str, Any]:
    """The row of the labels against themselves: each held-out extent once."""
    extents = {e["extent"]: e for result in results for e in result["extents"]}
    pixels = _pooled(list(extents.values()), "moved")
    return {
        "model": MOVED,
        "seed": 0,
        "runs": 0,
        "description": "no model: the drawn fields against themselves, moved by one pixel",
    } | {name: getattr(pixels, name) for name in _PIXEL_RATIOS}


def _by_extent(results: list[dict[str, Any]], order: Sequence[str]) -> pd.DataFrame:
    """IoU of each extent (rows) and model (columns), mean over the seeds."""
    rows = [
        {
            "extent": e["extent"],
            "model": result["model"],
            "iou": Confusion(**e["pixels"]).iou,
        }
        for result in results
        for e in result["extents"]
    ]
    found = pd.DataFrame(rows).pivot_table(index="extent", columns="model", values="iou")
    return found.reindex(columns=order).rename_axis(columns=None).reset_index()


def _pooled(extents: list[dict[str, Any]], part: str) -> Confusion:
    return sum((Confusion(**extent[part]) for extent in extents), Confusion())


def _metrics(table: pd.DataFrame) -> dict[str, float]:
    found = {}
    for row in table.to_dict("records"):
        for name, value in row.items():
            if name.endswith(("_mean", "_spread")) and not math.isnan(value):
                found[f"{row['model']}_{name}"] = float(f"{value:.6g}")
    return found


def _page(
    table: pd.DataFrame,
    extents: pd.DataFrame,
    title: str,
    facts: Sequence[str],
    note: str,
    plate: Path,
) -> str:
    models = table[table["model"] != MOVED]
    by_extent = [
        [row[0], *(pages.number("–" if math.isnan(v) else f"{v:.3f}") for v in row[1:])]
        for row in extents.itertuples(index=False)
    ]
    return pages.page(
        title,
        *(pages.paragraph(fact) for fact in facts),
        _table(table, ACCURACY),
        _table(models, COST),
        pages.paragraph("IoU of each held-out extent:"),
        pages.table(["Extent", *map(pages.number, extents.columns[1:])], by_extent),
        pages.picture(plate, "Image, truth and maps of held-out extents"),
        note=note,
    )


def _table(table: pd.DataFrame, measures: dict[str, tuple[str, int]]) -> str:
    """One part of the measures; the best accuracies stand out."""
    models = table[table["model"] != MOVED]
    best = {name: models[f"{name}_mean"].max() for name in measures if name in ACCURACY}
    heads = [pages.number(heading) for heading, _ in measures.values()]
    rows = [
        [
            row["model"],
            pages.Cell(row["description"], "small"),
            *(_cell(row, name, digits, best.get(name)) for name, (_, digits) in measures.items()),
        ]
        for row in table.to_dict("records")
    ]
    return pages.table(["Model", "", *heads], rows)


def _cell(row: dict[str, Any], name: str, digits: int, best: float | None) -> pages.Cell:
    mean, spread = row[f"{name}_mean"], row[f"{name}_spread"]
    if math.isnan(mean):
        return pages.number("–")
    text = f"{mean:,.{digits}f}"
    if not math.isnan(spread) and name != "parameters":
        text += f" ± {spread:,.{digits}f}"
    return pages.Cell(text, "number good" if mean == best else "number")
