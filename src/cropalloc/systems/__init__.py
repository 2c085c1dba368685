"""Production systems of every target: shares, areas and cropping intensity (Eq. 3-7)."""

from cropalloc.systems.classify import classify_systems
from cropalloc.systems.split import split_exactly

__all__ = ["classify_systems", "split_exactly"]
