"""Write docs/performance.md from measured rows: `python benchmarks/page.py a.json b.json`.

A row that was not run is not there; a row given twice counts as in the last file.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
HEAD = """# Performance

Written by `python benchmarks/page.py` from rows that `benchmarks/allocation.py --full --json`
measured: both sides in one run, the certificate included in our time, compilation left out. A row
that was not run is not here.

| case | ours | peer | ratio | bar | |
|---|---|---|---|---|---|
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=Path, nargs="+", help="JSON files of a benchmark")
    parser.add_argument("--output", type=Path, default=PAGE)
    options = parser.parse_args()
    rows = {}
    for path in options.rows:
        for row in json.loads(path.read_text(encoding="utf-8")):
            rows[row["case"]] = row
    options.output.write_text(page(list(rows.values())), encoding="utf-8")


def page(rows: list[dict]) -> str:
    """The page: a table of the rows, and on what they were measured."""
    lines = [
        f"| {row['case']} | {number(row['ours'])} | {number(row['peer'])} | {number(row['ratio'])} "
        f"| {number(row['bar'])} | {'reached' if row['passed'] else '**not reached**'} |"
        for row in rows
    ]
    units = sorted({row["unit"] for row in rows})
    hardware = sorted({text(row["hardware"]) for row in rows})
    versions = sorted({text(row["versions"]) for row in rows})
    foot = [
        "",
        f"Units: {'; '.join(units)}. A bar without a ratio is one of seconds.",
        "",
        *[f"Measured on {line}." for line in hardware],
        *[f"With {line}." for line in versions],
    ]
    return HEAD + "\n".join([*lines, *foot]) + "\n"


def number(value: float | None) -> str:
    """Three digits, or a dash where there is none."""
    return "-" if value is None else f"{value:.3g}"


def text(value: dict | str) -> str:
    """A mapping as `key value, key value`."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {inner}" for key, inner in value.items())
    return str(value)


if __name__ == "__main__":
    main()
