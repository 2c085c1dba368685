"""The training loop: knows neither the architecture nor where the chips come from."""

from __future__ import annotations

import copy
import hashlib
import json
import logging
import math
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from cropbase.atomic import atomic_path
from cropbase.errors import CropError
from cropbase.jobs import progress
from croplayer.segmentation.architectures import SegmentationModel
from croplayer.segmentation.device import memory_format
from croplayer.segmentation.monitor import Monitor
from croplayer.segmentation.passes import Passes
from croplayer.segmentation.sampling import Batch, ChipSampler
from croplayer.settings.segmentation import SegmentationSettings

if TYPE_CHECKING:
    from lightning_fabric import Fabric

log = logging.getLogger(__name__)

Validate = Callable[[SegmentationModel], dict[str, float]]
"""Model in evaluation mode -> measures; `iou` decides which model is kept."""

_FLOOR = 0.01
_FORMAT = 1
_NO_COURSE = (
    "threads",
    "loader_threads",
    "inference_batch_size",
    "acceleration",
    "threshold",
    "device",
    "tensorboard",
)
"""Settings that change nothing in what a training learns."""


class NonFiniteLossError(CropError):
    """The training loss became infinite or not a number."""


@dataclass
class TrainingState:
    """Where a training stands; everything but the weights of the model itself."""

    step: int = 0
    best_iou: float = -1.0
    best_step: int = 0
    best_weights: dict[str, torch.Tensor] = field(default_factory=dict)
    stale: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0


def learning_rate_factor(step: int, total: int, settings: SegmentationSettings) -> float:
    """Learning rate of a step (from 0) relative to its peak."""
    warmup = min(settings.warmup_steps, max(total - 1, 0))
    if step < warmup:
        return (step + 1) / (warmup + 1)
    if settings.schedule == "constant":
        return 1.0
    done = (step - warmup) / max(total - warmup, 1)
    fall = (
        (1 + math.cos(math.pi * done)) / 2 if settings.schedule == "cosine" else (1 - done) ** 0.9
    )
    return _FLOOR + (1 - _FLOOR) * fall


