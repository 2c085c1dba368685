"""Peak memory of every rule that runs a shard at a time, and what doubling the shard adds.

Each rule's function runs in a process of its own on a generated shard of 400 blocks, a square
degree, and on one of half its width, which is the harder half: what is held a row of the raster
doubles with it. Blocks have the 2304 pixels of zoom 16; counties have 100 blocks. Rules that join
the shards of a province are there as far as one shard tells. The bar of the memory is the rule's
own `mem_mb` in workflow/rules; that of the growth, peak of the larger shard by peak of the smaller
one, is 1.2. Networks are untrained. That of `segment_shard` is a single convolution
(`light_network.py`), so that what is measured is the engine: windows, blending, writing; a real
network's own memory comes on top, and does not depend on the shard. Rules whose network takes hours
for 400 blocks are measured on a row of them: `assess_quality`, which knows one block at a time, on
10 and 20, the width of a degree; the engine with the demo's network on 8 and 16. Figures have no
row of growth: their canvas has the shape of the shard.

Tiles are of squares of one colour, so that a shard fits on a laptop's disk. Masks (small fields all
over), the final map (fields in a quarter of each block) and the quality of images stand in for what
untrained networks answer. `--work FOLDER` keeps everything, and a run that was killed goes on.
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

from cropbase.atomic import write_json

HERE = Path(__file__).resolve().parent
RULES = HERE.parent / "workflow" / "rules"
DEMO = "segment_demo"
NEEDS = {
    "prepare": (),
    "fetch_tiles": ("prepare",),
    "build_mosaic": ("fetch_tiles",),
    "assess_quality": ("build_mosaic",),
    "measure_terrain": ("prepare",),
    "segment_shard": ("build_mosaic",),
    DEMO: ("build_mosaic",),
    "stand_in": ("prepare",),
    "stand_in_map": ("prepare",),
    "measure_features": ("stand_in", "measure_terrain"),
    "classify_semantic": ("measure_features",),
    "choose_options": ("classify_semantic",),
    "integrate_shard": ("choose_options",),
    "compare_shard": ("stand_in_map",),
    "validate_blocks": ("choose_options", "stand_in_map"),
    "validate_province": ("stand_in", "stand_in_map"),
    "summarise_comparison": ("compare_shard", "measure_terrain", "validate_province"),
    "export_counties": ("stand_in_map",),
    "tabulate_blocks": ("choose_options", "validate_province"),
    "plot_overview": ("segment_shard", "integrate_shard"),
    "plot_quality": ("build_mosaic", "tabulate_blocks"),
}
"""Stages, and those whose files they read."""
STAGES = tuple(
    stage for stage in NEEDS if stage not in ("prepare", "stand_in", "stand_in_map", DEMO)
)
"""Those that are rules of the workflow."""
CASES = {DEMO: ("segment_shard", "segment_shard, the demo's network")}
"""Stage -> rule and case, where they are not the stage itself."""
FIGURES = ("plot_overview", "plot_quality")
"""Rules whose canvas has the shape of the shard: half of one is another figure, and no measure."""
GROWTH = 1.2
SEED = 20
QUICK, FULL = (2, 1, 256), (20, 10, 2304)
"""Rows, columns and pixels along an edge of the blocks of a shard; of two, of the smaller one."""
SIZES = {"assess_quality": (1, 10, 2304), DEMO: (1, 8, 2304)}
"""Those of stages that would take hours: a row of blocks."""


@dataclass(frozen=True)
class Shard:
    """A generated shard below `work`, and the figures of its stages that were run."""

    work: Path
    rows: int
    columns: int
    pixels: int

    @property
    def blocks(self) -> int:
        return self.rows * self.columns

    @property
    def folder(self) -> Path:
        return self.work / f"{self.rows}x{self.columns}x{self.pixels}"

    def figures(self, stage: str) -> dict[str, float]:
        """Figures of a stage, run once; so are the stages that it needs, where they were not."""
        done = self.folder / f"{stage}.figures.json"
        if not done.exists():
            for needed in NEEDS[stage]:
                self.figures(needed)
            self.folder.mkdir(parents=True, exist_ok=True)
            write_json(done, json.loads(self._run(stage)))
        return json.loads(done.read_text(encoding="utf-8"))

    def _run(self, stage: str) -> str:
        shape = map(str, (self.folder, self.rows, self.columns, self.pixels))
        result = subprocess.run(
            [sys.executable, str(HERE / "rule_shard.py"), stage, *shape],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return result.stdout.splitlines()[-1]


def main() -> None:
    options = parse_options(__doc__, full="an hour, 5 GB of disk", own=own_options)
    with tempfile.TemporaryDirectory() as scratch:
        work = options.work or Path(scratch)
        # In a full run for what numba compiles at the first call, which would be a peak of its own.
        quick = [Shard(work, *QUICK)]
        cases = {
            stage: lambda stage=stage: measured(
                stage, quick + (doubled(work, *SIZES.get(stage, FULL)) if options.full else [])
            )
            for stage in (*STAGES, DEMO)
        }
        run_cases(cases, options, seed=SEED, packages=["numpy", "rasterio", "torch"])


def own_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--work", type=Path, help="keep shards and figures here, and go on there")


def doubled(work: Path, rows: int, columns: int, pixels: int) -> list[Shard]:
    """A shard, and one of twice its width."""
    return [Shard(work, rows, count, pixels) for count in (columns, 2 * columns)]


def measured(stage: str, shards: list[Shard]) -> list[dict]:
    """A row of the memory of the last shard; of its growth too, where there is a smaller one."""
    peaks = [shard.figures(stage)["peak_mib"] for shard in shards]
    rule, case = CASES.get(stage, (stage, stage))
    last, peak, allowed = shards[-1], peaks[-1], memory_of(rule)
    what = f"{last.blocks} generated blocks of {last.pixels} x {last.pixels} pixels"
    rows = [
        row(
            case, peak, None, allowed, peak <= allowed, last.blocks, unit="MiB",
            note=f"{what}; the bar is the rule's mem_mb",
        )
    ]  # fmt: skip
    if len(shards) > 1 and stage not in FIGURES:
        growth = peak / peaks[-2]
        rows.append(
            row(
                f"{case}: the shard doubled", peak, peaks[-2], GROWTH, growth <= GROWTH,
                last.blocks, unit="MiB", ratio=growth,
                note=f"{shards[-2].blocks} blocks beside {last.blocks}",
            )
        )  # fmt: skip
    return rows


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
