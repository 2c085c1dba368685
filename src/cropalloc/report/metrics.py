"""The flat numbers of a case, each from the stage that measured it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cropalloc.validation.figures import read_metrics
from cropbase.atomic import write_json
from cropbase.errors import InputError
from cropbase.metrics import flat, wall_seconds

_MEASURES = ("n", "r", "r2", "r_squared", "rmse_ha")


def collect_allocation_metrics(
    *,
    output: Path,
    accounts: Mapping[int, Path] | None = None,
    certificates: Iterable[Path] = (),
    consistency: Mapping[int, Path] | None = None,
    clips: Path | None = None,
    audit: Path | None = None,
    validations: Sequence[Path] = (),
    shares: Path | None = None,
    ellipses: Path | None = None,
    extra: Sequence[Path] = (),
    benchmarks: Sequence[Path] = (),
    generated: bool = False,
) -> dict[str, Any]:
    """Write `metrics.json`: flat names with units, null where nothing was measured, and why.

    Parameters
    ----------
    accounts : year -> account of `write_maps`; gives `statistics_<year>_ha`, `map_<year>_ha`,
        `slack_<year>_ha` and `account_worst_share_<year>`, the largest difference of a target as a
        share of its statistic (of 1 ha where it is less).
    certificates : of every group of `allocate`; gives `allocation_groups`, the largest relative gap
        and residuals, `allocation_seconds` in sum, and `allocation_objective` in sum.
    consistency : year -> table of `select_cells`; counts its rows.
    clips, audit : tables of `classify_systems`, `harmonise_statistics`; their rows are counted.
    validations : measures of `validate_allocation` and `compare_product`; gives
        `<name>_<crop>_<measure>` and, over the crops, `<name>_median_r`, `<name>_median_r2` and
        `<name>_crops`. Measures of a year carry it if several years are given.
    shares, ellipses : CSV of `analyse_change`; gives `<crop>_share_<year>` and
        `<crop>_shift_<first>_<last>_km`.
    extra : JSON files whose numbers enter under `<stem>_<key>`.
    benchmarks : Snakemake's benchmark tables, summed into `wall_seconds` (job time).
    generated : True if the case is generated; written first, so that no one mistakes the numbers.

    Returns what is written. Raises InputError for a file that cannot be read or a name given twice.
    """
    metrics: dict[str, Any] = {"generated_data": generated}
    missing: list[str] = []

    def add(numbers: Mapping[str, Any], why: str = "not defined") -> None:
        for name, value in numbers.items():
            if name in metrics:
                raise InputError(f"metric {name} is given twice", remedy="rename one of its files")
            if isinstance(value, float) and not np.isfinite(value):
                value = None
            metrics[name] = value.item() if isinstance(value, np.generic) else value
            if value is None:
                missing.append(f"{name}: {why}")

    for year, path in sorted((accounts or {}).items()):
        add(_of_account(path, year))
    add(_of_certificates(list(certificates)))
    for year, path in sorted((consistency or {}).items()):
        add({f"consistency_rows_{year}": len(_csv(path))})
    for name, path in (("system_clips", clips), ("statistics_changes", audit)):
        if path is not None:
            add({name: len(_csv(path))})
    measured = [read_metrics(path) for path in validations]
    years = {value.get("year") for value in measured}
    for value in measured:
        add(_of_validation(value, with_year=len(years) > 1), "too few units or no variance")
    if shares is not None:
        table = _csv(shares, ["year", "crop", "share"])
        add({f"{r.crop}_share_{r.year}": float(r.share) for r in table.itertuples()})
    if ellipses is not None:
        add(_of_ellipses(_csv(ellipses, ["crop", "year", "shift_from_first_km"])))
    for path in extra:
        add({f"{Path(path).stem}_{k}": v for k, v in flat(_json(path)).items()}, "not written")
    add({"wall_seconds": wall_seconds(benchmarks)}, "no benchmark table was given")
    metrics["missing"] = missing
    write_json(output, metrics)
    return metrics


def _of_account(path: Path, year: int) -> dict[str, Any]:
    needed = ["system", "statistics_ha", "slack_ha", "map_ha", "difference_ha"]
    table = _csv(path, needed)
    table = table[table["system"] == "A"]
    worst = (table["difference_ha"].abs() / np.maximum(table["statistics_ha"], 1.0)).max()
    return {
        f"statistics_{year}_ha": float(table["statistics_ha"].sum()),
        f"map_{year}_ha": float(table["map_ha"].sum()),
        f"slack_{year}_ha": float(table["slack_ha"].sum()),
        f"account_worst_share_{year}": float(worst),
        f"targets_{year}": len(table),
    }


def _of_certificates(paths: list[Path]) -> dict[str, Any]:
    """Sums of objectives and seconds, and the worst of every residual and gap."""
    if not paths:
        return {}
    values = [flat(_json(path)) for path in paths]
    found: dict[str, Any] = {"allocation_groups": len(values)}
    for key in sorted({key for value in values for key in value}):
        numbers = [v[key] for v in values if isinstance(v.get(key), int | float)]
        numbers = [float(n) for n in numbers if not isinstance(n, bool)]
        if not numbers:
            continue
        if key in ("objective", "seconds"):
            found[f"allocation_{key}"] = sum(numbers)
        elif "residual" in key or "gap" in key:
            found[f"allocation_worst_{key}"] = max(abs(number) for number in numbers)
    return found


def _of_validation(value: dict[str, Any], *, with_year: bool) -> dict[str, Any]:
    name = str(value["name"]) + (f"_{value['year']}" if with_year else "")
    found: dict[str, Any] = {}
    for crop, numbers in value["crops"].items():
        for measure in _MEASURES:
            found[f"{name}_{crop}_{measure}"] = numbers.get(measure)
    for measure, number in (value.get("placement") or {}).items():
        found[f"{name}_{measure}"] = number
    for measure in ("r", "r2"):
        known = [v[measure] for v in value["crops"].values() if v.get(measure) is not None]
        found[f"{name}_median_{measure}"] = float(np.median(known)) if known else None
    found[f"{name}_crops"] = len(value["crops"])
    return found


def _of_ellipses(table: pd.DataFrame) -> dict[str, Any]:
    found = {}
    for crop, rows in table.sort_values("year").groupby("crop"):
        if len(rows) > 1:
            first, last = rows["year"].iloc[0], rows["year"].iloc[-1]
            found[f"{crop}_shift_{first}_{last}_km"] = float(rows["shift_from_first_km"].iloc[-1])
    return found


def _csv(path: Path, columns: Sequence[str] = ()) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, encoding="utf-8")
    except pd.errors.EmptyDataError:
        table = pd.DataFrame()
    except (OSError, ValueError) as error:
        raise InputError(f"table {path} cannot be read", given=error) from None
    lacking = [name for name in columns if name not in table]
    if lacking:
        raise InputError(f"table {path} has no column {', '.join(lacking)}")
    return table


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read", given=error) from None
    if not isinstance(value, dict):
        raise InputError(f"{path} must hold an object", given=type(value).__name__)
    return value
