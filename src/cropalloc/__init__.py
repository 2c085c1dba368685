"""Crop statistics to crop maps: harmonisation, systems, cropland synergy, scores, allocation."""
