"""The flat numbers of a run, each from the stage that measured it."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cropbase.atomic import write_json
from cropbase.errors import InputError
from cropbase.metrics import flat, wall_seconds
from croplayer.report.results import pick, read_json

Finder = Callable[[dict[str, Any]], Any]


def _at(*keys: str) -> Finder:
    return lambda value: pick(value, *keys)


# name -> (stage, how to find it, what it means when it is missing)
_METRICS: dict[str, tuple[str, Finder, str]] = {
    "pixel_iou": ("pixel", lambda v: _of_final(v, "iou"), "no labelled pixel was held out"),
    "pixel_precision": ("pixel", lambda v: _of_final(v, "precision"), "nothing was mapped"),
    "pixel_recall": ("pixel", lambda v: _of_final(v, "recall"), "no cropland was labelled"),
    "pixel_f1": ("pixel", lambda v: _of_final(v, "f1"), "no labelled pixel was held out"),
    "pixel_overall_accuracy": (
        "pixel",
        lambda v: _of_final(v, "overall_accuracy"),
        "no labelled pixel was held out",
    ),
    "pixel_extents": ("pixel", _at("extents"), "not written"),
    "block_semantic_correctness": (
        "block",
        lambda v: pick(v, "integration", "semantic_correctness"),
        "a single source is not integrated",
    ),
    "block_poor_imagery_share": ("block", _at("poor_imagery_share"), "not written"),
    "block_solidity_mean": (
        "block",
        _at("integration", "solidity_mean"),
        "the final map has no cropland, or a single source is not integrated",
    ),
    "block_euler_number_mean": (
        "block",
        _at("integration", "en_mean"),
        "the final map has no cropland, or a single source is not integrated",
    ),
    "province_area_ha": ("province", lambda v: _of_scenario(v, "cropland_ha"), "not written"),
    "province_official_area_ha": ("province", _at("official_area_ha"), "none is known"),
    "province_area_ratio": (
        "province",
        lambda v: _of_scenario(v, "ratio"),
        "no official area is known",
    ),
    "province_unusable_ha": ("province", lambda v: _of_scenario(v, "unusable_ha"), "not written"),
    "stopping_decision": ("stopping", _at("decision"), "not written"),
    "stopping_round": ("stopping", _at("round"), "not written"),
    "coverage_top1": ("coverage", _at("held_out", "top1_accuracy"), "no block was held out"),
    "coverage_majority_share": (
        "coverage",
        _at("held_out", "majority_share"),
        "no block was held out",
    ),
    "coverage_train_seconds": ("coverage", _at("seconds"), "not written"),
    "segmentation_validation_iou": (
        "segmentation",
        lambda v: pick(v, "result", "validation", "iou"),
        "training was not validated",
    ),
    "segmentation_steps": ("segmentation", _at("result", "steps"), "not written"),
    "segmentation_parameters": ("segmentation", _at("result", "parameters"), "not written"),
    "segmentation_train_seconds": ("segmentation", _at("run", "wall_seconds"), "not written"),
    "semantic_accuracy": ("semantic", _at("test", "accuracy"), "no block was held out"),
    "semantic_balanced_accuracy": (
        "semantic",
        _at("test", "balanced_accuracy"),
        "no block was held out",
    ),
    "semantic_test_rows": ("semantic", _at("test_rows"), "not written"),
    "integration_accuracy": ("integration", _at("test", "accuracy"), "no block was held out"),
    "integration_balanced_accuracy": (
        "integration",
        _at("test", "balanced_accuracy"),
        "no block was held out",
    ),
    "integration_test_rows": ("integration", _at("test_rows"), "not written"),
}


def collect_metrics(
    *,
    output: Path,
    pixel: Path | None = None,
    block: Path | None = None,
    province: Path | None = None,
    stopping: Path | None = None,
    coverage_card: Path | None = None,
    segmentation_card: Path | None = None,
    semantic_card: Path | None = None,
    integration_card: Path | None = None,
    areas: Path | None = None,
    extra: list[Path] | None = None,
    benchmarks: list[Path] | None = None,
    generated: bool = False,
) -> dict[str, Any]:
    """Write `metrics.json`: flat names with units, null where a stage did not measure, and why.

    Parameters
    ----------
    pixel, block, province, stopping : results of `croplayer.validation`.
    coverage_card, segmentation_card, semantic_card, integration_card : cards of the models. A
        stage that the run did not have is None.
    areas : the account of the county files; gives `export_*` numbers.
    extra : JSON files of further numbers, such as the demo's score against its truth; their
        numbers enter under `<file stem>_<key>`, or `<key>` if it begins with the stem.
    benchmarks : Snakemake benchmark tables; their seconds are summed into `wall_seconds` (job time:
        jobs that ran side by side both count).
    generated : True if the case is generated; written first, so that no one mistakes the numbers.

    Returns what is written. `missing` lists `name: reason` for every null. Numbers of a single
    source's map come from its mask. Raises InputError for a file that cannot be read, or for two
    extra files that give one name.
    """
    given = {
        "pixel": pixel,
        "block": block,
        "province": province,
        "stopping": stopping,
        "coverage": coverage_card,
        "segmentation": segmentation_card,
        "semantic": semantic_card,
        "integration": integration_card,
    }
    values = {stage: read_json(path) for stage, path in given.items() if path is not None}
    metrics: dict[str, Any] = {"generated_data": generated}
    missing: list[str] = []
    for name, (stage, find, reason) in _METRICS.items():
        found = find(values[stage]) if stage in values else None
        metrics[name] = found
        if found is None:
            missing.append(
                f"{name}: {reason if stage in values else f'no {stage} result in this run'}"
            )
    metrics |= _each_source(values)
    metrics |= _of_account(areas)
    for path in extra or []:
        for key, value in flat(read_json(path)).items():
            stem = Path(path).stem
            name = key if key.startswith(stem) else f"{stem}_{key}"
            if name in metrics:
                raise InputError(f"metric {name} of {path} is given twice")
            metrics[name] = value
    metrics["wall_seconds"] = wall_seconds(benchmarks)
    if metrics["wall_seconds"] is None:
        missing.append("wall_seconds: no benchmark table was given")
    metrics["missing"] = missing
    write_json(output, metrics)
    return metrics


def _of_final(pixel: dict[str, Any], key: str) -> Any:
    """A pixel ratio of the integrated map; with a single source, of its mask."""
    maps = pick(pixel, "maps") or {}
    name = "integrated" if "integrated" in maps else next(iter(maps), None)
    return pick(maps, name, "pooled", key) if pixel.get("assessed") and name else None


def _of_scenario(province: dict[str, Any], key: str) -> Any:
    """A number of the selected integration; with a single source, of that source."""
    scenarios = pick(province, "scenarios") or {}
    name = "integrated" if "integrated" in scenarios else next(iter(scenarios), None)
    return pick(scenarios, name, key) if name else None


def _each_source(values: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The same measures of each source by itself."""
    found: dict[str, Any] = {}
    for name, result in (pick(values.get("pixel"), "maps") or {}).items():
        if name != "integrated":
            found[f"pixel_iou_{name}"] = pick(result, "pooled", "iou")
    for name, result in (pick(values.get("block"), "sources") or {}).items():
        found[f"block_semantic_correctness_{name}"] = pick(result, "semantic_correctness")
    for name, result in (pick(values.get("province"), "scenarios") or {}).items():
        if name != "integrated":
            found[f"province_area_ratio_{name}"] = pick(result, "ratio")
    return found


def _of_account(areas: Path | None) -> dict[str, Any]:
    """Sums over the counties of the export's account."""
    if areas is None:
        return {}
    try:
        with open(areas, newline="", encoding="utf-8") as handle:
            rows = list(csv.DictReader(handle))
        return {
            "export_polygons": sum(int(row["polygons"]) for row in rows),
            "export_polygon_ha": round(sum(float(row["polygon_ha"]) for row in rows), 3),
            "export_raster_ha": round(sum(float(row["raster_ha"]) for row in rows), 3),
        }
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"account of areas {areas} cannot be read", given=error) from None
