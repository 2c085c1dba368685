"""JSON files of the stages: results of validation and cards of models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cropbase.errors import InputError


def read_json(path: str | Path) -> dict[str, Any]:
    """A JSON object from a file; raises InputError if it is absent, damaged or no object."""
    try:
        value = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"result {path} cannot be read", given=error, remedy="let the workflow make it again"
        ) from None
    if not isinstance(value, dict):
        raise InputError(f"result {path} is not a JSON object", given=type(value).__name__)
    return value


def read_result(path: str | Path, *, level: str) -> dict[str, Any]:
    """A result of validation of the given level: pixel, block or province."""
    value = read_json(path)
    if value.get("level") != level:
        raise InputError(
            f"result {path} is not of the {level} level",
            given=f"level {value.get('level')!r}",
            remedy=f"give the file that the {level} level of validation wrote",
        )
    return value


def pick(value: Any, *keys: str | int) -> Any:
    """The value under a path of keys, None where the path ends early."""
    for key in keys:
        if isinstance(value, dict):
            value = value.get(key)
        else:
            return None
    return value
