"""Peak memory of every rule that runs a shard at a time, and what doubling the shard adds.

Each rule's function runs in a process of its own, on a generated shard and on one of twice the
blocks. The bar of the memory is the rule's own `mem_mb` in workflow/rules; that of the growth, peak
of the doubled shard by peak of the single one, is 1.2. Blocks have the 2304 pixels of zoom 16, on
which memory hangs; of the 400 blocks of a square degree only some are there, because a whole one
takes hours on a laptop. The segmentation network is the demo's small one, untrained: the weights of
a large one come on top.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from rows import parse_options, row, run_cases

HERE = Path(__file__).resolve().parent
RULES = HERE.parent / "workflow" / "rules"
STAGES = (
    "build_mosaic", "assess_quality", "measure_terrain", "segment_shard", "measure_features",
    "classify_semantic", "choose_options", "integrate_shard", "compare_shard", "export_counties",
)  # fmt: skip
GROWTH = 1.2
SEED = 20
QUICK, FULL = (2, 1, 256), (2, 4, 2304)
"""Rows, columns and pixels along an edge of the blocks of the single shard."""


def main() -> None:
    options = parse_options(__doc__, full="half an hour")
    rows, columns, pixels = FULL if options.full else QUICK
    with tempfile.TemporaryDirectory() as scratch:
        shards = {}
        for count in (columns, 2 * columns):
            folder = Path(scratch) / str(count)
            folder.mkdir()
            shards[rows * count] = (folder, rows, count, pixels)
            in_a_new_process("prepare", shards[rows * count])
        run_cases(
            {
                stage: lambda stage=stage: measured(stage, shards, options.full)
                for stage in STAGES
            },
            options,
            seed=SEED,
            packages=["numpy", "rasterio", "torch"],
        )  # fmt: skip


def measured(stage: str, shards: dict[int, tuple], full: bool) -> list[dict]:
    """A row of the memory of the larger shard, and a row of the growth."""
    (small, one), (large, two) = shards.items()
    before, after = (in_a_new_process(stage, shard)["peak_mib"] for shard in (one, two))
    allowed = memory_of(stage)
    note = f"{large} generated blocks of {two[3]} x {two[3]} pixels; the bar is the rule's mem_mb"
    if stage == "segment_shard":
        for shard in (one, two):
            in_a_new_process("draw_mask", shard)
    growth = after / before
    return [
        row(stage, after, None, allowed, after <= allowed, large, unit="MiB", note=note),
        row(
            f"{stage}: the shard doubled", after, before, GROWTH, growth <= GROWTH or not full,
            large, unit="MiB", ratio=growth, note=f"{small} blocks beside {large}",
        ),
    ]  # fmt: skip


def memory_of(rule: str) -> float:
    """MiB that the rule asks for at its first attempt."""
    for path in sorted(RULES.glob("*.smk")):
        found = re.search(
            rf"^rule {rule}:.*?mem_mb=memory\((\d+)\)", path.read_text("utf-8"), re.S | re.M
        )
        if found:
            return float(found.group(1)) * 1e6 / 2**20
    raise LookupError(f"no rule {rule} in {RULES}")


def in_a_new_process(stage: str, shard: tuple) -> dict[str, float]:
    """What `rule_shard.py` says of a stage."""
    result = subprocess.run(
        [sys.executable, str(HERE / "rule_shard.py"), stage, *map(str, shard)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(result.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
