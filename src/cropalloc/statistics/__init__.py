"""Statistics of harvested area: reading, five-year means, harmonisation (paper, Eq. 1-2)."""

from cropalloc.statistics.harmonisation import harmonise_statistics
from cropalloc.statistics.nodes import average_statistics
from cropalloc.statistics.reading import read_statistics

__all__ = ["average_statistics", "harmonise_statistics", "read_statistics"]
