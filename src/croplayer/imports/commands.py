"""What the command lines of the importers share."""

from __future__ import annotations

import argparse
from pathlib import Path

from croplayer.settings import load_settings


def add_config_options(parser: argparse.ArgumentParser, province: str) -> None:
    """Add `--data-root` and `--config-folder`; see `data_root_of`."""
    parser.add_argument(
        "--data-root",
        type=Path,
        help=f"folder of the data; default: data_root of the province file {province}.yaml, or the "
        "environment variable CROPLAYER_DATA_ROOT, which wins over it",
    )
    parser.add_argument(
        "--config-folder", type=Path, default=Path("config"), help="folder of default.yaml"
    )


def data_root_of(given: argparse.Namespace, province: str) -> Path:
    """The data root: as given, or that of the province's configuration. Raises ConfigError."""
    if given.data_root is not None:
        return given.data_root
    return load_settings(province, given.config_folder).data_root
