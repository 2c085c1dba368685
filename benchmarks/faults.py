"""Faults on purpose: a demo that is killed, a tile server that answers badly; see `--help`.

The small generated demo of the tests (`--full`: the demo of `make demo`) is killed, with all its
jobs, at random moments that fall evenly over the time of an undisturbed run, and started again by
the same command, until `--kills` are made, at most 50 a run. The outputs are compared file by file
with those of the undisturbed run: the same bytes, or the same content where a format carries times.
`--work` keeps all of it, so that the campaign itself may be stopped and goes on. The tile server
answers 10 % of the requests with status 500, 5 % with 429 and Retry-After, 2 % with half an image,
2 % with a web page, and lets 1 % wait.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from itertools import chain
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from fault_kills import Campaign
from fault_server import faulty_server
from fault_stages import by_stage
from rows import parse_options, row, run_cases

SEED = 20


def main() -> None:
    options = parse_options(__doc__, full="hours", own=own_options)
    kills = options.kills or (100 if options.full else 3)
    cases = {
        "server": lambda: faulty_server(6 if options.full else 2, SEED),
        "kills": lambda: killed(options.work, kills, small=options.small or not options.full),
    }
    run_cases(cases, options, seed=SEED, packages=("snakemake", "aiohttp", "torch", "rasterio"))


def own_options(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark alone."""
    parser.add_argument("--kills", type=int, help="how many (default: 3, with --full 100)")
    parser.add_argument("--small", action="store_true", help="the small demo with --full too")
    parser.add_argument("--work", type=Path, help="keep the runs here, and go on from there")


def killed(work: Path | None, kills: int, *, small: bool) -> dict:
    """Row of the outputs that differ from those of an undisturbed run."""
    with tempfile.TemporaryDirectory() as scratch:
        campaign = Campaign((work or Path(scratch)).absolute(), kills, small=small, seed=SEED)
        found = campaign.run()
    differing = [f"{run}/{name}" for run, each in found.items() for name in each.differing]
    equal = sum((each.equal for each in found.values()), Counter())
    identical = sum(each.identical for each in found.values())
    hits = campaign.state.hits
    note = (
        f"{kills} kills in {len(found)} runs; of the outputs, {identical} have the same bytes, "
        + "".join(f"{count} the same content ({kind}), " for kind, count in equal.most_common())
        + f"kills by the stages at work: {listed(by_stage(hits))}; "
        + f"by the rules at work: {listed(Counter(chain.from_iterable(hits)))}"
        + (f"; DIFFERENT: {', '.join(differing[:10])}" if differing else "")
    )
    size = "small demo" if small else "demo"
    return row(
        f"outputs of the {size} that differ after being killed at random", len(differing), None, 0,
        not differing, identical + sum(equal.values()) + len(differing), unit="files", note=note,
    )  # fmt: skip


def listed(counts: Counter[str]) -> str:
    """Names with their counts, the most frequent first."""
    return ", ".join(f"{name} {count}" for name, count in counts.most_common())


if __name__ == "__main__":
    main()
