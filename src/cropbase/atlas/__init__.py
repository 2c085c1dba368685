"""Reports that stand alone: a page with a map to pan, tiles beside it, nothing from a network."""
