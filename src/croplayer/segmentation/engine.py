"""Running a model over images of any size: chips read ahead, computed in batches, blended.

The parts: `chips` lays the chips and reads them with threads, `executor` computes batches of them
on a device, `blend` adds them up. Batches are filled across stretches and rows of chips, and what
is final is handed over in pieces. Everything in flight is bounded; only the sums of one row of
chips are as wide as the window (8 bytes a pixel), and nothing grows with its height.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from croplayer.grid import PixelWindow
from croplayer.segmentation.architectures import SegmentationModel
from croplayer.segmentation.blend import Blend, Encode, HostCopy
from croplayer.segmentation.chips import (
    Chip,
    Reader,
    array_reader,
    blend_weights,
    chip_origins,
    read_chips,
)
from croplayer.segmentation.device import choose_device, use_bf16
from croplayer.segmentation.executor import ChipNetwork, CpuExecutor, CudaExecutor
from croplayer.settings.segmentation import SegmentationSettings

log = logging.getLogger(__name__)

GPU_BATCH_CHIPS = 32
CPU_BATCH_PIXELS = {True: 2**19, False: 2**18}
"""Pixels of a batch on a CPU, in bf16 and in fp32: beyond, its feature maps leave the caches."""
PIECE_COLUMNS = 4096
"""Widest piece that is handed over; whole tiles of a raster whose first column is the window's."""


@dataclass
class RunFigures:
    """What a run over a window did.

    chips : chips computed.
    seconds : wall time from the device being ready (a graph captured, a program compiled) to the
        last chip.
    busy_seconds : time in which the device computed chips.
    """

    chips: int = 0
    seconds: float = 0.0
    busy_seconds: float = 0.0

    @property
    def idle_share(self) -> float:
        """Share of the wall time in which the device computed no chip."""
        return max(0.0, 1 - self.busy_seconds / self.seconds) if self.seconds else 0.0


