"""`python -m croplayer.demo`: generate the province, serve its tiles, run the workflow on it."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from cropbase.errors import CropError
from croplayer.demo.run import PROFILE, run_demo


def main() -> int:
    """Read the command line and run the demo; a user's mistake is one message, no traceback."""
    parser = argparse.ArgumentParser(
        prog="python -m croplayer.demo",
        description="Map the built-in, GENERATED province with the whole workflow.",
    )
    parser.add_argument("--cores", type=int, default=os.cpu_count() or 2, help="cores to use")
    parser.add_argument(
        "--profile",
        type=Path,
        default=PROFILE,
        help="workflow profile: how and where the jobs run; the nodes of a cluster must reach the "
        "demo's tile server, which listens on this machine alone",
    )
    parser.add_argument(
        "--config-folder", type=Path, default=Path("config"), help="folder of default.yaml"
    )
    parser.add_argument(
        "snakemake", nargs="*", help="further arguments for snakemake, after `--` (e.g. -- -n)"
    )
    arguments = parser.parse_args()
    try:
        return run_demo(
            cores=arguments.cores,
            config_folder=arguments.config_folder,
            profile=arguments.profile,
            extra=arguments.snakemake,
        )
    except CropError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
