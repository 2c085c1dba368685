"""JSON schemas of the configuration files for editors, written by running this module."""

from __future__ import annotations

import sys
from pathlib import Path

from cropbase.atomic import write_text
from cropbase.schema import overlay_schema
from croplayer.settings.products import Catalogue
from croplayer.settings.root import Settings

SCHEMA_FILE = Path("config/schema.json")
CATALOGUE_SCHEMA_FILE = Path("config/products-schema.json")


def schema_text() -> str:
    """The schema as it must stand in config/schema.json."""
    return overlay_schema(
        Settings,
        title="Configuration of a province (overlay of config/default.yaml)",
        extends="name of a nation: this file is laid over config/nations/<name>.yaml",
    )


def catalogue_schema_text() -> str:
    """The schema as it must stand in config/products-schema.json."""
    return overlay_schema(Catalogue, title="Catalogue of existing products (config/products.yaml)")


if __name__ == "__main__":
    for path, text in (
        (SCHEMA_FILE, schema_text()),
        (CATALOGUE_SCHEMA_FILE, catalogue_schema_text()),
    ):
        write_text(path, text)
        sys.stdout.write(f"wrote {path}\n")
