"""The names of coverage types, semantic classes and integration options."""

from __future__ import annotations

COVERAGE_TYPES = ("planting", "non_planting", "snow_ice", "cloudy", "nodata")
"""Coverage types (paper, Table 1)."""
LOW_QUALITY_TYPES = ("snow_ice", "cloudy", "nodata")
"""Coverage types that say little of the fields below (paper, section 4.1)."""
SEMANTIC_CLASSES = ("TP", "FP", "Noise", "Artifacts")
"""Semantic classes of a block and source (paper, section 2.2.5)."""
OPTIONS = ("neither", "only_a", "only_b", "both")
"""Integration options of a block (paper, Table 4); A is the first source, B the second."""

NOT_CROPLAND, CROPLAND, UNUSABLE, OUTSIDE = 0, 1, 254, 255
"""Values of the final map's pixels."""
