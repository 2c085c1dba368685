"""Image quality: the coverage type, sharpness and colour of every block."""

from croplayer.quality.assess import assess_quality
from croplayer.quality.coverage import CLASSES, CoverageType
from croplayer.quality.train import train_coverage

__all__ = ["CLASSES", "CoverageType", "assess_quality", "train_coverage"]
