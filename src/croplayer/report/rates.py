"""Rates of a finished run, for the plan of the next: `python -m croplayer.report.rates PROVINCE`.

Prints a section `plan` to paste into a configuration file. Every rate comes from the files and
Snakemake benchmark tables of that run; what it did not do is left out.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import rasterio

from cropbase.errors import InputError
from cropbase.jobs import run_command
from cropbase.metrics import wall_seconds
from croplayer.grid.planning import read_plan


def measured_rates(folder: Path) -> dict[str, float]:
    """Rates of the run in `folder` (results/<province>), named as in the section `plan`.

    The seconds are those of the jobs, one after another; jobs that shared cores with others were
    slower than alone. Raises InputError if the run has no plan or has not made any mosaic.
    """
    plan = folder / "plan" / "blocks.parquet"
    mosaics = sorted(folder.glob("mosaic/*/*.tif"))
    if not plan.exists() or not mosaics:
        raise InputError(
            f"{folder} holds no run to measure",
            remedy="run the workflow of this province first (`snakemake --config provinces=NAME`)",
        )
    rates = {}
    tiles = sorted(folder.glob("tiles/*/*.mbtiles"))
    stored = sum(_stored_tiles(path) for path in tiles)
    if stored:
        rates["bytes_per_tile"] = sum(path.stat().st_size for path in tiles) / stored
    megapixels = sum(_megapixels(path) for path in mosaics)
    size = sum(path.stat().st_size for path in mosaics)
    rates["mosaic_bytes_per_pixel"] = size / megapixels / 1e6
    blocks = len(read_plan(plan)) * len({path.parent.name for path in mosaics})
    masks = sum(_megapixels(path) for path in folder.glob("mask/*/*.tif"))
    for name, amount, rules in (
        ("mosaic_megapixels_per_second", megapixels, ["build_mosaic"]),
        ("segmentation_megapixels_per_second", masks, ["segment_shard"]),
        ("blocks_per_second", blocks, ["assess_quality", "measure_features"]),
    ):
        seconds = [wall_seconds(_benchmarks(folder, rule)) for rule in rules]
        if all(seconds):
            rates[name] = amount / sum(s for s in seconds if s)
    return rates


def _benchmarks(folder: Path, rule: str) -> list[Path]:
    return sorted((folder / "benchmarks" / rule).rglob("*.tsv"))


def _megapixels(path: Path) -> float:
    with rasterio.open(path) as dataset:
        return dataset.width * dataset.height / 1e6


def _stored_tiles(path: Path) -> int:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return connection.execute("SELECT COUNT(*) FROM tiles").fetchone()[0]


def _print_rates(province: str, results: Path) -> Callable[[], None]:
    def work() -> None:
        rates = measured_rates(results / province)
        lines = [f"plan:  # measured in the run of {province}"]
        lines += [f"  {name}: {value:.4g}" for name, value in rates.items()]
        sys.stdout.write("\n".join(lines) + "\n")

    return work


def main(arguments: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m croplayer.report.rates",
        description="Print the rates of a finished run as a section `plan` of the configuration.",
    )
    parser.add_argument("province", help="name of the province whose run is measured")
    parser.add_argument(
        "--results", type=Path, default=Path("results"), help="folder of the results"
    )
    given = parser.parse_args(arguments)
    return run_command(_print_rates(given.province, given.results))


if __name__ == "__main__":
    sys.exit(main())
