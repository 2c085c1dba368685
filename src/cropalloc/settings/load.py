"""From YAML files to a checked configuration: default.yaml overlaid by a case's file."""

from __future__ import annotations

from pathlib import Path

from cropalloc.settings.root import Case
from cropbase.config import (
    EXTENDS,
    extended_layers,
    fill_placeholders,
    overlay,
    validate,
)
from cropbase.errors import ConfigError
from cropbase.yaml_files import read_yaml


def load_case(name: str, folder: str | Path = "config", results: str = "results") -> Case:
    """Read, overlay, expand and check the configuration of case `name`.

    `<folder>/allocation/default.yaml`, then the case that it extends (and the one that this
    extends), then the case's own file. In any text {data_root} stands for the data root, {results}
    for `<results>/<name>`, {name} for the name and {config} for `folder`.

    Raises ConfigError with every fault of the files in one message.
    """
    home = Path(folder) / "allocation"
    default = home / "default.yaml"

    def file_of(case: str, extended_by: Path | None) -> Path:
        return _file_of(case, home, extended_by=extended_by)

    layers = [(default, read_yaml(default)), *extended_layers(name, file_of)]
    values = overlay(*(values for _, values in layers))
    values = fill_placeholders(values, results=f"{results}/{name}", name=name, folder=folder)
    return validate(
        Case,
        values,
        files=[path for path, _ in layers],
        schema="config/allocation-schema.json",
    )


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
