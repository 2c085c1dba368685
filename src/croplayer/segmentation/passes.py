"""Loss and gradient of one training step, in one pass of the network or in several.

On a GPU the passes of a step follow one another: a large batch fits a small memory. On a CPU they
run side by side, each on one thread with its own copy of the network. Operations on a few small
chips are too short to be split among threads, which would spend their time waiting for one another;
passes do not wait. How a batch is split does not depend on the number of threads, so neither does
what is learnt.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor, nn

from croplayer.segmentation.architectures import SegmentationModel
from croplayer.segmentation.device import use_bf16
from croplayer.segmentation.sampling import Batch
from croplayer.settings.segmentation import SegmentationSettings

CPU_PASS_CHIPS = 4
_STREAM = 1_000_003


class Passes:
    """Forward and backward passes of a model over batches.

    Parameters
    ----------
    model : the network in training, on its device; receives the gradients, and the moving means of
        its batch normalisation.
    """

    def __init__(
        self, model: SegmentationModel, settings: SegmentationSettings, device: torch.device
    ) -> None:
        self.model, self.settings, self.device = model, settings, device
        self.bf16 = use_bf16(settings, device)
        default = CPU_PASS_CHIPS if device.type == "cpu" else settings.batch_size
        self.size = min(settings.pass_chips or default, settings.batch_size)
        count = -(-settings.batch_size // self.size)
        # Drop-out draws from one stream for all threads: who comes first would be chance.
        aside = device.type == "cpu" and count > 1 and not _draws(model)
        self.copies = [copy.deepcopy(model) for _ in range(count)] if aside else []
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
        seeds = [(self.settings.seed * _STREAM + step) * _STREAM + i for i in range(len(parts))]
        if self.copies:
            results = self._side_by_side(parts, seeds)
        else:
            self.model.zero_grad(set_to_none=True)
            results = [
                self._pass(self.model, part, seed, len(batch.names))
                for part, seed in zip(parts, seeds, strict=True)
            ]
        return {name: torch.cat([result[name] for result in results]) for name in results[0]}

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

    def _pass(
        self, model: SegmentationModel, part: Batch, seed: int, chips: int
    ) -> dict[str, Tensor]:
        if not self.copies:
            torch.manual_seed(seed)
        generator = torch.Generator(self.device).manual_seed(seed)
        part = part.to(self.device)
        # The cache of cast weights is one for all threads, and the pass that ends first empties it:
        # side by side, gradients would be rounded in an order that chance decides.
        with torch.autocast(
            self.device.type,
            dtype=torch.bfloat16,
            enabled=self.bf16,
            cache_enabled=not self.copies,
        ):
            outputs = model(part.images)
        losses = model.chip_losses(outputs, part.labels, part.valid, generator)
        (torch.stack(list(losses.values())).sum() / chips).backward()
        return {name: value.detach() for name, value in losses.items()}

    def _aside(
        self, copied: SegmentationModel, part: Batch, seed: int, chips: int
    ) -> dict[str, Tensor]:
        """A pass of a copy that first takes over what the model has learnt."""
        with torch.no_grad():
            for ours, theirs in zip(_tensors(copied), _tensors(self.model), strict=True):
                ours.copy_(theirs)
        copied.train()
        copied.zero_grad(set_to_none=True)
        return self._pass(copied, part, seed, chips)

    @torch.no_grad()
    def _gather(self, shares: list[float]) -> None:
        """Add up the gradients of the copies and average their moving means."""
        used = self.copies[: len(shares)]
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


def _tensors(model: nn.Module) -> list[Tensor]:
    return [*model.parameters(), *model.buffers()]


def _draws(model: nn.Module) -> bool:
    """True if a forward pass in training draws random numbers (drop-out, drop path)."""
    return any(
        "drop" in type(module).__name__.lower()
        and (getattr(module, "p", 0) or getattr(module, "drop_prob", 0) or 0) > 0
        for module in model.modules()
    )
