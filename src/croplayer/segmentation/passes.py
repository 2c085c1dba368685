"""Loss and gradient of one training step, in one pass of the network or in several.

The chips of a step are shared out among the processes that train together, if there are several;
each splits its own into passes. On a GPU the passes of a step follow one another: a large batch
fits a small memory. On a CPU they run side by side, each on one thread with its own copy of the
network. Operations on a few small chips are too short to be split among threads, which would spend
their time waiting for one another; passes do not wait. How a batch is split does not depend on the
number of threads, so neither does what is learnt.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from croplayer.segmentation.architectures import SegmentationModel
from croplayer.segmentation.device import use_bf16
from croplayer.segmentation.sampling import Batch
from croplayer.settings.segmentation import SegmentationSettings

if TYPE_CHECKING:
    from lightning_fabric import Fabric

CPU_PASS_CHIPS = 4
_STREAM = 1_000_003


class ChipLosses(nn.Module):
    """A model and its loss as one forward pass: the network in bf16 if wanted, the loss in fp32."""

    def __init__(self, model: SegmentationModel, bf16: bool, cache: bool) -> None:
        super().__init__()
        self.model, self.bf16, self.cache = model, bf16, cache

    def forward(
        self, images: Tensor, labels: Tensor, valid: Tensor, seed: int
    ) -> dict[str, Tensor]:
        """The parts of the loss of each chip, float32 (chips,); `seed` draws the points."""
        kind = images.device.type
        with torch.autocast(
            kind, dtype=torch.bfloat16, enabled=self.bf16, cache_enabled=self.cache
        ):
            outputs = self.model(images)
        generator = torch.Generator(images.device).manual_seed(seed)
        return self.model.chip_losses(outputs, labels, valid, generator)


class Passes:
    """Forward and backward passes of a model over batches.

    Parameters
    ----------
    model : the network in training, on its device; receives the gradients, and the moving means of
        its batch normalisation.
    fabric : the processes that train together; each gives its own part of the batch to `run`.
    """

    def __init__(
        self, model: SegmentationModel, settings: SegmentationSettings, fabric: Fabric
    ) -> None:
        self.model, self.settings, self.fabric = model, settings, fabric
        self.device = fabric.device
        bf16 = use_bf16(settings, self.device)
        own = settings.batch_size // fabric.world_size
        default = CPU_PASS_CHIPS if self.device.type == "cpu" else own
        self.size = min(settings.pass_chips or default, own)
        self.count = -(-own // self.size)
        # Drop-out draws from one stream for all threads: who comes first would be chance.
        alone = self.device.type == "cpu" and fabric.world_size == 1
        aside = alone and self.count > 1 and not _draws(model)
        # The cache of cast weights is one for all threads, and the pass that ends first empties it:
        # side by side, gradients would be rounded in an order that chance decides.
        self.network = fabric.setup_module(ChipLosses(model, bf16, cache=not aside))
        self.copies = (
            [ChipLosses(copy.deepcopy(model), bf16, cache=False) for _ in range(self.count)]
            if aside
            else []
        )
        self._pool: ThreadPoolExecutor | None = None

    def close(self) -> None:
        """Let go of the threads."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def run(self, batch: Batch, step: int) -> dict[str, Tensor]:
        """Leave the gradient of the mean loss over the chips in the model's parameters.

        Returns
        -------
        Parts of the loss, name -> float32 (chips,), detached. Where one is not finite, neither is
        the gradient.
        """
        self.model.train()
        parts = list(self._split(batch))
        first = self.fabric.global_rank * self.count
        seeds = [
            (self.settings.seed * _STREAM + step) * _STREAM + first + i for i in range(len(parts))
        ]
        if self.copies:
            results = self._side_by_side(parts, seeds)
        else:
            results = self._one_by_one(parts, seeds)
        return {name: torch.cat([result[name] for result in results]) for name in results[0]}

    def _one_by_one(self, parts: list[Batch], seeds: list[int]) -> list[dict[str, Tensor]]:
        self.network.zero_grad(set_to_none=True)
        chips = sum(len(part.names) for part in parts)
        together = self.fabric.world_size > 1
        results = []
        for number, (part, seed) in enumerate(zip(parts, seeds, strict=True), start=1):
            torch.manual_seed(seed)
            waits = together and number < len(parts)
            with self.fabric.no_backward_sync(self.network, enabled=waits):
                results.append(self._pass(self.network, part, seed, chips))
        if together:
            self._average_moving_means()
        return results

    def _side_by_side(self, parts: list[Batch], seeds: list[int]) -> list[dict[str, Tensor]]:
        chips = [sum(len(part.names) for part in parts)] * len(parts)
        threads = torch.get_num_threads()
        if self._pool is None:
            self._pool = ThreadPoolExecutor(min(threads, len(self.copies)))
        torch.set_num_threads(1)
        try:
            results = list(self._pool.map(self._aside, self.copies, parts, seeds, chips))
        finally:
            torch.set_num_threads(threads)
        self._gather([len(part.names) / chips[0] for part in parts])
        return results

    def _split(self, batch: Batch) -> Iterator[Batch]:
        for first in range(0, len(batch.names), self.size):
            part = slice(first, first + self.size)
            yield Batch(
                batch.images[part], batch.labels[part], batch.valid[part], batch.names[part]
            )

    def _pass(self, network: nn.Module, part: Batch, seed: int, chips: int) -> dict[str, Tensor]:
        part = part.to(self.device)
        losses = network(part.images, part.labels, part.valid, seed)
        self.fabric.backward(torch.stack(list(losses.values())).sum() / chips)
        return {name: value.detach() for name, value in losses.items()}

    def _aside(self, copied: ChipLosses, part: Batch, seed: int, chips: int) -> dict[str, Tensor]:
        """A pass of a copy that first takes over what the model has learnt."""
        with torch.no_grad():
            for ours, theirs in zip(_tensors(copied.model), _tensors(self.model), strict=True):
                ours.copy_(theirs)
        copied.train()
        copied.zero_grad(set_to_none=True)
        return self._pass(copied, part, seed, chips)

    @torch.no_grad()
    def _gather(self, shares: list[float]) -> None:
        """Add up the gradients of the copies and average their moving means."""
        used = [copied.model for copied in self.copies[: len(shares)]]
        for own, *others in zip(
            self.model.parameters(), *(c.parameters() for c in used), strict=True
        ):
            grads = [other.grad for other in others if other.grad is not None]
            own.grad = torch.stack(grads).sum(0) if grads else None
        for own, *others in zip(self.model.buffers(), *(c.buffers() for c in used), strict=True):
            if own.is_floating_point():
                weighted = [share * other for share, other in zip(shares, others, strict=True)]
                own.copy_(torch.stack(weighted).sum(0))
            else:
                own.copy_(others[0])

    @torch.no_grad()
    def _average_moving_means(self) -> None:
        """Give all processes the mean of their moving means."""
        own = [
            buffer
            for module in self.model.modules()
            if isinstance(module, nn.modules.batchnorm._BatchNorm)
            for buffer in module.buffers()
            if buffer.is_floating_point()
        ]
        if not own:
            return
        mean = self.fabric.all_reduce(torch.cat([b.flatten() for b in own]), reduce_op="mean")
        for buffer, values in zip(own, mean.split([b.numel() for b in own]), strict=True):
            buffer.copy_(values.view_as(buffer))


def _tensors(model: nn.Module) -> list[Tensor]:
    return [*model.parameters(), *model.buffers()]


def _draws(model: nn.Module) -> bool:
    """True if a forward pass in training draws random numbers (drop-out, drop path)."""
    return any(
        "drop" in type(module).__name__.lower()
        and (getattr(module, "p", 0) or getattr(module, "drop_prob", 0) or 0) > 0
        for module in model.modules()
    )
