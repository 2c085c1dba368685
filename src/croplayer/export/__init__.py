"""County files from the final map: polygons without gaps or overlaps, each hectare accounted."""

from croplayer.export.counties import export_counties

__all__ = ["export_counties"]