class Trainer:
    """AdamW with warm-up and schedule, moving average, early stopping, resumable state.

    Where several processes train together, all of them take the same steps; the first one validates
    and writes.

    Every draw follows from the seed and the number of the step, and the state is saved after each
    validation: on a CPU, a training that was killed and resumed ends in the same bytes as one that
    was not.
    """

    def __init__(
        self,
        model: SegmentationModel,
        sampler: ChipSampler,
        validate: Validate,
        settings: SegmentationSettings,
        fabric: Fabric,
        *,
        total_steps: int,
        checkpoint: Path,
        fingerprint: str,
    ) -> None:
        self.settings, self.sampler, self.validate = settings, sampler, validate
        self.fabric, self.device, self.total = fabric, fabric.device, total_steps
        self.checkpoint, self.fingerprint = checkpoint, fingerprint
        self.model = model.to(self.device, memory_format=memory_format(self.device))
        self.passes = Passes(self.model, settings, fabric)
        groups = self.model.parameter_groups(
            settings.learning_rate, settings.weight_decay, settings.encoder_learning_rate_factor
        )
        self.optimiser = torch.optim.AdamW(groups, fused=self.device.type == "cuda")
        self.peaks = [group["lr"] for group in groups]
        self.average = copy.deepcopy(self.model).eval() if settings.ema_decay else None
        self.state = TrainingState()
        self._started = 0.0

    # ------------------------------------------------------------------ the loop
    def run(self) -> TrainingState:
        """Train to the end, or to where early stopping ends it.

        Returns the state, which holds the best weights.

        Raises NonFiniteLossError naming the chips if the loss is not finite.
        """
        self._resume()
        state, settings = self.state, self.settings
        if self._stopped():
            return state
        self._started = time.monotonic() - state.seconds
        sums: dict[str, float] = {}
        counted = 0
        first = state.step
        # On a CPU threads would only take the cores from the network.
        ahead = settings.loader_threads if self.device.type == "cuda" else 0
        batches = self.sampler.batches(first, self.total, ahead)
        steps = zip(range(first, self.total), batches, strict=True)
        if self.fabric.is_global_zero:
            steps = progress(steps, what="training", unit="steps", total=self.total - first)
        with closing(batches), closing(self.passes), self._monitor() as monitor:
            for step, batch in steps:
                for name, value in self._step(step, batch).items():
                    sums[name] = sums.get(name, 0.0) + value
                counted += 1
                state.step = step + 1
                if state.step % settings.validate_every_steps and state.step != self.total:
                    continue
                self._validate({name: value / counted for name, value in sums.items()}, monitor)
                sums, counted = {}, 0
                if self._stopped():
                    break
        if state.step < self.total:
            log.info(
                "no better validation IoU in %d validations: training stops at step %d",
                state.stale,
                state.step,
            )
        return state

    def _monitor(self) -> Monitor:
        wanted = self.settings.tensorboard and self.fabric.is_global_zero
        return Monitor(self.checkpoint.parent / "tensorboard" if wanted else None)

    def _step(self, step: int, batch: Batch) -> dict[str, float]:
        settings = self.settings
        factor = learning_rate_factor(step, self.total, settings)
        for group, peak in zip(self.optimiser.param_groups, self.peaks, strict=True):
            group["lr"] = peak * factor
        parts = self.passes.run(batch, step)
        # One row a part of the loss, one column a chip, those of all processes.
        table = torch.stack(list(parts.values()))
        if self.fabric.world_size > 1:
            table = self.fabric.all_gather(table).transpose(0, 1).flatten(1)
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), settings.gradient_clip_norm)
        # The one wait for the device in a step, beside the matching.
        *values, largest = torch.cat([table.flatten(), norm[None]]).tolist()
        rows = [values[i : i + table.shape[1]] for i in range(0, len(values), table.shape[1])]
        chips = [sum(column) for column in zip(*rows, strict=True)]
        if not all(map(math.isfinite, [*chips, largest])):
            self._refuse(step, chips)
        self.optimiser.step()
        self._update_average(step)
        means = {name: sum(row) / len(row) for name, row in zip(parts, rows, strict=True)}
        return {"loss": sum(means.values()), **means}

    def _refuse(self, step: int, chips: list[float]) -> None:
        """Raise NonFiniteLossError: of the chips whose loss is not finite, or of the gradient."""
        names = self.sampler.names(step)
        bad = [name for name, loss in zip(names, chips, strict=True) if not math.isfinite(loss)]
        raise NonFiniteLossError(
            f"the segmentation {'loss' if bad else 'gradient'} is not finite at step {step}",
            given="chip(s) " + "; ".join(bad or names),
            remedy="look at the imagery and labels there; lower segmentation.learning_rate, or set "
            "segmentation.precision: fp32",
        )

    @torch.no_grad()
    def _update_average(self, step: int) -> None:
        if self.average is None or self.settings.ema_decay is None:
            return
        # Early on the average would remember the random start.
        decay = min(self.settings.ema_decay, (1 + step) / (10 + step))
        own = self.model.state_dict()
        pairs = [(value, own[name]) for name, value in self.average.state_dict().items()]
        moving = [(mean, new) for mean, new in pairs if mean.is_floating_point()]
        torch._foreach_lerp_(*map(list, zip(*moving, strict=True)), 1 - decay)
        for count, new in pairs:
            if not count.is_floating_point():
                count.copy_(new)

    def _validate(self, means: dict[str, float], monitor: Monitor) -> None:
        """Measure the model, keep it if it is the best, and save where the training stands."""
        state = self.state
        model = self.average if self.average is not None else self.model
        measures = None
        if self.fabric.is_global_zero:
            measures = self.validate(model.eval())
        # Early stopping and the best step are decided by the same figures everywhere.
        measures = self.fabric.broadcast(measures)
        rate = self.optimiser.param_groups[-1]["lr"]
        row = {"step": state.step, "learning_rate": rate, **means, **measures}
        state.history.append(row)
        monitor.write(row)
        log.info(
            "step %d of %d: loss %.3f, validation IoU %.4f",
            state.step,
            self.total,
            means["loss"],
            measures["iou"],
        )
        if measures["iou"] > state.best_iou:
            state.best_iou, state.best_step, state.stale = measures["iou"], state.step, 0
            state.best_weights = {
                name: value.detach().cpu().clone() for name, value in model.state_dict().items()
            }
        else:
            state.stale += 1
        state.seconds = time.monotonic() - self._started
        self._save()

    def _stopped(self) -> bool:
        patience = self.settings.early_stopping_patience
        return self.state.step >= self.total or (
            patience is not None and self.state.stale >= patience
        )

    # ------------------------------------------------------------------ resuming
    def _save(self) -> None:
        if not self.fabric.is_global_zero:
            return
        content: dict[str, Any] = {
            "format": _FORMAT,
            "fingerprint": self.fingerprint,
            "model": self.model.state_dict(),
            "average": self.average.state_dict() if self.average is not None else None,
            "optimiser": self.optimiser.state_dict(),
            "state": vars(self.state),
        }
        with atomic_path(self.checkpoint) as path:
            torch.save(content, path)

    def _resume(self) -> None:
        if not self.checkpoint.is_file():
            return
        try:
            # weights_only: a checkpoint is data and may not run code.
            content = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
        except Exception as error:  # the unpickler raises any kind for a damaged file
            log.warning(
                "checkpoint %s cannot be read (%s): training starts anew", self.checkpoint, error
            )
            return
        if (content.get("format"), content.get("fingerprint")) != (_FORMAT, self.fingerprint):
            log.warning(
                "checkpoint %s belongs to other labels, imagery or settings: training starts anew",
                self.checkpoint,
            )
            return
        self.model.load_state_dict(content["model"])
        if self.average is not None:
            self.average.load_state_dict(content["average"])
        self.optimiser.load_state_dict(content["optimiser"])
        self.state = TrainingState(**content["state"])
        log.info("training goes on from step %d", self.state.step)


def training_fingerprint(settings: SegmentationSettings, data: str, start: str, bf16: bool) -> str:
    """sha256 of all that decides the course of a training: a checkpoint of another one is refused.

    `data` is the hash of the labelled windows, `start` that of the model to start from.
    """
    values = settings.model_dump(mode="json")
    for name in _NO_COURSE:
        values.pop(name)
    text = json.dumps([values, data, start, bf16], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
