"""Where an existing product lies. Apart, because the workflow asks for it when it starts."""

from __future__ import annotations

from pathlib import Path

from cropbase.config import files_named
from cropbase.errors import InputError
from croplayer.settings.active import ProductSettings


def product_files(name: str, settings: ProductSettings) -> list[Path]:
    """The files of a product in their order of precedence, each once.

    Raises InputError if a name or pattern leads to no file.
    """
    found: dict[Path, None] = {}
    for text in settings.paths:
        files = [text] if Path(text).is_file() else files_named(text)
        if not files:
            raise InputError(
                f"active.products.{name}.paths leads to no file",
                given=text,
                remedy="check the name or the pattern, relative to where the workflow runs",
            )
        found.update(dict.fromkeys(Path(file) for file in files))
    return list(found)
