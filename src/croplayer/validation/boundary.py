"""Agreement of the boundaries of two binary maps within a tolerance."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from scipy import ndimage


@dataclass(frozen=True)
class BoundaryCounts:
    """Boundary pixels of a map and of a reference, and those that the other one confirms.

    Adds with `+`. A boundary pixel is cropland with one of its four neighbours known and not
    cropland: the rim of the known area is no boundary. A ratio without boundary pixels is NaN.
    """

    mapped: int = 0
    mapped_confirmed: int = 0
    truth: int = 0
    truth_found: int = 0

    @classmethod
    def count(
        cls, mapped: np.ndarray, truth: np.ndarray, valid: np.ndarray, tolerance_pixels: float
    ) -> BoundaryCounts:
        """Count two boolean maps (rows, columns) where `valid`; distances are Euclidean."""
        lines = boundary(mapped, valid), boundary(truth, valid)
        near = [within(line, tolerance_pixels) for line in lines]
        return cls(
            mapped=int(lines[0].sum()),
            mapped_confirmed=int((lines[0] & near[1]).sum()),
            truth=int(lines[1].sum()),
            truth_found=int((lines[1] & near[0]).sum()),
        )

    def __add__(self, other: BoundaryCounts) -> BoundaryCounts:
        return BoundaryCounts(*(a + b for a, b in zip(_values(self), _values(other), strict=True)))

    @property
    def precision(self) -> float:
        """Share of the mapped boundary that lies near a true one."""
        return self.mapped_confirmed / self.mapped if self.mapped else float("nan")

    @property
    def recall(self) -> float:
        """Share of the true boundary that lies near a mapped one."""
        return self.truth_found / self.truth if self.truth else float("nan")

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 0 where neither boundary meets the other."""
        if not (self.mapped or self.truth):
            return float("nan")
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total > 0 else 0.0


def boundary(cropland: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """bool (rows, columns): cropland pixels beside a known pixel that is not cropland.

    They are the pixels that `croplayer.blocks.edges.edge_pixels` counts.
    """
    other = np.pad(valid & ~cropland, 1)
    beside = other[:-2, 1:-1] | other[2:, 1:-1] | other[1:-1, :-2] | other[1:-1, 2:]
    return cropland & valid & beside


def within(line: np.ndarray, distance: float) -> np.ndarray:
    """bool (rows, columns): pixels at most `distance` pixels away from those of `line`."""
    if not line.any():
        return np.zeros(line.shape, dtype=bool)
    return ndimage.distance_transform_edt(~line) <= distance


def _values(counts: BoundaryCounts) -> tuple[int, ...]:
    return tuple(asdict(counts).values())
