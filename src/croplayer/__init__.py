"""CropLayer: a cropland map from two sources of imagery that anyone can open."""
