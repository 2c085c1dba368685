"""The configuration of an allocation case: one module a top-level key, all fields described."""

from cropalloc.settings.load import load_case
from cropalloc.settings.root import Case

__all__ = ["Case", "load_case"]
