"""What every benchmark needs: its options, its cases one after the other, and their rows."""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any


def parse_options(
    description: str,
    *,
    full: str,
    own: Callable[[argparse.ArgumentParser], None] | None = None,
) -> argparse.Namespace:
    """Options that all benchmarks share and its `own`; `full` says how long --full takes."""
    parser = argparse.ArgumentParser(description=description)
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--quick", action="store_true", help="small sizes, under a minute")
    sizes.add_argument("--full", action="store_true", help=f"the sizes of the bars ({full})")
    parser.add_argument("--only", nargs="*", default=[], help="cases whose name holds this text")
    parser.add_argument("--json", type=Path, help="write the rows here")
    parser.add_argument("--data-root", type=Path, default=data_root())
    if own:
        own(parser)
    return parser.parse_args()


def run_cases(
    cases: dict[str, Callable[[], dict | list[dict] | None]],
    options: argparse.Namespace,
    *,
    seed: int,
    packages: Sequence[str],
) -> None:
    """Run the chosen cases, print their rows, and write them after each; None: data are absent."""
    rows = []
    for name, case in cases.items():
        if options.only and not any(text in name for text in options.only):
            continue
        found = case()
        if found is None:
            print(f"{name}: not run, no data under {options.data_root}", flush=True)
            continue
        for line in found if isinstance(found, list) else [found]:
            rows.append(
                line | {"seed": seed, "versions": versions(packages), "hardware": hardware()}
            )
            _tell(line)
        if options.json:
            options.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def _tell(line: dict) -> None:
    print(
        f"{line['case']}: ours {line['ours']:.3g} {line['unit']}, peer {line['peer']}, "
        f"ratio {line['ratio']}, bar {line['bar']}, "
        f"{'passed' if line['passed'] else 'NOT passed'} {line.get('note', '')}",
        flush=True,
    )


def row(
    case: str,
    ours: float,
    peer: float | None,
    bar: float | None,
    passed: bool,
    size: int,
    *,
    unit: str = "s",
    ratio: float | None = None,
    note: str = "",
) -> dict[str, Any]:
    """One measured row; `note` says what a reader must know besides."""
    found = {
        "case": case, "ours": ours, "peer": peer, "unit": unit, "ratio": ratio, "bar": bar,
        "passed": bool(passed), "size": size,
    }  # fmt: skip
    return found | ({"note": note} if note else {})


def race(
    ours: Callable[[], Any],
    peer: Callable[[], Any],
    *,
    repeats: int,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[float, float, Any, Any]:
    """Least seconds of either side over interleaved repeats, and what they returned last.

    `time.process_time` as `clock` counts the processor's seconds: on a shared machine that is the
    fair one, as long as both sides use one core.
    """
    least = [float("inf"), float("inf")]
    results: list[Any] = [None, None]
    for _ in range(repeats):
        for k, work in enumerate((ours, peer)):
            begin = clock()
            results[k] = work()
            least[k] = min(least[k], clock() - begin)
    return least[0], least[1], results[0], results[1]


def data_root() -> Path:
    """Where real data lie: CROPLAYER_DATA_ROOT, or the folder `shared/data` beside the project."""
    there = Path(__file__).resolve().parents[1].parent / "shared" / "data"
    return Path(os.environ.get("CROPLAYER_DATA_ROOT", there))


def versions(packages: Sequence[str]) -> dict[str, str]:
    """Python's version and those of packages."""
    return {"python": platform.python_version()} | {name: version(name) for name in packages}


def hardware() -> str:
    """Kind and number of processors."""
    return f"{platform.machine()}, {os.cpu_count()} cores"
