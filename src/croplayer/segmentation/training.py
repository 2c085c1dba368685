"""Training the cropland segmentation of a province."""

from __future__ import annotations

import csv
import logging
import math
import os
import platform
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from cropbase.atomic import atomic_path, write_json
from croplayer.grid import BlockGrid
from croplayer.segmentation import storage
from croplayer.segmentation.architectures import SegmentationModel, build_model
from croplayer.segmentation.device import set_threads, use_bf16
from croplayer.segmentation.loop import Trainer, TrainingState, training_fingerprint
from croplayer.segmentation.measuring import measure
from croplayer.segmentation.ranks import run_on_devices
from croplayer.segmentation.sampling import ChipSampler
from croplayer.segmentation.windows import LabelledWindow, data_hash, load_windows
from croplayer.settings.segmentation import SegmentationSettings

if TYPE_CHECKING:
    from lightning_fabric import Fabric

log = logging.getLogger(__name__)


def train_segmentation(
    *,
    mosaics: dict[str, list[Path]],
    polygons: Path,
    extents: Path,
    grid: BlockGrid,
    settings: SegmentationSettings,
    model_dir: Path,
    checkpoint: Path,
    curve: Path | None = None,
) -> dict[str, Any]:
    """Train on the labelled extents; keep the model that is best on the validation extents.

    Parameters
    ----------
    mosaics : source -> its shard rasters, uint8 RGB, EPSG:4326 on the global pixel grid.
    polygons, extents : label tables (GeoParquet, EPSG:4326). Outside the extents, and where there
        is no imagery, pixels are ignored in loss and measures.
    model_dir : receives model.safetensors, model.json, card.json and history.csv, all at the end.
        The weights are the same bytes for the same input on the same CPU and number of threads.
    checkpoint : resumable state, removed at the end.
    curve : picture of losses and validation IoU, if wanted.

    Returns
    -------
    The content of card.json.

    Raises
    ------
    InputError for labels or mosaics that cannot be used, DependencyError for published weights that
    cannot be had, NonFiniteLossError (a CropError) naming the chips.
    """
    job = _Job(
        mosaics, Path(polygons), Path(extents), grid, settings, Path(model_dir), Path(checkpoint),
        None if curve is None else Path(curve),
    )  # fmt: skip
    return run_on_devices(partial(_train, job=job), settings)


@dataclass(frozen=True)
class _Job:
    """The arguments of `train_segmentation`, as each process is given them."""

    mosaics: dict[str, list[Path]]
    polygons: Path
    extents: Path
    grid: BlockGrid
    settings: SegmentationSettings
    model_dir: Path
    checkpoint: Path
    curve: Path | None


def _train(fabric: Fabric, job: _Job) -> dict[str, Any]:
    """Train in this process, alone or as one of several; the first one writes."""
    settings, device = job.settings, fabric.device
    set_threads(settings)
    windows, unused = load_windows(
        mosaics=job.mosaics,
        polygons=job.polygons,
        extents=job.extents,
        grid=job.grid,
        margin_pixels=max(settings.inference_chip, settings.chip_pixels // 2),
    )
    model, start = _starting_model(settings)
    validation = [window for window in windows if window.split == "validation"]
    training = [window for window in windows if window.split == "train"]
    sampler = ChipSampler(
        training,
        settings,
        tuple(model.mean.tolist()),
        rank=fabric.global_rank,
        ranks=fabric.world_size,
    )
    trainer = Trainer(
        model,
        sampler,
        lambda candidate: measure(candidate, validation, settings, device),
        settings,
        fabric,
        total_steps=training_steps(settings, sampler.labelled_pixels),
        checkpoint=job.checkpoint,
        fingerprint=training_fingerprint(
            settings, data_hash(windows), start or "", use_bf16(settings, device)
        ),
    )
    state = trainer.run()
    card = {
        "settings": settings.model_dump(mode="json"),
        "starts_from": start,
        "data": _describe_data(windows, unused),
        "result": {
            "steps": state.step,
            "best_step": state.best_step,
            "parameters": storage.count_parameters(model),
            "validation": next(
                (row for row in state.history if row["step"] == state.best_step), {}
            ),
            "note": "the validation extents choose the best step, so their IoU flatters a little",
        },
        "run": {
            "wall_seconds": round(state.seconds, 1),
            "precision": "bf16" if use_bf16(settings, device) else "fp32",
            "processes": fabric.world_size,
            **hardware(device),
        },
    }
    if fabric.is_global_zero:
        model.load_state_dict(state.best_weights)
        _write_model(model, settings, state, card, job.model_dir)
        if job.curve is not None:
            from croplayer.segmentation.curve import draw_curve

            draw_curve(state.history, job.curve)
        job.checkpoint.unlink(missing_ok=True)
    fabric.barrier()
    return card


def training_steps(settings: SegmentationSettings, labelled_pixels: int) -> int:
    """Steps of a training: `max_steps`, or fewer if `epochs` over the labelled area end before."""
    if settings.epochs is None:
        return settings.max_steps
    drawn = settings.batch_size * settings.chip_pixels**2
    return max(min(settings.max_steps, math.ceil(settings.epochs * labelled_pixels / drawn)), 1)


def _starting_model(settings: SegmentationSettings) -> tuple[SegmentationModel, str | None]:
    """The model before training and the hash of what it starts from, if anything."""
    torch.manual_seed(settings.seed)
    if settings.pretrained_model is None:
        return build_model(settings), None
    model, _ = storage.load_model(settings.pretrained_model)
    return model, storage.model_hash(settings.pretrained_model)


def _describe_data(windows: list[LabelledWindow], unused: list[str]) -> dict[str, Any]:
    rows: dict[str, dict[str, Any]] = {}
    for split in ("train", "validation"):
        for source in sorted({window.source for window in windows}):
            chosen = [w for w in windows if (w.split, w.source) == (split, source)]
            known = sum(window.known_pixels for window in chosen)
            cropland = sum(window.cropland_pixels for window in chosen)
            rows.setdefault(split, {})[source] = {
                "extents": len(chosen),
                "pixels": known,
                "cropland_fraction": round(cropland / known, 6) if known else None,
            }
    return {"sha256": data_hash(windows), "splits": rows, "unused_extents": unused}


def hardware(device: torch.device) -> dict[str, Any]:
    """Machine and versions, for a model card."""
    packages = ("torch", "transformers", "numpy", "rasterio")
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "cpu": platform.processor() or platform.machine(),
        "cpu_count": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in packages},
    }


def _write_model(
    model: SegmentationModel,
    settings: SegmentationSettings,
    state: TrainingState,
    card: dict[str, Any],
    folder: Path,
) -> None:
    columns = list(dict.fromkeys(name for row in state.history for name in row))
    with (
        atomic_path(folder / storage.HISTORY) as path,
        path.open("w", newline="", encoding="utf-8") as handle,
    ):
        writer = csv.DictWriter(handle, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(state.history)
    write_json(folder / storage.CARD, card)
    storage.save_description(model, settings.architecture, settings.chip_pixels, folder)
    storage.save_weights(model, folder)
