"""One hash for what a configuration says, for records."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from croplayer.settings.root import Settings


def settings_digest(settings: Settings, *, leave_out: dict[str, Any]) -> str:
    """sha256 of the values of a configuration, less `leave_out` (as pydantic's `exclude`)."""
    values = settings.model_dump(mode="json", exclude=leave_out)
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
