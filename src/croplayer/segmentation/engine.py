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
from croplayer.settings.segmentation import SegmentationSettings

log = logging.getLogger(__name__)

Reader = Callable[[PixelWindow], tuple[np.ndarray, np.ndarray]]
"""Window -> uint8 (rows, columns, 3) and bool validity (rows, columns)."""


def choose_device(settings: SegmentationSettings) -> torch.device:
    """The device that the settings ask for; auto takes a GPU where there is one."""
    if settings.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if settings.device == "cuda" and not torch.cuda.is_available():
        from cropbase.errors import DependencyError

        raise DependencyError(
            "segmentation.device is cuda, but torch finds no CUDA device here",
            remedy="set segmentation.device: auto, or install a torch build for your GPU",
        )
    return torch.device(settings.device)


def computes_bf16(device: torch.device) -> bool:
    """True if the hardware multiplies in bfloat16 itself (emulated, it is slower than fp32)."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, probe, lambda: False)() for probe in probes)


def memory_format(device: torch.device) -> torch.memory_format:
    """Order of the axes of image tensors: channels last on a GPU, whose tensor cores want it.

    On a CPU the convolutions gain nothing from it, and the backward pass of group normalisation
    takes several times as long.
    """
    return torch.channels_last if device.type == "cuda" else torch.contiguous_format


def use_bf16(settings: SegmentationSettings, device: torch.device) -> bool:
    """Whether the network runs in bf16 under these settings."""
    if settings.precision == "auto":
        return computes_bf16(device)
    return settings.precision == "bf16"


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
        weights = blend_weights(chip, self.settings.overlap)
        cols = chip_origins(window.col, window.col + window.width, chip, stride)
        rows = chip_origins(window.row, window.row + window.height, chip, stride)
        left, width = cols[0], cols[-1] + chip - cols[0]
        total = np.zeros((chip, width), dtype=np.float32)
        weight = np.zeros((chip, width), dtype=np.float32)
        inner = slice(window.col - left, window.col - left + window.width)
        bottom = window.row + window.height
        for position, row in enumerate(rows):
            self._add_row(
                PixelWindow(row, left, chip, width), cols, read, wanted, weights, total, weight
            )
            # Rows above the next chip's origin are final.
            final = rows[position + 1] if position + 1 < len(rows) else bottom
            first = max(row, window.row)
            stop = min(final, bottom)
            if stop > first:
                part = slice(first - row, stop - row), inner
                with np.errstate(invalid="ignore"):
                    probability = np.where(
                        weight[part] > 0, total[part] / weight[part], np.float32("nan")
                    )
                yield (
                    PixelWindow(first, window.col, stop - first, window.width),
                    probability.astype(np.float32, copy=False),
                )
            for store in (total, weight):
                store[: chip - stride] = store[stride:].copy()
                store[chip - stride :] = 0

    def _add_row(
        self,
        strip: PixelWindow,
        cols: list[int],
        read: Reader,
        wanted: Callable[[PixelWindow], bool] | None,
        weights: np.ndarray,
        total: np.ndarray,
        weight: np.ndarray,
    ) -> None:
        """Add the chips of one row to the sums of a strip (chip rows, width)."""
        chip = self.settings.inference_chip
        needed = [
            col for col in cols if wanted is None or wanted(PixelWindow(strip.row, col, chip, chip))
        ]
        if not needed:
            return
        # Only the stretch between the first and the last chip needed is read.
        reach = PixelWindow(strip.row, needed[0], chip, needed[-1] + chip - needed[0])
        rgb, valid = read(reach)
        places = [slice(col - reach.col, col - reach.col + chip) for col in needed]
        kept = [
            (col, place) for col, place in zip(needed, places, strict=True) if valid[:, place].any()
        ]
        size = self.settings.inference_batch_size
        for first in range(0, len(kept), size):
            group = kept[first : first + size]
            images = np.stack([rgb[:, place] for _, place in group])
            there = np.stack([valid[:, place] for _, place in group])
            for (col, _), probability, imagery in zip(
                group, self.chips(images, there), there, strict=True
            ):
                place = slice(col - strip.col, col - strip.col + chip)
                share = weights * imagery
                total[:, place] += probability * share
                weight[:, place] += share


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
