"""Peak memory of every rule that runs a shard at a time, and what doubling the shard adds.

Each rule's function runs in a process of its own on a generated shard of 400 blocks, a square
degree, and on one of half its width, which is the harder half: what is held a row of the raster
doubles with it. Blocks have the 2304 pixels of zoom 16; counties have 100 blocks. Rules that join
the shards of a province are there as far as one shard tells. The bar of the memory is the rule's
own `mem_mb` in workflow/rules; that of the growth, peak of the larger shard by peak of the smaller
one, is 1.2. Networks are untrained. That of `segment_shard` is the lightest that the settings can
describe (a PIDNet of 8 channels), so that what is measured is the engine: windows, blending,
writing; a larger network's own memory comes on top, and does not depend on the shard. The rows of
the demo's network are of 8 and 16 blocks, because 400 take it hours.

Tiles are of squares of one colour, so that a shard fits on a laptop's disk; masks and the second
source's quality stand in for what untrained networks answer. `--work FOLDER` keeps everything, and
a run that was killed goes on from there.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from rows import parse_options, row, run_cases

HERE = Path(__file__).resolve().parent
RULES = HERE.parent / "workflow" / "rules"
STAGES = (
    "fetch_tiles", "build_mosaic", "assess_quality", "measure_terrain", "segment_shard",
    "measure_features", "classify_semantic", "choose_options", "integrate_shard", "compare_shard",
    "validate_blocks", "validate_province", "summarise_comparison", "export_counties",
    "tabulate_blocks", "plot_overview", "plot_quality",
)  # fmt: skip
"""Rules, in an order in which each finds what it reads."""
UNMEASURED = {"prepare": STAGES[0], "stand_in": "measure_features"}
"""What is made for the rules, and the first rule that needs it."""
DEMO = "segment_demo"
GROWTH = 1.2
SEED = 20
TINY, QUICK, FULL = (2, 1, 256), (2, 1, 256), (20, 10, 2304)
SMALL = 2, 4, 2304
"""Rows, columns and pixels along an edge of the blocks of the smaller shard."""


@dataclass(frozen=True)
class Shard:
    """A generated shard in `folder`, and the figures of its stages that were run."""

    folder: Path
    rows: int
    columns: int
    pixels: int

    @property
    def blocks(self) -> int:
        return self.rows * self.columns

    def peak_mib(self, stage: str, before: tuple[str, ...]) -> float:
        """Peak of a stage, once; the stages `before` it are run where they have not been."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for needed in before:
            self._run(needed)
        return self._run(stage)["peak_mib"]

    def _run(self, stage: str) -> dict[str, float]:
        done = self.folder / f"{stage}.figures.json"
        if not done.exists():
            shape = map(str, (self.folder, self.rows, self.columns, self.pixels))
            result = subprocess.run(
                [sys.executable, str(HERE / "rule_shard.py"), stage, *shape],
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            done.write_text(result.stdout.splitlines()[-1], encoding="utf-8")
        return json.loads(done.read_text(encoding="utf-8"))


def main() -> None:
    options = parse_options(__doc__, full="two hours, 5 GB of disk", own=own_options)
    with tempfile.TemporaryDirectory() as scratch:
        work = options.work or Path(scratch)
        if options.full:
            # What numba compiles at the first call would be the peak of the smaller shard alone.
            first = Shard(work / "compiled", *TINY)
            pair, small = doubled(work / "full", *FULL), doubled(work / "demo", *SMALL)
        else:
            first, pair, small = None, doubled(work / "quick", *QUICK), None
        cases = {stage: lambda stage=stage: measured(stage, pair, first) for stage in STAGES}
        if small:
            cases[DEMO] = lambda: measured(DEMO, small, first)
        run_cases(cases, options, seed=SEED, packages=["numpy", "rasterio", "torch"])


def own_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--work", type=Path, help="keep shards and figures here, and go on there")


def doubled(folder: Path, rows: int, columns: int, pixels: int) -> tuple[Shard, Shard]:
    """A shard, and one of twice its width."""
    return tuple(
        Shard(folder / str(rows * count), rows, count, pixels) for count in (columns, 2 * columns)
    )


def measured(stage: str, pair: tuple[Shard, Shard], first: Shard | None) -> list[dict]:
    """A row of the memory of the larger shard, and a row of the growth; `first` is not measured."""
    before = needed_by(stage)
    if first is not None:
        first.peak_mib(stage, before)
    small, large = pair
    one, two = (shard.peak_mib(stage, before) for shard in pair)
    rule, case = ("segment_shard", f"segment_shard, the demo's network") if stage == DEMO else (stage,) * 2
    allowed = memory_of(rule)
    note = f"{large.blocks} generated blocks of {large.pixels} x {large.pixels} pixels; the bar is "
    growth, real = two / one, first is not None
    return [
        row(
            case, two, None, allowed, two <= allowed, large.blocks, unit="MiB",
            note=f"{note}the rule's mem_mb",
        ),
        row(
            f"{case}: the shard doubled", two, one, GROWTH, growth <= GROWTH or not real,
            large.blocks, unit="MiB", ratio=growth,
            note=f"{small.blocks} blocks beside {large.blocks}",
        ),
    ]  # fmt: skip


def needed_by(stage: str) -> tuple[str, ...]:
    """What must have been run before a stage, in order."""
    if stage == DEMO:
        return ("prepare", "fetch_tiles", "build_mosaic")
    position = STAGES.index(stage)
    found: list[str] = []
    for earlier in (*STAGES[:position], stage):
        found += [made for made, user in UNMEASURED.items() if user == earlier]
        found += [earlier] * (earlier != stage)
    return tuple(found)


def memory_of(rule: str) -> float:
    """MiB that the rule asks for at its first attempt."""
    for path in sorted(RULES.glob("*.smk")):
        found = re.search(
            rf"^rule {rule}:.*?mem_mb=memory\((\d+)\)", path.read_text("utf-8"), re.S | re.M
        )
        if found:
            return float(found.group(1)) * 1e6 / 2**20
    raise LookupError(f"no rule {rule} in {RULES}")


if __name__ == "__main__":
    main()