class Predictor:
    """A model ready for inference: device, precision, batches.

    figures : of the last run of `pieces` that came to its end.
    """

    def __init__(
        self,
        model: SegmentationModel,
        settings: SegmentationSettings,
        device: torch.device | None = None,
    ) -> None:
        self.device = device or choose_device(settings)
        self.settings = settings
        self.network = ChipNetwork(model, self.device, use_bf16(settings, self.device))
        self.batch_size = batch_size(settings, self.device, self.network.bf16)
        self.figures = RunFigures()
        self._weights = blend_weights(settings.inference_chip, settings.overlap)
        self._queue: CudaExecutor | None = None

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
        for first in range(0, len(rgb), self.batch_size):
            part = slice(first, first + self.batch_size)
            images = torch.from_numpy(rgb[part]).to(self.device)
            there = torch.from_numpy(valid[part]).to(self.device)
            result[part] = self.network.probability(images, there).cpu().numpy()
        return result

    def map_window(self, window: PixelWindow, read: Reader) -> np.ndarray:
        """Blended probabilities of a window, float32 (rows, columns), NaN without imagery."""
        found = np.empty((window.height, window.width), dtype=np.float32)
        for piece, values in self.pieces(window, read):
            found[piece.relative_to(window)] = values
        return found

    def pieces(
        self,
        window: PixelWindow,
        read: Reader,
        wanted: Callable[[PixelWindow], bool] | None = None,
        encode: Encode | None = None,
    ) -> Iterator[tuple[PixelWindow, np.ndarray]]:
        """Blended probabilities of a window, piece by piece.

        Parameters
        ----------
        window : the pixels wanted, on the global grid.
        read : gives imagery of any window of the global grid; called by several threads.
        wanted : tells of a chip whether it is needed; all are if None.
        encode : applied to each piece on the device, before it is copied to the host.

        Yields
        ------
        (piece, probability (rows, columns)), float32 with NaN where there is no imagery or no chip
        was wanted, or what `encode` makes of that. The pieces make up `window`: strips from north
        to south, at most a chip high, each from west to east in pieces of at most `PIECE_COLUMNS`.
        """
        late: tuple[PixelWindow, HostCopy] | None = None
        # A piece is handed over one piece late: its copy to the host overlaps with the next one.
        for piece, probability in self._blended(window, read, wanted):
            copied = HostCopy(encode(probability) if encode else probability)
            if late is not None:
                yield late[0], late[1].array()
            late = piece, copied
        if late is not None:
            yield late[0], late[1].array()

    def _blended(
        self, window: PixelWindow, read: Reader, wanted: Callable[[PixelWindow], bool] | None
    ) -> Iterator[tuple[PixelWindow, Tensor]]:
        chip, stride = self.settings.inference_chip, self.settings.stride_pixels
        cols = chip_origins(window.col, window.col + window.width, chip, stride)
        rows = chip_origins(window.row, window.row + window.height, chip, stride)
        bottom = window.row + window.height
        blend = Blend(chip, cols[0], cols[-1] + chip - cols[0], self.device)
        # On a CPU one thread reads well ahead of the others, which compute.
        readers = self.settings.loader_threads
        source = read_chips(
            rows, cols, chip, read, wanted,
            together=max(self.batch_size, 8),
            threads=min(readers, 1) if self.device.type == "cpu" else readers,
        )  # fmt: skip
        done = self._computed(source)
        following = next(done, None)
        for position, row in enumerate(rows):
            while following is not None and following[0].row == row:
                computed, weighted, weight = following
                blend.add(computed.col, weighted, weight)
                following = next(done, None)
            # Rows above the next chip's origin are final.
            final = rows[position + 1] if position + 1 < len(rows) else bottom
            first, stop = max(row, window.row), min(final, bottom)
            if stop > first:
                for col in range(window.col, window.col + window.width, PIECE_COLUMNS):
                    width = min(PIECE_COLUMNS, window.col + window.width - col)
                    piece = PixelWindow(first, col, stop - first, width)
                    yield piece, blend.take(first - row, stop - row, col, width)
            blend.shift(stride)

    def _computed(self, source: Iterator[Chip]) -> Iterator[tuple[Chip, Tensor, Tensor]]:
        """Chips with their weighted probabilities and weights, in the order of the source."""
        self.figures = RunFigures()
        pending: deque = deque()
        with self._executor() as executor:
            started = time.perf_counter()

            def unpack() -> Iterator[tuple[Chip, Tensor, Tensor]]:
                chips, submitted = pending.popleft()
                yield from zip(chips, *executor.result(submitted), strict=True)

            for batch in _batches(source, self.batch_size):
                self.figures.chips += len(batch)
                pending.append((batch, executor.submit(batch)))
                if len(pending) > executor.depth:
                    yield from unpack()
            while pending:
                yield from unpack()
        self.figures.seconds = time.perf_counter() - started
        self.figures.busy_seconds = executor.busy_seconds

    @property
    def acceleration(self) -> str:
        """How the network runs: none, cuda_graphs or compile; auto is settled by the first run."""
        return self._queue.acceleration if self._queue is not None else "none"

    def _executor(self) -> CpuExecutor | CudaExecutor:
        if self.device.type == "cpu":
            return CpuExecutor(self.network, self._weights, self.batch_size)
        if self._queue is None:
            self._queue = CudaExecutor(
                self.network, self._weights, self.batch_size, self.settings.acceleration
            )
        return self._queue


def batch_size(settings: SegmentationSettings, device: torch.device, bf16: bool) -> int:
    """Chips a forward pass in inference: as the settings say, or what suits the device."""
    if settings.inference_batch_size is not None:
        return settings.inference_batch_size
    if device.type != "cpu":
        return GPU_BATCH_CHIPS
    return min(max(CPU_BATCH_PIXELS[bf16] // settings.inference_chip**2, 1), GPU_BATCH_CHIPS)


def _batches(items: Iterable[Chip], size: int) -> Iterator[list[Chip]]:
    batch: list[Chip] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


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
    return predictor.map_window(window, array_reader(rgb, valid, window))
