"""May the active learning of a province stop? (paper, section 3.2.4)"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cropbase.atomic import write_json
from cropbase.digests import file_sha256
from cropbase.errors import ConfigError
from croplayer.active.lock import read_lock
from croplayer.report.results import pick, read_json, read_result
from croplayer.settings.validation import ValidationSettings
from croplayer.validation.bootstrap import share_interval
from croplayer.validation.pixel import INTEGRATED

log = logging.getLogger(__name__)


def decide(
    *,
    pixel: Path,
    block: Path,
    province: Path,
    settings: ValidationSettings,
    round_number: int,
    output: Path,
    earlier: Sequence[Path] = (),
    lock: Path | None = None,
    tables: Sequence[Path] = (),
    models: Sequence[Path] = (),
    config_sha256: str | None = None,
) -> dict[str, Any]:
    """Write the decision to stop or to go on with active learning as JSON.

    Parameters
    ----------
    pixel, block, province : results of the three levels of validation.
    round_number : the round of labels, from 1; round 4 is the third supplementary one.
    earlier : decisions of earlier rounds, as far as they were recorded.
    lock, tables : the lock of the polygon files and the settled tables that were learned from.
    models : the weights of every model behind the maps.
    config_sha256 : hash of the configuration.

    A level is met if either source reaches its threshold: IoU and agreement of area at least,
    semantic correctness above it. The rules, in order:

    - `thresholds_met`: every level is met: stop. An area level without official area is not
      assessed and does not stand in the way; the sentence says so.
    - `poor_imagery`: after `supplementary_rounds` further rounds a province may stop below the
      thresholds if its share of blocks without good imagery in any source is at least
      `poor_imagery_share`, and was so in every supplementary round that was recorded (the paper:
      "persistent cloud contamination or limited high-quality imagery").
    - `thresholds_not_met`: go on.

    Returns what is written: the measured values of each source with 95 % intervals (extents, or
    blocks, drawn with replacement), the thresholds, the change since the round before, the rule
    that fired, a sentence, and hashes of labels, models and configuration. Raises InputError if a
    result cannot be read.
    """
    if round_number < 1:
        raise ConfigError("labels.round is not a round", given=round_number, allowed="1, 2, ...")
    pixels, blocks, areas = (
        read_result(path, level=level)
        for path, level in ((pixel, "pixel"), (block, "block"), (province, "province"))
    )
    before = _earlier(earlier, round_number)
    levels = measured_levels(pixels, blocks, areas, settings)
    for name, level in levels.items():
        last = pick(before, round_number - 1, "levels", name, "best")
        both = level["best"] is not None and last is not None
        level["change"] = level["best"] - last if both else None
    poor = blocks["poor_imagery_share"]
    open_levels = [
        name
        for name, level in levels.items()
        if level["status"] != "met" and (name != "province" or level["status"] == "not met")
    ]
    supplementary = round_number - 1
    shares = {number: record["poor_imagery_share"] for number, record in before.items()}
    rule = "thresholds_not_met"
    if not open_levels:
        rule = "thresholds_met"
    elif is_exhausted(shares | {round_number: poor}, settings):
        rule = "poor_imagery"
    record = {
        "decision": "continue" if rule == "thresholds_not_met" else "stop",
        "rule": rule,
        "sentence": _sentence(rule, levels, open_levels, supplementary, poor, settings),
        "round": round_number,
        "supplementary_rounds": supplementary,
        "supplementary_rounds_required": settings.supplementary_rounds,
        "poor_imagery_share": poor,
        "poor_imagery_share_required": settings.poor_imagery_share,
        "poor_imagery_share_of_earlier_rounds": {str(n): share for n, share in shares.items()},
        "levels": levels,
        "sha256": {
            "labels": _hashes_of_labels(lock, tables),
            "models": {path.parent.parent.name: file_sha256(path) for path in models},
            "config": config_sha256,
        },
    }
    log.info("%s", record["sentence"])
    write_json(output, record)
    return record


def is_exhausted(shares: dict[int, float], settings: ValidationSettings) -> bool:
    """Were there enough supplementary rounds, all of poor imagery as far as they were recorded?

    `shares` : round -> share of blocks without a good image in any source, up to the present round.
    """
    enough = max(shares) - 1 >= settings.supplementary_rounds
    least = min(
        (share for number, share in shares.items() if number > 1), default=shares[max(shares)]
    )
    return enough and least >= settings.poor_imagery_share


def measured_levels(
    pixels: dict[str, Any],
    blocks: dict[str, Any],
    areas: dict[str, Any],
    settings: ValidationSettings,
) -> dict[str, dict[str, Any]]:
    """The three levels: measured values of each source, their intervals, thresholds and status."""
    maps = {name: found for name, found in pixels["maps"].items() if name != INTEGRATED}
    scenarios = {source: areas["scenarios"][f"only_{source}"] for source in areas["sources"]}
    draws = {"repeats": settings.bootstrap_repeats, "seed": settings.bootstrap_seed}
    return {
        "pixel": _level(
            "IoU",
            {n: (v["pooled"]["iou"] if pixels["assessed"] else None) for n, v in maps.items()},
            {n: pick(v, "interval_95", "iou") for n, v in maps.items()},
            settings.pixel_iou,
        ),
        "block": _level(
            "semantic correctness",
            {n: v["semantic_correctness"] for n, v in blocks["sources"].items()},
            {
                n: share_interval(v["semantic_correctness"], v["blocks"], **draws)
                for n, v in blocks["sources"].items()
                if v["semantic_correctness"] is not None
            },
            settings.block_correctness,
            above=True,
        ),
        "province": _level(
            "agreement with the official area",
            {source: found["agreement"] for source, found in scenarios.items()},
            {source: found["agreement_interval_95"] for source, found in scenarios.items()},
            settings.area_agreement,
        ),
    }


def _level(
    measure: str,
    measured: dict[str, float | None],
    intervals: dict[str, list[float] | None],
    threshold: float,
    *,
    above: bool = False,
) -> dict[str, Any]:
    """One level; `above`: the threshold must be exceeded and not only reached."""
    known = {name: value for name, value in measured.items() if value is not None}
    best = max(known, key=lambda name: known[name]) if known else None
    status = "not assessed"
    if best is not None:
        met = known[best] > threshold or (known[best] == threshold and not above)
        status = "met" if met else "not met"
    return {
        "measure": measure,
        "measured": measured,
        "interval_95": {name: intervals.get(name) for name in measured},
        "best_source": best,
        "best": known[best] if best is not None else None,
        "threshold": threshold,
        "threshold_must_be": "exceeded" if above else "reached",
        "status": status,
    }


def _earlier(paths: Sequence[Path], round_number: int) -> dict[int, dict[str, Any]]:
    """The records of earlier rounds by their number, in order."""
    records = {int(record["round"]): record for record in map(read_json, paths)}
    return {number: records[number] for number in sorted(records) if number < round_number}


def _hashes_of_labels(lock: Path | None, tables: Sequence[Path]) -> dict[str, str]:
    """sha256 of the content of the polygon files, and of the settled tables."""
    hashes = {} if lock is None else {k: v["sha256"] for k, v in read_lock(lock)["files"].items()}
    return hashes | {path.stem: file_sha256(path) for path in tables}


def _sentence(
    rule: str,
    levels: dict[str, dict[str, Any]],
    open_levels: list[str],
    supplementary: int,
    poor: float,
    settings: ValidationSettings,
) -> str:
    parts = []
    for name, level in levels.items():
        if level["status"] == "not assessed":
            parts.append(f"the {name} level is not assessed")
        else:
            parts.append(
                f"the {level['measure']} of {level['best_source']} is {level['best']:.3f} "
                f"(threshold {level['threshold']:.2f}, {level['status']})"
            )
    values = ", ".join(parts)
    if rule == "thresholds_met":
        return f"Stop: every assessed level is met: {values}."
    still = " and ".join(open_levels)
    plural = " is" if len(open_levels) == 1 else "s are"
    if rule == "poor_imagery":
        return (
            f"Stop by exception: the {still} level{plural} not met after {supplementary} "
            f"supplementary rounds, but {poor:.1%} of the blocks have no good imagery at all "
            f"(at least {settings.poor_imagery_share:.0%} allows the exception): {values}."
        )
    return (
        f"Continue: the {still} level{plural} not met after {supplementary} supplementary rounds: "
        f"{values}."
    )
