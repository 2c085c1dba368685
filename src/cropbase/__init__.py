"""What croplayer and cropalloc share: errors, configuration base, atomic writes, areas, rasters, logging."""
