"""Segmentation architectures behind one interface, chosen by name."""

from croplayer.segmentation.architectures.base import (
    SegmentationModel,
    build_model,
    rebuild_model,
)

__all__ = ["SegmentationModel", "build_model", "rebuild_model"]
