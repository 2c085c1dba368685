"""Batches of chips on a device: worker threads on a CPU, a queue of kernels on a GPU.

An executor takes batches in order and gives their weighted probabilities in the same order. It is
never more than `depth` batches ahead, so memory does not depend on how many there are.
"""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from croplayer.segmentation.architectures import SegmentationModel
from croplayer.segmentation.chips import Chip
from croplayer.segmentation.graphs import CapturedGraph, CaptureError

log = logging.getLogger(__name__)

Weighted = tuple[Tensor, Tensor]
"""Probability x weight and weight, float32 (chips, rows, columns), on the device."""


class ChipNetwork:
    """A copy of a model for inference alone: its device, its axis order, its precision.

    Convolutions run with channels last, on a GPU for its tensor cores, on a CPU for oneDNN (about a
    quarter faster there, measured with the preset tiny). The model itself stays as it is, so that
    a training may measure it in between.
    """

    def __init__(self, model: SegmentationModel, device: torch.device, bf16: bool) -> None:
        self.device, self.bf16 = device, bf16
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self.model = self.model.to(device, memory_format=torch.channels_last)

    @torch.inference_mode()
    def probability(self, rgb: Tensor, valid: Tensor) -> Tensor:
        """Probability of cropland, float32 (chips, rows, columns); meaningless where not valid.

        Parameters
        ----------
        rgb : uint8 (chips, rows, columns, 3), on the device.
        valid : bool (chips, rows, columns), on the device.
        """
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.bf16):
            outputs = self.model(self._images(rgb, valid))
        return self.model.cropland_logits(outputs, tuple(valid.shape[1:])).float().sigmoid()

    @torch.inference_mode()
    def embedding(self, rgb: Tensor, valid: Tensor) -> Tensor:
        """Encoder features of chips, averaged over each, float32 (chips, channels), in fp32."""
        return self.model.embedding(self._images(rgb, valid)).float()

    def _images(self, rgb: Tensor, valid: Tensor) -> Tensor:
        # The permuted view of rows, columns, bands already lies in memory with channels last.
        images = rgb.permute(0, 3, 1, 2).float() / 255
        images = torch.where(valid[:, None], images, self.model.mean[None, :, None, None])
        return images.contiguous(memory_format=torch.channels_last)

    @torch.inference_mode()
    def weighted(self, rgb: Tensor, valid: Tensor, weights: Tensor) -> Weighted:
        """Probabilities times the weights of the blending, and the weights where valid."""
        share = weights * valid
        return self.probability(rgb, valid) * share, share


class CpuExecutor:
    """One batch a thread, each on one core.

    Operations on a few chips are too small to be split among threads; whole batches are not, and
    never wait for one another.

    A chip left over is computed twice rather than alone: oneDNN takes other kernels for a batch of
    one, and in bf16 their rounding showed in probabilities by 5e-3, so that a chip's answer would
    depend on where its shard ends. From two chips on the answers were the same, bit by bit.
    """

    def __init__(self, network: ChipNetwork, weights: np.ndarray, batch: int) -> None:
        self.network = network
        self._smallest = min(batch, 2)
        self.weights = torch.from_numpy(weights)
        self.threads = torch.get_num_threads()
        self.depth = self.threads + 1
        self.busy_seconds = 0.0

    def __enter__(self) -> CpuExecutor:
        torch.set_num_threads(1)
        self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="inference")
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)
        torch.set_num_threads(self.threads)

    def submit(self, chips: Sequence[Chip]) -> Future[tuple[Weighted, float]]:
        """Let a thread compute a batch."""
        return self._pool.submit(self._compute, chips)

    def result(self, pending: Future[tuple[Weighted, float]]) -> Weighted:
        """The weighted probabilities of a batch, once there."""
        weighted, seconds = pending.result()
        self.busy_seconds += seconds / self.threads
        return weighted

    def _compute(self, chips: Sequence[Chip]) -> tuple[Weighted, float]:
        started = time.perf_counter()
        padded = [*chips, *chips[: max(self._smallest - len(chips), 0)]]
        rgb = torch.from_numpy(np.stack([chip.rgb for chip in padded]))
        valid = torch.from_numpy(np.stack([chip.valid for chip in padded]))
        weighted, weight = self.network.weighted(rgb, valid, self.weights)
        return (weighted[: len(chips)], weight[: len(chips)]), time.perf_counter() - started


