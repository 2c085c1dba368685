"""Key `integration`: the XGBoost model that chooses between the two sources."""

from __future__ import annotations

from croplayer.settings.semantic import TreeSettings


class IntegrationSettings(TreeSettings):
    """Integration option of a block (paper, section 3.3 and Table 4)."""
