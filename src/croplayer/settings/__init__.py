"""The configuration of a province: one module a top-level key, all fields described."""

from croplayer.settings.load import load_settings, provinces_of
from croplayer.settings.root import NAME_PATTERN, Settings

__all__ = ["NAME_PATTERN", "Settings", "load_settings", "provinces_of"]
