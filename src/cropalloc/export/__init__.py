"""From allocated areas to maps: GeoTIFFs of hectares a cell, and the account of every hectare."""

from cropalloc.export.account import account_of_maps
from cropalloc.export.maps import write_maps
from cropalloc.export.names import find_maps, map_name, read_map
from cropalloc.export.places import Places

__all__ = ["Places", "account_of_maps", "find_maps", "map_name", "read_map", "write_maps"]
