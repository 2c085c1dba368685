"""JSON schema of the configuration for editors: `python -m croplayer.settings.schema` writes it."""

from __future__ import annotations

import sys
from pathlib import Path

from cropbase.atomic import write_text
from cropbase.schema import overlay_schema
from croplayer.settings.root import Settings

SCHEMA_FILE = Path("config/schema.json")


def schema_text() -> str:
    """The schema as it must stand in config/schema.json."""
    return overlay_schema(
        Settings,
        title="Configuration of a province (overlay of config/default.yaml)",
        extends="name of a nation: this file is laid over config/nations/<name>.yaml",
    )


if __name__ == "__main__":
    write_text(SCHEMA_FILE, schema_text())
    sys.stdout.write(f"wrote {SCHEMA_FILE}\n")
