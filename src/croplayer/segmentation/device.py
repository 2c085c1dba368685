"""Where a network runs: device, precision, axis order, threads."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import torch

from cropbase.errors import DependencyError
from croplayer.settings.segmentation import SegmentationSettings


def choose_device(settings: SegmentationSettings) -> torch.device:
    """The device that the settings ask for; auto takes a GPU where there is one."""
    if settings.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if settings.device == "cuda" and not torch.cuda.is_available():
        raise DependencyError(
            "segmentation.device is cuda, but torch finds no CUDA device here",
            remedy="set segmentation.device: auto, or install a torch build for your GPU",
        )
    return torch.device(settings.device)


@contextmanager
def least_used_device(
    settings: SegmentationSettings, locks: Path | None = None
) -> Iterator[torch.device]:
    """The device of `choose_device`; of several GPUs the one that fewest other jobs hold.

    A scheduler that gives each job its GPU (Slurm) leaves nothing to choose. On one machine the
    jobs run side by side and see all GPUs; they tell one another by locks on files in the system's
    temporary folder (`locks`), which end with their process, however it ends.
    """
    device = choose_device(settings)
    gpus = torch.cuda.device_count() if device.type == "cuda" else 1
    if gpus == 1:
        yield device
        return
    folder = locks or Path(tempfile.gettempdir())
    for turn, index in ((turn, index) for turn in count() for index in range(gpus)):
        path = folder / f"croplayer-{os.getuid()}-gpu{index}-{turn}.lock"
        handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            continue
        try:
            with torch.cuda.device(index):
                yield torch.device("cuda", index)
        finally:
            os.close(handle)
        return


def computes_bf16(device: torch.device) -> bool:
    """True if the hardware multiplies in bfloat16 itself (emulated, it is slower than fp32)."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, probe, lambda: False)() for probe in probes)


def memory_format(device: torch.device) -> torch.memory_format:
    """Order of the axes in training: channels last on a GPU, whose tensor cores want it.

    On a CPU the backward pass of group normalisation would take several times as long. Inference
    has channels last everywhere.
    """
    return torch.channels_last if device.type == "cuda" else torch.contiguous_format


def use_bf16(settings: SegmentationSettings, device: torch.device) -> bool:
    """Whether the network runs in bf16 under these settings."""
    if settings.precision == "auto":
        return computes_bf16(device)
    return settings.precision == "bf16"


def set_threads(settings: SegmentationSettings) -> None:
    """Let torch use as many threads as the settings say."""
    if settings.threads is not None and torch.get_num_threads() != settings.threads:
        torch.set_num_threads(settings.threads)
