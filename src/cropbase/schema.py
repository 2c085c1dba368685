"""JSON schemas of configuration files, for editors.

A file is an overlay: nothing is required in it, because what one file leaves out the other may
give. What must be there after the overlay is checked when the configuration is loaded.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel

from cropbase.config import EXTENDS


def overlay_schema(model: type[BaseModel], *, title: str, extends: str | None = None) -> str:
    """The schema of files that are overlays of `model`, as JSON text: sorted, ending in a newline.

    `extends` says what the key of that name stands for, which is used before the model sees a file;
    None where files have no such key.
    """
    schema = model.model_json_schema()
    _drop_required(schema)
    schema["title"] = title
    if extends is not None:
        schema["properties"][EXTENDS] = {"description": extends, "type": "string"}
    return json.dumps(schema, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def _drop_required(node: Any) -> None:
    """Remove `required` in depth."""
    if isinstance(node, dict):
        if isinstance(node.get("required"), list):
            del node["required"]
        for inner in node.values():
            _drop_required(inner)
    elif isinstance(node, list):
        for inner in node:
            _drop_required(inner)
