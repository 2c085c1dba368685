"""Batches of training chips, a pure function of the seed and the number of the step.

No random state is carried from step to step: a training that is resumed, or that prepares chips in
several threads, draws exactly the chips of an undisturbed one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from croplayer.active.rasterise import CROPLAND, IGNORED
from croplayer.segmentation.ahead import map_ahead
from croplayer.segmentation.augmentation import draw_scale, recolour, turn
from croplayer.segmentation.device import memory_format
from croplayer.segmentation.windows import LabelledWindow
from croplayer.settings.segmentation import SegmentationSettings

_INDEX_STEP, _FEWEST_INDICES = 4, 64


@dataclass(frozen=True)
class Batch:
    """Chips of one training step.

    images : float32 (batch, 3, rows, columns), 0-1; where there is no imagery, `fill`.
    labels : int64 (batch, rows, columns), 0 other, 1 cropland; 0 where unknown.
    valid : bool (batch, rows, columns), labels that count.
    names : where each chip comes from, for messages.
    """

    images: Tensor
    labels: Tensor
    valid: Tensor
    names: tuple[str, ...]

    def to(self, device: torch.device) -> Batch:
        """The batch on a device."""
        layout = memory_format(device)
        return Batch(
            self.images.to(device, non_blocking=True).contiguous(memory_format=layout),
            self.labels.to(device, non_blocking=True),
            self.valid.to(device, non_blocking=True),
            self.names,
        )


class ChipSampler:
    """Draws chips from labelled windows, balanced between cropland and everything else.

    A chip is drawn by a pixel that it must hold: with probability `cropland_share` one of cropland,
    else another one; windows count by their pixels of that class. So blocks without any cropland
    are seen as often as their area asks for, and rare cropland is not drowned. Under
    `negative_share` that share of the chips comes from windows without any cropland.

    Parameters
    ----------
    rank, ranks : this process and the number of those that train together. Each draws its own part
        of a batch; together they draw the chips that one process would.
    """

    def __init__(
        self,
        windows: Sequence[LabelledWindow],
        settings: SegmentationSettings,
        fill: tuple[float, ...],
        *,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        self.windows = list(windows)
        own = settings.batch_size // ranks
        self._slots = range(rank * own, (rank + 1) * own)
        self.settings = settings
        self.fill = np.asarray(fill, dtype=np.float32)
        self._known = [_known_span(window) for window in self.windows]
        indices = {
            wanted: [_index(window, wanted) for window in self.windows] for wanted in (True, False)
        }
        self._pixels = {
            wanted: [pixels for pixels, _ in found] for wanted, found in indices.items()
        }
        counts = {
            wanted: np.array([count for _, count in found], dtype=np.float64)
            for wanted, found in indices.items()
        }
        self._weights = {wanted: _shares(count) for wanted, count in counts.items()}
        self._negative_weights = _shares(np.where(counts[True] == 0, counts[False], 0.0))

    @property
    def labelled_pixels(self) -> int:
        """Labelled pixels of all windows."""
        return sum(window.known_pixels for window in self.windows)

    def batch(self, step: int) -> Batch:
        """The chips of step `step` that this process draws."""
        chips = [self._chip(step, slot) for slot in self._slots]
        rgb = np.stack([chip[0] for chip in chips])
        target = np.stack([chip[1] for chip in chips])
        valid = torch.from_numpy(target != IGNORED)
        labels = torch.from_numpy(target == CROPLAND).long()
        images = torch.from_numpy(rgb).permute(0, 3, 1, 2)
        return Batch(images, labels, valid, tuple(chip[2] for chip in chips))

    def batches(self, first: int, stop: int, threads: int = 0) -> Iterator[Batch]:
        """The batches of steps first to stop - 1, prepared ahead by `threads` threads if any."""
        yield from map_ahead(self.batch, range(first, stop), threads=threads, name="chips")

    def names(self, step: int) -> list[str]:
        """Where the chips of a step come from, those of all processes."""
        return [self._chip(step, slot)[2] for slot in range(self.settings.batch_size)]

    def _draw_kind(self, rng: np.random.Generator) -> tuple[bool, np.ndarray]:
        """Whether the next chip is drawn by a pixel of cropland, and the weights of the windows."""
        settings, negative = self.settings, self._negative_weights
        share = settings.negative_share
        if share is not None and negative is not None and rng.random() < share:
            return False, negative
        cropland = rng.random() < settings.cropland_share
        if self._weights[cropland] is None:
            cropland = not cropland
        return cropland, self._weights[cropland]

    def _chip(self, step: int, slot: int) -> tuple[np.ndarray, np.ndarray, str]:
        """One augmented chip: float32 (rows, columns, 3), uint8 target, its name."""
        settings, augmentation = self.settings, self.settings.augmentation
        rng = np.random.default_rng([settings.seed, 1, step, slot])
        cropland, weights = self._draw_kind(rng)
        number = int(rng.choice(len(self.windows), p=weights))
        window = self.windows[number]
        pixels = self._pixels[cropland][number]
        row, col = divmod(int(pixels[rng.integers(len(pixels))]), window.target.shape[1])
        size = settings.chip_pixels
        edge = max(round(size / draw_scale(augmentation, rng)), 8)
        top = _place(row, edge, self._known[number][0], rng)
        left = _place(col, edge, self._known[number][1], rng)
        rgb, imagery, target = self._cut(window, top, left, edge)
        if edge != size:
            rgb, imagery, target = _resize(rgb, imagery, target, size)
        if augmentation.d4:
            rgb, imagery, target = turn([rgb, imagery, target], rng)
        image = recolour(rgb.astype(np.float32) / 255, augmentation, rng)
        image[~imagery] = self.fill
        name = f"{window.name} row {window.window.row + top} column {window.window.col + left}"
        return image, np.ascontiguousarray(target), name

    @staticmethod
    def _cut(
        window: LabelledWindow, top: int, left: int, edge: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """A square of a window; what lies outside it is without imagery and unknown."""
        rows, cols = window.target.shape
        rgb = np.zeros((edge, edge, 3), dtype=np.uint8)
        imagery = np.zeros((edge, edge), dtype=bool)
        target = np.full((edge, edge), IGNORED, dtype=np.uint8)
        r0, r1 = max(top, 0), min(top + edge, rows)
        c0, c1 = max(left, 0), min(left + edge, cols)
        inner = slice(r0 - top, r1 - top), slice(c0 - left, c1 - left)
        outer = slice(r0, r1), slice(c0, c1)
        rgb[inner], imagery[inner] = window.rgb[outer], window.imagery[outer]
        target[inner] = window.target[outer]
        return rgb, imagery, target


def _index(window: LabelledWindow, cropland: bool) -> tuple[np.ndarray, int]:
    """Flat indices of pixels of a class, thinned where there are many of them, and the number of
    pixels that they stand for."""
    wanted = window.target == CROPLAND
    if not cropland:
        wanted = ~wanted & (window.target != IGNORED)
    thinned = np.zeros_like(wanted)
    thinned[::_INDEX_STEP, ::_INDEX_STEP] = wanted[::_INDEX_STEP, ::_INDEX_STEP]
    each = _INDEX_STEP**2 if thinned.sum() >= _FEWEST_INDICES else 1
    indices = np.flatnonzero(thinned if each > 1 else wanted).astype(np.int64)
    return indices, each * len(indices)


def _shares(counts: np.ndarray) -> np.ndarray | None:
    """Counts divided by their sum; None where they are all 0."""
    return counts / counts.sum() if counts.sum() else None


def _known_span(window: LabelledWindow) -> tuple[range, range]:
    """Rows and columns between which a window has labels."""
    known = window.target != IGNORED
    spans = (np.flatnonzero(known.any(axis)) for axis in (1, 0))
    rows, cols = (range(int(span[0]), int(span[-1]) + 1) for span in spans)
    return rows, cols


def _place(pixel: int, edge: int, span: range, rng: np.random.Generator) -> int:
    """Where a chip begins along one axis: it holds `pixel` and little of what has no label.

    Labelled extents are often hardly larger than a chip: chips laid anywhere around the pixel would
    spend most of the work on unknown pixels. An eighth of the chip may hang over the edge of the
    extent, so that its rim is also seen in the middle of a chip.
    """
    slack = edge // 8
    first = max(pixel - edge + 1, span.start - slack)
    last = min(pixel, span.stop + slack - edge)
    if last < first:  # the extent is smaller than the chip: it lies anywhere inside
        first, last = sorted((span.stop + slack - edge, span.start - slack))
        first, last = max(first, pixel - edge + 1), min(last, pixel)
    return int(rng.integers(first, last + 1))


def _resize(
    rgb: np.ndarray, imagery: np.ndarray, target: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Colours bilinear, labels and validity by the nearest pixel."""
    colours = torch.from_numpy(rgb).permute(2, 0, 1)[None].float()
    colours = F.interpolate(
        colours, size=(size, size), mode="bilinear", align_corners=False, antialias=False
    )
    nearest = ((np.arange(size) + 0.5) * (len(target) / size)).astype(np.int64)
    grid = np.ix_(nearest, nearest)
    return colours[0].permute(1, 2, 0).numpy(), imagery[grid], target[grid]
