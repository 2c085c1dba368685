"""Base of every configuration model, and one readable message for all that is wrong in a file."""

from __future__ import annotations

import copy
import glob
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from cropbase.errors import ConfigError
from cropbase.yaml_files import read_yaml

Model = TypeVar("Model", bound=BaseModel)

DATA_ROOT_VARIABLE = "CROPLAYER_DATA_ROOT"
"""Environment variable that wins over the key `data_root`."""

_MAY_HOLD_SECRETS = {"api_key_env", "url"}
"""Keys into which an API key is easily pasted: what was given there is not repeated in messages."""


class Section(BaseModel):
    """A part of the configuration: unknown keys are forbidden, values cannot change afterwards."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False
    )


def overlay(base: dict[str, Any], *uppers: dict[str, Any]) -> dict[str, Any]:
    """Merge mappings, later ones over earlier ones, key by key and in depth.

    A mapping is merged with a mapping; anything else replaces. A key set to null in an upper
    mapping takes the value null (and so removes a section that may be absent).
    """
    merged = copy.deepcopy(base)
    for upper in uppers:
        for key, value in upper.items():
            if isinstance(value, dict) and isinstance(merged.get(key), dict):
                merged[key] = overlay(merged[key], value)
            else:
                merged[key] = copy.deepcopy(value)
    return merged


EXTENDS = "extends"
"""Key of a configuration file: the name of another one that it is laid over."""


def extended_layers(
    name: str, file_of: Callable[[str, Path | None], Path]
) -> list[tuple[Path, dict[str, Any]]]:
    """The file of `name`, the one that it extends, the one that this extends: the base comes first.

    Parameters
    ----------
    file_of : gives the file of a name; the second argument is the file that extends it, None for
        the first. Raises ConfigError where there is none.

    Raises ConfigError if the chain leads back to itself.
    """
    layers: list[tuple[Path, dict[str, Any]]] = []
    wanted: Any = name
    while wanted is not None:
        above = layers[-1][0] if layers else None
        if above is not None and not isinstance(wanted, str):
            raise ConfigError(
                f"{above}: key `{EXTENDS}` must be the name of a configuration",
                given=wanted,
                allowed="the name of a file without its folder and .yaml",
            )
        path = file_of(wanted, above)
        if path in [seen for seen, _ in layers]:
            raise ConfigError(
                f"{path}: key `{EXTENDS}` leads back to itself",
                given=wanted,
                remedy="let the chain end with a file that extends none",
            )
        values = read_yaml(path)
        wanted = values.pop(EXTENDS, None)
        layers.append((path, values))
    return layers[::-1]


def fill_placeholders(
    values: dict[str, Any], *, results: str, name: str, folder: str | Path
) -> dict[str, Any]:
    """Replace {data_root}, {results}, {name} and {config} in every text of a configuration.

    The data root is the environment variable `DATA_ROOT_VARIABLE`, else the key `data_root`, else
    `data`; the key is set to it. Other braces (those of tile addresses) stay as they are.
    """
    root = os.environ.get(DATA_ROOT_VARIABLE) or values.get("data_root") or "data"
    if not isinstance(root, str):
        return values  # the check of the values says what is wrong with it
    names = {
        "{data_root}": root,
        "{results}": results,
        "{name}": name,
        "{config}": str(folder),
    }

    def filled(value: Any) -> Any:
        if isinstance(value, str):
            for placeholder, text in names.items():
                value = value.replace(placeholder, text)
            return value
        if isinstance(value, dict):
            return {key: filled(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [filled(inner) for inner in value]
        return value

    return filled({**values, "data_root": root})


def texts_of(section: Any) -> list[str]:
    """Every text in a section of the configuration, in depth, in order; [] for None."""
    if isinstance(section, BaseModel):
        section = section.model_dump(mode="json")
    if isinstance(section, str):
        return [section]
    if isinstance(section, dict):
        section = list(section.values())
    return (
        [text for inner in section for text in texts_of(inner)] if isinstance(section, list) else []
    )


def files_named(text: str) -> list[str]:
    """The files that a path of the configuration stands for, sorted; [] if it names none.

    Placeholders such as {year} and the signs of glob patterns stand for anything.
    """
    if "/" not in text:
        return []
    pattern = re.sub(r"\{\w+\}", "*", text)
    return sorted(path for path in glob.glob(pattern) if os.path.isfile(path))


def validate(
    model: type[Model],
    values: dict[str, Any],
    *,
    files: list[str | Path],
    schema: str = "config/schema.json",
) -> Model:
    """Check `values` against `model`; every fault of the file in ONE ConfigError.

    `files` are the layers that the values came from, the most specific last: each fault is
    attributed to the last layer that sets its key. `schema` is the file that tells all keys.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        layers = [(Path(path), read_yaml(path)) for path in files]
        lines = [_explain(model, fault, layers) for fault in error.errors()]
        raise ConfigError(
            f"the configuration has {len(lines)} fault(s)\n" + "\n".join(lines),
            remedy=f"mend the keys above; `{schema}` lists all keys with their meaning",
        ) from None


def _explain(model: type[BaseModel], fault: dict[str, Any], layers: list[tuple[Path, dict]]) -> str:
    """One line for one pydantic fault: file, key, what was given, what is allowed."""
    # Discriminated unions put their tag into the location; it is no key of the file.
    location = [part for part in fault["loc"]]
    owner = next(
        (path for path, values in reversed(layers) if _has_key(values, location)),
        layers[-1][0] if layers else "configuration",
    )
    key = ".".join(str(part) for part in location)
    kind = fault["type"]
    if kind == "extra_forbidden":
        near = _nearest(model, location)
        hint = f"; did you mean {near!r}?" if near else ""
        return f"  {owner}: unknown key '{key}'{hint}"
    if kind == "missing":
        return f"  {owner}: key '{key}' is missing"
    if location and location[-1] in _MAY_HOLD_SECRETS:
        return f"  {owner}: key '{key}': {fault['msg']}"
    where = f"  {owner}: key '{key}'" if key else f"  {owner}"
    given = fault.get("input")
    message = fault["msg"].removeprefix("Value error, ")
    if isinstance(given, dict):
        # A whole section says nothing that the message does not, and may hold an API key.
        return f"{where}: {message}"
    return f"{where}: given {given!r}; {message}"


def _has_key(values: Any, location: list[Any]) -> bool:
    """True if the whole of `location` (tags of unions left out) leads somewhere in `values`."""
    for part in location:
        inside_list = isinstance(values, list) and isinstance(part, int) and part < len(values)
        if inside_list or (isinstance(values, dict) and part in values):
            values = values[part]
        elif isinstance(values, dict) and values.get("kind") == part:
            continue
        else:
            return False
    return True


def _nearest(model: type[BaseModel], location: list[Any]) -> str | None:
    """The known key that the unknown last part of `location` most resembles, if any does."""
    import difflib

    known: set[str] = set()

    def collect(annotation: Any) -> None:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            for name, field in annotation.model_fields.items():
                if name not in known:
                    known.add(name)
                    collect(field.annotation)
        for inner in getattr(annotation, "__args__", ()):
            collect(inner)

    collect(model)
    found = difflib.get_close_matches(str(location[-1]), sorted(known), n=1)
    return found[0] if found else None
