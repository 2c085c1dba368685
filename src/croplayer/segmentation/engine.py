"""Running a model over images of any size: chips, batches, blending.

Chips lie on the global pixel grid: their origins are multiples of the stride counted from 180 W,
90 N, wherever the window, the strip or the shard begins. So every pixel is covered by the same
chips with the same weights in every layout, and a map has no seams.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import numpy as np
import torch

from croplayer.grid import PixelWindow
from croplayer.segmentation.architectures import SegmentationModel
from croplayer.segmentation.device import choose_device, memory_format, spread, use_bf16
from croplayer.settings.segmentation import SegmentationSettings

log = logging.getLogger(__name__)

Reader = Callable[[PixelWindow], tuple[np.ndarray, np.ndarray]]
"""Window -> uint8 (rows, columns, 3) and bool validity (rows, columns)."""


def chip_origins(start: int, stop: int, chip: int, stride: int) -> list[int]:
    """Origins, multiples of `stride`, of all chips that share a pixel with start to stop - 1."""
    first = (start - chip) // stride + 1
    last = (stop - 1) // stride
    return [index * stride for index in range(first, last + 1)]


def blend_weights(chip: int, overlap: int) -> np.ndarray:
    """float32 (chip, chip): 1 in the middle, falling as sin^2 towards the edges over `overlap`.

    The weights of overlapping chips sum to 1 in every pixel (sin^2 + cos^2), as long as the overlap
    is at most half a chip.
    """
    edge = np.ones(chip)
    if overlap:
        ramp = np.sin(np.pi / 2 * (np.arange(overlap) + 0.5) / overlap) ** 2
        edge[:overlap] *= ramp
        edge[-overlap:] *= ramp[::-1]
    return np.outer(edge, edge).astype(np.float32)


class Predictor:
    """A model ready for inference: device, precision, batches."""

    def __init__(
        self,
        model: SegmentationModel,
        settings: SegmentationSettings,
        device: torch.device | None = None,
    ) -> None:
        self.device = device or choose_device(settings)
        self.settings = settings
        self.bf16 = use_bf16(settings, self.device)
        self.model = model.to(self.device, memory_format=memory_format(self.device)).eval()
        self.fill = model.mean.cpu().numpy()

    @torch.inference_mode()
    def chips(self, rgb: np.ndarray, valid: np.ndarray) -> np.ndarray:
        """Probability of cropland of chips.

        Parameters
        ----------
        rgb : uint8 (chips, rows, columns, 3).
        valid : bool (chips, rows, columns).

        Returns
        -------
        float32 (chips, rows, columns); meaningless where not valid.
        """
        result = np.empty(valid.shape, dtype=np.float32)
        size = self.settings.inference_batch_size
        for first in range(0, len(rgb), size):
            part = slice(first, first + size)
            images = torch.from_numpy(rgb[part]).to(self.device).permute(0, 3, 1, 2).float() / 255
            gaps = torch.from_numpy(~valid[part]).to(self.device)
            fill = torch.as_tensor(self.fill, device=self.device)[None, :, None, None]
            images = torch.where(gaps[:, None], fill, images)
            images = images.contiguous(memory_format=memory_format(self.device))
            with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.bf16):
                outputs = self.model(images)
            logits = self.model.cropland_logits(outputs, tuple(images.shape[-2:]))
            result[part] = logits.float().sigmoid().cpu().numpy()
        return result

    def strips(
        self,
        window: PixelWindow,
        read: Reader,
        wanted: Callable[[PixelWindow], bool] | None = None,
    ) -> Iterator[tuple[PixelWindow, np.ndarray]]:
        """Blended probabilities of a window, strip by strip from north to south.

        Parameters
        ----------
        window : the pixels wanted, on the global grid.
        read : gives imagery of any window of the global grid.
        wanted : tells of a chip whether it is needed; all are if None.

        Yields
        ------
        (strip, probability float32 (rows, columns)), NaN where there is no imagery or no chip was
        wanted. The strips follow one another and make up `window`. Memory grows with the width of
        the window, not with its height.
        """
        chip, stride = self.settings.inference_chip, self.settings.stride_pixels
        cols = chip_origins(window.col, window.col + window.width, chip, stride)
        rows = chip_origins(window.row, window.row + window.height, chip, stride)
        bottom = window.row + window.height
        blend = _Blend(chip, self.settings.overlap, cols[0], cols[-1] + chip - cols[0])
        with spread(self.device) as run:
            for position, row in enumerate(rows):
                needed = [
                    col
                    for col in cols
                    if wanted is None or wanted(PixelWindow(row, col, chip, chip))
                ]
                if needed:
                    for col, probability, imagery in self._row(row, needed, read, run):
                        blend.add(col, probability, imagery)
                # Rows above the next chip's origin are final.
                final = rows[position + 1] if position + 1 < len(rows) else bottom
                first, stop = max(row, window.row), min(final, bottom)
                if stop > first:
                    strip = PixelWindow(first, window.col, stop - first, window.width)
                    yield strip, blend.take(first - row, stop - row, window.col, window.width)
                blend.shift(stride)

    def _row(
        self, row: int, cols: list[int], read: Reader, run: Callable
    ) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Column, probability and validity of the chips of one row that hold imagery."""
        chip, size = self.settings.inference_chip, self.settings.inference_batch_size
        # Only the stretch between the first and the last chip needed is read.
        rgb, valid = read(PixelWindow(row, cols[0], chip, cols[-1] + chip - cols[0]))
        places = [slice(col - cols[0], col - cols[0] + chip) for col in cols]
        kept = [
            (col, rgb[:, place], valid[:, place])
            for col, place in zip(cols, places, strict=True)
            if valid[:, place].any()
        ]
        groups = [kept[first : first + size] for first in range(0, len(kept), size)]

        def compute(group: list[tuple[int, np.ndarray, np.ndarray]]) -> np.ndarray:
            return self.chips(
                np.stack([image for _, image, _ in group]), np.stack([there for *_, there in group])
            )

        for group, probabilities in zip(groups, run(compute, groups), strict=True):
            for (col, _, there), probability in zip(group, probabilities, strict=True):
                yield col, probability, there


