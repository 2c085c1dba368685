"""What croplayer and cropalloc share: errors, configuration, writing, areas, rasters, jobs."""
