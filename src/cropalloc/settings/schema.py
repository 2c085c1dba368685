"""JSON schema of a case's file, for editors: `python -m cropalloc.settings.schema` writes it."""

from __future__ import annotations

import sys
from pathlib import Path

from cropalloc.settings.root import Case
from cropbase.atomic import write_text
from cropbase.schema import overlay_schema

SCHEMA_FILE = Path("config/allocation-schema.json")


def schema_text() -> str:
    """The schema as it must stand in config/allocation-schema.json."""
    return overlay_schema(
        Case,
        title="Configuration of an allocation case (overlay of config/allocation/default.yaml)",
        extends="name of another case: this file is laid over that case's",
    )


if __name__ == "__main__":
    write_text(SCHEMA_FILE, schema_text())
    sys.stdout.write(f"wrote {SCHEMA_FILE}\n")