class _Blend:
    """Weighted sums of the chips over a strip as high as a chip."""

    def __init__(self, chip: int, overlap: int, left: int, width: int) -> None:
        self.left = left
        self.weights = blend_weights(chip, overlap)
        self.total = np.zeros((chip, width), dtype=np.float32)
        self.weight = np.zeros((chip, width), dtype=np.float32)

    def add(self, col: int, probability: np.ndarray, imagery: np.ndarray) -> None:
        """Add a chip (rows, columns) whose west edge is the global column `col`."""
        place = slice(col - self.left, col - self.left + probability.shape[1])
        share = self.weights * imagery
        self.total[:, place] += probability * share
        self.weight[:, place] += share

    def take(self, first: int, stop: int, col: int, width: int) -> np.ndarray:
        """Blended rows first to stop - 1 from column `col` on; NaN where no chip had imagery."""
        part = slice(first, stop), slice(col - self.left, col - self.left + width)
        result = np.full(self.total[part].shape, np.nan, dtype=np.float32)
        np.divide(self.total[part], self.weight[part], out=result, where=self.weight[part] > 0)
        return result

    def shift(self, rows: int) -> None:
        """Drop the first rows and make room for as many below."""
        for store in (self.total, self.weight):
            rest = len(store) - rows
            store[:rest] = store[rows:].copy()
            store[rest:] = 0


def array_reader(rgb: np.ndarray, valid: np.ndarray, window: PixelWindow) -> Reader:
    """A `Reader` of arrays that cover `window`; outside it there is no imagery."""

    def read(part: PixelWindow) -> tuple[np.ndarray, np.ndarray]:
        image = np.zeros((part.height, part.width, 3), dtype=np.uint8)
        there = np.zeros((part.height, part.width), dtype=bool)
        r0, c0 = max(part.row, window.row), max(part.col, window.col)
        r1 = min(part.row + part.height, window.row + window.height)
        c1 = min(part.col + part.width, window.col + window.width)
        if r1 > r0 and c1 > c0:
            common = PixelWindow(r0, c0, r1 - r0, c1 - c0)
            here, there_in = common.relative_to(part), common.relative_to(window)
            image[here], there[here] = rgb[there_in], valid[there_in]
        return image, there

    return read


def predict_array(
    model: SegmentationModel | Predictor,
    rgb: np.ndarray,
    valid: np.ndarray,
    settings: SegmentationSettings | None = None,
    origin: tuple[int, int] = (0, 0),
) -> np.ndarray:
    """Probability of cropland of one image.

    Parameters
    ----------
    model : a model with `settings`, or a ready `Predictor`.
    rgb : uint8 (rows, columns, 3).
    valid : bool (rows, columns), where there is imagery.
    origin : row and column of the north-west pixel on the global grid, which places the chips.

    Returns
    -------
    float32 (rows, columns), NaN where not valid.
    """
    if isinstance(model, Predictor):
        predictor = model
    else:
        predictor = Predictor(model, settings or SegmentationSettings())
    window = PixelWindow(*origin, *valid.shape)
    strips = [strip for _, strip in predictor.strips(window, array_reader(rgb, valid, window))]
    return np.concatenate(strips)
