"""The stage that a rule belongs to, by the file of `workflow/rules` that it stands in."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

RULES = Path(__file__).resolve().parents[1] / "workflow" / "rules"
FILES = {
    "plan and labels": ("plan", "labels", "demo"),
    "tiles": ("tiles",),
    "quality and terrain": ("quality", "terrain"),
    "segmentation": ("segmentation",),
    "blocks": ("blocks", "active"),
    "validation": ("validation",),
    "comparison": ("comparison", "comparison_report"),
    "export": ("export",),
    "report": ("report", "block_figures", "examples", "province_report"),
    "crops": ("statistics", "cells", "allocation", "crop_maps", "case_report"),
}
INTEGRATION = ("train_integration", "choose_options", "integrate_shard")
"""Rules of blocks.smk that are a stage of their own in the papers."""
_RULE = re.compile(r"^rule (\w+):", re.MULTILINE)


def stages() -> dict[str, str]:
    """{rule: its stage} of the demo's rules."""
    found = {
        rule: stage
        for stage, files in FILES.items()
        for name in files
        for rule in rules_in(RULES / f"{name}.smk")
    }
    return found | dict.fromkeys(INTEGRATION, "integration")


def rules_in(path: Path) -> list[str]:
    """Names of the rules in a file of rules."""
    return _RULE.findall(path.read_text(encoding="utf-8"))


def by_stage(kills: Iterable[Iterable[str]]) -> Counter[str]:
    """Kills in which a job of a stage was at work; what is no rule counts under its own name."""
    stage_of = stages()
    return Counter(stage for rules in kills for stage in {stage_of.get(r, r) for r in rules})
