"""From YAML files to a checked configuration: default.yaml, a nation's file, a province's file."""

from __future__ import annotations

from pathlib import Path

from cropbase.config import (
    EXTENDS,
    extended_layers,
    fill_placeholders,
    overlay,
    validate,
)
from cropbase.errors import ConfigError
from cropbase.yaml_files import read_yaml
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


def nation_file(name: str, folder: Path) -> Path:
    """The file that provinces share: `<folder>/nations/<name>.yaml`.

    Raises ConfigError listing the nations that there are.
    """
    path = folder / "nations" / f"{name}.yaml"
    if path.exists():
        return path
    known = ", ".join(sorted(p.stem for p in folder.glob("nations/*.yaml"))) or "none"
    raise ConfigError(
        f"there is no configuration of a nation {name!r} in {folder}/nations", allowed=known
    )


def provinces_of(nation: str, folder: str | Path = "config") -> list[str]:
    """Names of the provinces whose files extend `<folder>/nations/<nation>.yaml`, sorted.

    Raises ConfigError if there is no such nation, or no province of it.
    """
    folder = Path(folder)
    shared = nation_file(nation, folder)
    names = [
        path.stem
        for path in sorted(folder.glob("provinces/*.yaml"))
        if read_yaml(path).get(EXTENDS) == nation
    ]
    if not names:
        raise ConfigError(
            f"no province extends {shared}",
            remedy=f"write `{EXTENDS}: {nation}` into the files of its provinces, "
            f"{folder}/provinces/*.yaml",
        )
    return names


def load_settings(name: str, folder: str | Path = "config", results: str = "results") -> Settings:
    """Read, overlay, expand and check the configuration of province `name`.

    `<folder>/default.yaml`, then the nation that the province extends, if any, then the province's
    own file. In any text {data_root} stands for the data root, {results} for `<results>/<name>`,
    {name} for the name and {config} for `folder`; other braces (those of tile addresses) stay as
    they are.

    Raises ConfigError with every fault of the files in one message.
    """
    folder = Path(folder)
    default = folder / "default.yaml"

    def file_of(wanted: str, extended_by: Path | None) -> Path:
        find = province_file if extended_by is None else nation_file
        return find(wanted, folder)

    layers = [(default, read_yaml(default)), *extended_layers(name, file_of)]
    values = overlay(*(values for _, values in layers))
    values = fill_placeholders(values, results=f"{results}/{name}", name=name, folder=folder)
    return validate(Settings, values, files=[path for path, _ in layers])
