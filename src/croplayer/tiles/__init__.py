"""Imagery: providers, tile download, mosaic on the global pixel grid."""

from croplayer.tiles.checks import check_source
from croplayer.tiles.coverage import count_tiles
from croplayer.tiles.fetch import FetchSummary, fetch_tiles
from croplayer.tiles.mosaic import build_mosaic

__all__ = ["FetchSummary", "build_mosaic", "check_source", "count_tiles", "fetch_tiles"]
