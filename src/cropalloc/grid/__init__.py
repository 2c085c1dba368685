"""The allocation grid: cells, their areas, and the units that they belong to."""

from cropalloc.grid.cellgrid import CellGrid, read_cells
from cropalloc.grid.prepare import prepare_cells

__all__ = ["CellGrid", "prepare_cells", "read_cells"]
