"""JSON schema of the configuration, for editors: `python -m croplayer.settings.schema` writes it.

A province's file is an overlay, so nothing is required in it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from cropbase.atomic import write_text
from croplayer.settings.root import Settings

SCHEMA_FILE = Path("config/schema.json")


def schema_text() -> str:
    """The schema as it must stand in config/schema.json."""
    schema = Settings.model_json_schema()
    _drop_required(schema)
    schema["title"] = "Configuration of a province (overlay of config/default.yaml)"
    return json.dumps(schema, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def _drop_required(node: Any) -> None:
    """Remove `required` in depth: what one file leaves out, the other may give."""
    if isinstance(node, dict):
        if isinstance(node.get("required"), list):
            del node["required"]
        for inner in node.values():
            _drop_required(inner)
    elif isinstance(node, list):
        for inner in node:
            _drop_required(inner)


if __name__ == "__main__":
    write_text(SCHEMA_FILE, schema_text())
    sys.stdout.write(f"wrote {SCHEMA_FILE}\n")
