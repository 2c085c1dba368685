"""Cropland and irrigated land of a cell from several maps."""

from cropalloc.synergy.combine import combine_cropland
from cropalloc.synergy.ranks import default_ranks, read_ranks

__all__ = ["combine_cropland", "default_ranks", "read_ranks"]
