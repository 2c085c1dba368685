"""How good a cell is for a crop in a production system (Eq. 8-10)."""

from cropalloc.suitability.score import score_suitability

__all__ = ["score_suitability"]
