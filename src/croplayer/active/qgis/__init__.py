"""A QGIS project to label in, written without QGIS."""
