"""Terrain: slope, ruggedness and roughness of any DEM, and their medians a block."""

from croplayer.terrain.dem import find_dem_files
from croplayer.terrain.measure import measure_terrain

__all__ = ["find_dem_files", "measure_terrain"]
