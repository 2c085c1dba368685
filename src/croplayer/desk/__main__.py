"""`python -m croplayer.desk PROVINCE`: the review desk, and the export of its answers."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cropbase.errors import ConfigError
from cropbase.jobs import run_command
from croplayer.desk.export import export_task, summary, write_findings
from croplayer.desk.province import open_province, open_store, table_path
from croplayer.desk.server import serve
from croplayer.desk.tasks import tasks_of
from croplayer.settings import load_settings


def main(arguments: list[str] | None = None) -> int:
    """Command line; a user's mistake is one message, no traceback."""
    given = _parser().parse_args(arguments)
    return run_command(lambda: _export(given) if given.export else _serve(given))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m croplayer.desk",
        description="A local web page on which people interpret the blocks of a province: coverage"
        " types, semantic classes and integration options. See docs/desk.md.",
    )
    parser.add_argument("province", help="name of the province's configuration")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on; default: this"
        " machine alone. Any other requires the token of the printed address",
    )
    parser.add_argument("--port", type=int, default=8787, help="0: any that is free")
    parser.add_argument("--token", action="store_true", help="require a token on this machine, too")
    parser.add_argument(
        "--name",
        action="append",
        default=[],
        metavar="HOST",
        help="a further host name by which browsers may call the desk",
    )
    parser.add_argument(
        "--ranked",
        type=Path,
        metavar="FILE",
        help="list of blocks to begin with: CSV, Parquet or GeoPackage with"
        " block_id, and optionally rank and reason",
    )
    parser.add_argument(
        "--export",
        action="store_true",
        help="add the answers to the label tables of the configuration and end",
    )
    parser.add_argument(
        "--folder",
        type=Path,
        help="with --export: write the tables there and not to the configured ones",
    )
    parser.add_argument(
        "--with-conflicts",
        action="store_true",
        help="with --export: add answers, too, that contradict the tables' rows",
    )
    parser.add_argument(
        "--config-folder", type=Path, default=Path("config"), help="folder of default.yaml"
    )
    return parser


def _serve(given: argparse.Namespace) -> None:
    province = open_province(given.province, config_folder=given.config_folder, ranked=given.ranked)
    serve(
        province,
        host=given.host,
        port=given.port,
        names=tuple(given.name),
        with_token=given.token,
    )


def _export(given: argparse.Namespace) -> None:
    settings = load_settings(given.province, given.config_folder)
    store = open_store(given.province, settings)
    tasks = list(tasks_of(list(settings.sources)).values())
    tables = {task.key: table_path(settings, task, given.folder) for task in tasks}
    for key, path in tables.items():
        if path is None and store.standing(key):
            raise ConfigError(
                f"there are answers, but labels.{key} is not configured",
                remedy=f"set labels.{key} to a CSV file, or export with --folder",
            )
    outcomes = [
        export_task(store, task, tables[task.key], with_conflicts=given.with_conflicts)
        for task in tasks
        if tables[task.key] is not None
    ]
    findings = (given.folder or store.path.parent) / f"{given.province}_export.csv"
    write_findings(outcomes, findings)
    print(summary(outcomes, findings))
    store.close()


if __name__ == "__main__":
    sys.exit(main())
