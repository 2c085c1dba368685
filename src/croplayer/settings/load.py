"""From YAML files to a checked configuration: default.yaml overlaid by a province's file."""

from __future__ import annotations

from pathlib import Path

from cropbase.config import fill_placeholders, overlay, read_yaml, validate
from cropbase.errors import ConfigError
from croplayer.settings.root import Settings


def province_file(name: str, folder: Path) -> Path:
    """The file of a province: `<folder>/<name>.yaml` or `<folder>/provinces/<name>.yaml`.

    Raises ConfigError listing the provinces that there are.
    """
    for candidate in (folder / "provinces" / f"{name}.yaml", folder / f"{name}.yaml"):
        if candidate.exists() and candidate.name != "default.yaml":
            return candidate
    known = sorted(p.stem for p in [*folder.glob("provinces/*.yaml"), folder / "demo.yaml"])
    raise ConfigError(
        f"there is no configuration of a province {name!r} in {folder}",
        allowed=", ".join(known),
        remedy=f"copy one of them to {folder}/provinces/{name}.yaml and edit it",
    )


def load_settings(name: str, folder: str | Path = "config", results: str = "results") -> Settings:
    """Read, overlay, expand and check the configuration of province `name`.

    In any text of the files {data_root} stands for the data root and {results} for
    `<results>/<name>`; other braces (those of tile addresses) stay as they are.

    Raises ConfigError with every fault of the files in one message.
    """
    folder = Path(folder)
    files = [folder / "default.yaml", province_file(name, folder)]
    values = overlay(*(read_yaml(path) for path in files))
    values = fill_placeholders(values, results=f"{results}/{name}")
    return validate(Settings, values, files=files)
