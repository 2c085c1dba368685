"""From YAML files to a checked configuration: default.yaml overlaid by a case's file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cropalloc.settings.root import Case
from cropbase.config import fill_placeholders, overlay, read_yaml, validate
from cropbase.errors import ConfigError

EXTENDS = "extends"
"""Key of a case's file: the name of another case that it is laid over."""


def load_case(name: str, folder: str | Path = "config", results: str = "results") -> Case:
    """Read, overlay, expand and check the configuration of case `name`.

    `<folder>/allocation/default.yaml`, then the case that it extends (and the one that this
    extends), then the case's own file. In any text {data_root} stands for the data root and
    {results} for `<results>/<name>`.

    Raises ConfigError with every fault of the files in one message.
    """
    home = Path(folder) / "allocation"
    files = [home / "default.yaml"]
    layers: list[dict[str, Any]] = []
    wanted: str | None = name
    while wanted is not None:
        path = _file_of(wanted, home, extended_by=files[-1] if layers else None)
        if path in files:
            raise ConfigError(
                f"{path}: key `{EXTENDS}` leads back to itself",
                given=wanted,
                remedy="let the chain of cases end with one that extends none",
            )
        values = read_yaml(path)
        files.append(path)
        wanted = values.pop(EXTENDS, None)
        layers.append(values)
    values = overlay(read_yaml(files[0]), *reversed(layers))
    values = fill_placeholders(values, results=f"{results}/{name}")
    layers_of = [files[0], *reversed(files[1:])]
    return validate(Case, values, files=layers_of, schema="config/allocation-schema.json")


def _file_of(name: str, home: Path, *, extended_by: Path | None = None) -> Path:
    path = home / f"{name}.yaml"
    if name != "default" and path.exists():
        return path
    known = sorted(p.stem for p in home.glob("*.yaml") if p.stem != "default")
    problem = f"there is no configuration of a case {name!r} in {home}"
    if extended_by is not None:
        raise ConfigError(
            f"{extended_by}: key `{EXTENDS}`: {problem}",
            allowed=", ".join(case for case in known if case != extended_by.stem),
        )
    raise ConfigError(
        problem, allowed=", ".join(known), remedy=f"copy one of them to {path} and edit it"
    )
