"""One process or several, each with its own device, that train one model (Lightning Fabric)."""

from __future__ import annotations

import logging
import logging.handlers
import multiprocessing
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from cropbase.errors import CropError, DependencyError
from croplayer.segmentation.device import choose_device
from croplayer.settings.segmentation import SegmentationSettings

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Work = Callable[["Fabric"], Any]


def make_fabric(settings: SegmentationSettings) -> Fabric:
    """Fabric on the device(s) that the settings ask for, in fp32.

    The network's own precision is not Fabric's business: losses and matching stay in fp32.

    Raises DependencyError if there are fewer GPUs than asked for.
    """
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.environments import LightningEnvironment
    from lightning_fabric.strategies import DDPStrategy

    device = choose_device(settings)
    if device.type == "cuda" and settings.devices > torch.cuda.device_count():
        raise DependencyError(
            f"segmentation.devices = {settings.devices}, but torch sees "
            f"{torch.cuda.device_count()} GPU(s) here",
            remedy="lower segmentation.devices, or give the job more GPUs (CUDA_VISIBLE_DEVICES)",
        )
    # The processes are ours, also within a Slurm job, which counts one task.
    plugins = [LightningEnvironment()]
    if settings.devices == 1:
        return Fabric(accelerator=device.type, devices=1, plugins=plugins)
    strategy = DDPStrategy(
        start_method="spawn",
        # Branches that only some chips reach, and heads that only training reads.
        find_unused_parameters=True,
        # Passes averages the moving means itself; the default would take those of rank 0.
        broadcast_buffers=False,
    )
    return Fabric(
        accelerator=device.type, devices=settings.devices, strategy=strategy, plugins=plugins
    )


def run_on_devices(work: Work, settings: SegmentationSettings) -> Any:
    """`work(fabric)` in one process for each device; what it gives in the first of them.

    With one device it runs here. Otherwise `work` is pickled, so it is a function of a module (or a
    `functools.partial` of one), and the calling script is guarded by `if __name__ == "__main__"`.

    Raises the CropError that a process raised, as if it had run here.
    """
    fabric = make_fabric(settings)
    if settings.devices == 1:
        return work(fabric)
    context = multiprocessing.get_context("spawn")
    records: Any = context.Queue()
    errors = context.SimpleQueue()
    listener = logging.handlers.QueueListener(
        records, *logging.getLogger().handlers, respect_handler_level=True
    )
    listener.start()
    try:
        return fabric.launch(_in_rank, work, records, errors)
    except Exception:
        if not errors.empty():
            raise errors.get() from None
        raise
    finally:
        listener.stop()


def _in_rank(fabric: Fabric, work: Work, records: Any, errors: Any) -> Any:
    """The body of one process: its records and its errors go to the process that started it."""
    root = logging.getLogger()
    root.handlers = [logging.handlers.QueueHandler(records)]
    root.setLevel(logging.INFO if fabric.is_global_zero else logging.ERROR)
    try:
        return work(fabric)
    except CropError as error:
        errors.put(error)
        sys.exit(1)
