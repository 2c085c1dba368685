"""Where a network runs: device, precision, axis order, threads."""

from __future__ import annotations

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
