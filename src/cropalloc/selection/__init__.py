"""Demand against land, and promotion of cells, before any solver runs."""

from cropalloc.selection.select import select_cells

__all__ = ["select_cells"]
