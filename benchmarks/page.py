"""Write docs/performance.md from the rows of all benchmarks: `python benchmarks/page.py`.

Reads benchmarks/results/<name>.json, as `benchmarks/<name>.py --full --json` wrote it; other files
can be given. A row that was not run is not there; a case given twice counts as in the last file.
"""

from __future__ import annotations

import argparse
import ast
import json
from pathlib import Path

HERE = Path(__file__).parent
RESULTS = HERE / "results"
PAGE = HERE.parent / "docs" / "performance.md"
HEAD = """# Performance

Written by `python benchmarks/page.py` from rows that the benchmarks measured: both sides in one
run, compilation left out. A row that was not run is not here. Each section is made anew by
`python benchmarks/<name>.py --full --json benchmarks/results/<name>.json`.
"""
TABLE = ["| case | ours | peer | ratio | bar | |", "|---|---|---|---|---|---|"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "rows", type=Path, nargs="*", help="JSON files of benchmarks, named after them"
    )
    parser.add_argument("--output", type=Path, default=PAGE)
    options = parser.parse_args()
    files = options.rows or sorted(RESULTS.glob("*.json"))
    if not files:
        parser.error(f"no rows: no file in {RESULTS}; run a benchmark with --full --json first")
    options.output.write_text(page(files), encoding="utf-8")


def page(files: list[Path]) -> str:
    """The page: a section a benchmark (files of one name make one), in the order given."""
    benchmarks: dict[str, dict[str, dict]] = {}
    for path in files:
        cases = benchmarks.setdefault(path.stem, {})
        for row in json.loads(path.read_text(encoding="utf-8")):
            cases[row["case"]] = row
    sections = [section(name, list(cases.values())) for name, cases in benchmarks.items() if cases]
    return "\n".join([HEAD, *sections])


def section(name: str, rows: list[dict]) -> str:
    """A table of the rows, the notes on them, and on what they were measured."""
    lines = [
        f"| {row['case']} | {number(row['ours'], row['unit'])} "
        f"| {number(row['peer'], row['unit'])} | {number(row['ratio'])} | {number(row['bar'])} "
        f"| {verdict(row)} |"
        for row in rows
    ]
    notes = [f"- {row['case']}: {row['note']}." for row in rows if row.get("note")]
    hardware = sorted({text(row["hardware"]) for row in rows})
    versions = sorted({text(row["versions"]) for row in rows})
    return "\n".join(
        [
            f"## {name}",
            "",
            *([about, ""] if (about := described(name)) else []),
            *TABLE,
            *lines,
            "",
            *([*notes, ""] if notes else []),
            "A bar beside a ratio is one of the ratio, any other one of our figure.",
            "",
            *[f"Measured on {line}." for line in hardware],
            *[f"With {line}." for line in versions],
            "",
        ]
    )


def described(name: str) -> str:
    """What the benchmark says of itself, below its first line; nothing if it is not here."""
    script = HERE / f"{name}.py"
    if not script.exists():
        return ""
    words = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or ""
    return words.partition("\n")[2].strip()


def verdict(row: dict) -> str:
    """Whether the bar was reached; a row without one has only to be right."""
    if not row["passed"]:
        return "**not reached**"
    return "-" if row["bar"] is None else "reached"


def number(value: float | None, unit: str = "") -> str:
    """Three digits and the unit, or a dash where there is none."""
    return "-" if value is None else f"{value:.3g} {unit}".rstrip()


def text(value: dict | str) -> str:
    """A mapping as `key value, key value`."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {inner}" for key, inner in value.items())
    return str(value)


if __name__ == "__main__":
    main()
