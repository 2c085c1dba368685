"""May the active learning of a province stop? (paper, section 3.2.4)"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from cropbase.atomic import write_json
from cropbase.errors import ConfigError, InputError
from croplayer.settings.validation import ValidationSettings
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
) -> dict[str, Any]:
    """Write the decision to stop or to go on with active learning as JSON.

    Parameters
    ----------
    pixel, block, province : results of the three levels of validation.
    round_number : the round of labels, from 1; round 4 is the third supplementary one.

    A level is met if either source reaches its threshold (IoU, semantic correctness, agreement of
    area). The rules, in order:

    - `thresholds_met`: every level is met: stop. An area level without official area is not
      assessed and does not stand in the way; the sentence says so.
    - `poor_imagery`: after `supplementary_rounds` further rounds a province may stop below the
      thresholds if its share of blocks without good imagery in any source is at least
      `poor_imagery_share` (the paper: "persistent cloud contamination or limited high-quality
      imagery").
    - `thresholds_not_met`: go on.

    Returns what is written: the measured values of each source, the thresholds, the rule that
    fired and a sentence. Raises InputError if a result cannot be read.
    """
    if round_number < 1:
        raise ConfigError("labels.round is not a round", given=round_number, allowed="1, 2, ...")
    pixels, blocks, areas = (
        _read(path, level)
        for path, level in ((pixel, "pixel"), (block, "block"), (province, "province"))
    )
    levels = {
        "pixel": _level(
            "IoU",
            {
                name: (value["pooled"]["iou"] if pixels["assessed"] else None)
                for name, value in pixels["maps"].items()
                if name != INTEGRATED
            },
            settings.pixel_iou,
        ),
        "block": _level(
            "semantic correctness",
            {name: v["semantic_correctness"] for name, v in blocks["sources"].items()},
            settings.block_correctness,
        ),
        "province": _level(
            "agreement with the official area",
            {s: areas["scenarios"][f"only_{s}"]["agreement"] for s in areas["sources"]},
            settings.area_agreement,
        ),
    }
    supplementary = round_number - 1
    poor = blocks["poor_imagery_share"]
    open_levels = [
        name
        for name, level in levels.items()
        if level["status"] != "met" and (name != "province" or level["status"] == "not met")
    ]
    exhausted = supplementary >= settings.supplementary_rounds
    if not open_levels:
        rule = "thresholds_met"
    elif exhausted and poor >= settings.poor_imagery_share:
        rule = "poor_imagery"
    else:
        rule = "thresholds_not_met"
    record = {
        "decision": "continue" if rule == "thresholds_not_met" else "stop",
        "rule": rule,
        "sentence": _sentence(rule, levels, open_levels, supplementary, poor, settings),
        "round": round_number,
        "supplementary_rounds": supplementary,
        "supplementary_rounds_required": settings.supplementary_rounds,
        "poor_imagery_share": poor,
        "poor_imagery_share_required": settings.poor_imagery_share,
        "levels": levels,
    }
    log.info("%s", record["sentence"])
    write_json(output, record)
    return record


def _level(measure: str, measured: dict[str, float | None], threshold: float) -> dict[str, Any]:
    known = {name: value for name, value in measured.items() if value is not None}
    best = max(known, key=lambda name: known[name]) if known else None
    status = "not assessed"
    if best is not None:
        status = "met" if known[best] >= threshold else "not met"
    return {
        "measure": measure,
        "measured": measured,
        "best_source": best,
        "best": known[best] if best is not None else None,
        "threshold": threshold,
        "status": status,
    }


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


def _read(path: Path, level: str) -> dict[str, Any]:
    try:
        value = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"validation result {path} cannot be read", given=error) from None
    if not isinstance(value, dict) or value.get("level") != level:
        raise InputError(
            f"{path} is no result of the {level} level",
            remedy="run the validation rules again",
        )
    return value