class CudaExecutor:
    """Batches queued on a GPU: pinned staging memory, copies on a stream of their own.

    Batches are padded to one size, so that one captured graph (or compiled program) does for all
    and no batch is computed by other kernels than its neighbours.
    """

    depth = 0
    """The caller blends a batch before it submits the next one; only the host runs ahead."""
    _SLOTS = 3

    def __init__(
        self, network: ChipNetwork, weights: np.ndarray, batch: int, acceleration: str
    ) -> None:
        self.network, self.batch = network, batch
        device, chip = network.device, len(weights)
        self.weights = torch.from_numpy(weights).to(device)
        self.busy_seconds = 0.0
        self._copies = torch.cuda.Stream(device)
        self._slots = [_Slot(batch, chip, device) for _ in range(self._SLOTS)]
        self._turn = 0
        self.acceleration, self._run = self._accelerated(acceleration, self._slots[0])

    def __enter__(self) -> CudaExecutor:
        self.busy_seconds = 0.0
        return self

    def __exit__(self, *_: object) -> None:
        torch.cuda.synchronize(self.network.device)
        for slot in self._slots:
            self.busy_seconds += slot.wait()

    def submit(self, chips: Sequence[Chip]) -> Weighted:
        """Queue a batch; the tensors hold its answer until the next one is submitted."""
        slot = self._slots[self._turn]
        self._turn = (self._turn + 1) % len(self._slots)
        self.busy_seconds += slot.wait()
        slot.stage(chips, self._copies)
        stream = torch.cuda.current_stream(self.network.device)
        stream.wait_event(slot.uploaded)
        slot.begun.record(stream)
        weighted, share = self._run(slot.rgb, slot.valid)
        slot.done.record(stream)
        return weighted[: len(chips)], share[: len(chips)]

    def result(self, pending: Weighted) -> Weighted:
        """What `submit` gave: the device keeps the order, nobody waits."""
        return pending

    def _plain(self, rgb: Tensor, valid: Tensor) -> Weighted:
        return self.network.weighted(rgb, valid, self.weights)

    def _accelerated(
        self, wanted: str, slot: _Slot
    ) -> tuple[str, Callable[[Tensor, Tensor], Weighted]]:
        """How a batch is computed; falls back to one kernel after another, and says so."""
        if wanted == "compile":
            compiled = torch.compile(self._plain, dynamic=False)
            try:
                compiled(slot.rgb, slot.valid)
                return "compile", compiled
            except Exception as error:  # the compiler raises many kinds, of many packages
                log.warning("torch.compile cannot do this network: %s", _first_line(error))
        elif wanted in ("auto", "cuda_graphs"):
            try:
                return "cuda_graphs", CapturedGraph(self._plain, slot.rgb, slot.valid)
            except CaptureError as error:
                log.warning("this network cannot be captured as a CUDA graph: %s", error)
        return "none", self._plain


class _Slot:
    """Memory of one batch: pinned on the host, and on the device."""

    def __init__(self, batch: int, chip: int, device: torch.device) -> None:
        pinned = device.type == "cuda"
        self._rgb = torch.zeros((batch, chip, chip, 3), dtype=torch.uint8, pin_memory=pinned)
        self._valid = torch.zeros((batch, chip, chip), dtype=torch.bool, pin_memory=pinned)
        self.rgb, self.valid = self._rgb.to(device), self._valid.to(device)
        self.uploaded = torch.cuda.Event()
        self.begun = torch.cuda.Event(enable_timing=True)
        self.done = torch.cuda.Event(enable_timing=True)
        self._running = False

    def wait(self) -> float:
        """Wait for the slot's last batch, if any; how long the device worked at it, seconds."""
        if not self._running:
            return 0.0
        self._running = False
        self.done.synchronize()
        return self.begun.elapsed_time(self.done) / 1000

    def stage(self, chips: Sequence[Chip], copies: torch.cuda.Stream) -> None:
        """Copy chips to the device; places beyond them hold what an earlier batch left."""
        rgb, valid = self._rgb.numpy(), self._valid.numpy()
        for index, chip in enumerate(chips):
            rgb[index], valid[index] = chip.rgb, chip.valid
        with torch.cuda.stream(copies):
            self.rgb.copy_(self._rgb, non_blocking=True)
            self.valid.copy_(self._valid, non_blocking=True)
            self.uploaded.record(copies)
        self._running = True


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
