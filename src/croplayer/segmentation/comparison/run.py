"""One run of the comparison: a model trained with one seed and measured on one fold."""

from __future__ import annotations

import logging
import platform
import resource
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cropbase.atomic import atomic_path, write_json
from cropbase.jobs import progress
from cropbase.tables import read_geotable, write_table
from croplayer.active.rasterise import CROPLAND, IGNORED
from croplayer.grid import BlockGrid
from croplayer.segmentation import storage
from croplayer.segmentation.comparison.folds import with_fold_held_out
from croplayer.segmentation.device import choose_device, set_threads
from croplayer.segmentation.engine import Predictor
from croplayer.segmentation.inference import NODATA, SCALE
from croplayer.segmentation.measuring import labelled_part, map_part
from croplayer.segmentation.pixel_baseline import PixelBaseline
from croplayer.segmentation.training import hardware, train_segmentation
from croplayer.segmentation.windows import LabelledWindow, load_windows
from croplayer.settings.model_comparison import BASELINE, ModelComparisonSettings
from croplayer.settings.segmentation import SegmentationSettings
from croplayer.validation.boundary import BoundaryCounts, boundary, within
from croplayer.validation.confusion import Confusion

log = logging.getLogger(__name__)

Probability = Callable[[LabelledWindow, tuple[slice, slice]], np.ndarray]
"""Window and the part of it that has labels -> probability of cropland in that part."""


@dataclass(frozen=True)
class Trained:
    """A model of the comparison, ready to map, and what its training took.

    chips : training chips seen, None for a model that learns from single pixels.
    parameters : learnable numbers, or leaves of the trees.
    """

    probability: Probability
    description: str
    seconds: float
    chips: int | None
    parameters: int


@dataclass(frozen=True)
class Data:
    """Where imagery and labels lie; see `train_segmentation`."""

    mosaics: dict[str, list[Path]]
    polygons: Path
    extents: Path
    grid: BlockGrid


def compare_model(
    *,
    model: str,
    seed: int,
    fold: int,
    data: Data,
    segmentation: SegmentationSettings,
    comparison: ModelComparisonSettings,
    leakage_metres: float,
    work: Path,
    split: Path,
    result: Path,
    predictions: Path,
) -> dict[str, Any]:
    """Train one model and measure it on what was held out.

    Parameters
    ----------
    model : a name of `comparison.contestants`.
    seed, fold : of the run; without folds, fold 0 holds out the validation extents of the labels.
    segmentation : settings of the province, which hold for all but the network and the budget.
    work : folder for the trained model and a resumable checkpoint.
    split : written: the label extents with the split of this fold.
    result : written: JSON of this run.
    predictions : written: .npz, extent/source -> uint8 (rows, columns) probability x 250 of the
        labelled part of the window, 255 where nothing is known.

    Returns the content of `result`. Raises what `train_segmentation` raises, and InputError for
    more folds than places.
    """
    labelled = read_geotable(data.extents)
    if comparison.folds is not None:
        labelled = with_fold_held_out(
            labelled, folds=comparison.folds, fold=fold, apart_m=leakage_metres
        )
    write_table(labelled, split)
    data = replace(data, extents=split)
    settings = (
        segmentation.model_copy(update={"seed": seed})
        if model == BASELINE
        else comparison.run_settings(model, seed, segmentation)
    )
    set_threads(settings)
    windows, _ = load_windows(
        mosaics=data.mosaics,
        polygons=data.polygons,
        extents=data.extents,
        grid=data.grid,
        margin_pixels=max(settings.inference_chip, settings.chip_pixels // 2),
    )
    held_out = [window for window in windows if window.split == "validation"]
    if model == BASELINE:
        trained = _train_baseline(windows, comparison, seed)
    else:
        trained = _train_network(data, settings, work)
    measured, maps = _measure(trained.probability, held_out, settings, comparison)
    content = {
        "model": model,
        "seed": seed,
        "fold": fold,
        "description": trained.description,
        "parameters": trained.parameters,
        "train_seconds": round(trained.seconds, 2),
        "train_chips_per_second": trained.chips and round(trained.chips / trained.seconds, 3),
        "peak_memory_mb": round(_peak_memory_mb(settings), 1),
        **measured,
        "hardware": hardware(choose_device(settings)) | {"machine": platform.platform()},
    }
    with atomic_path(predictions) as path:
        np.savez_compressed(path, **maps)
    write_json(result, content)
    return content


def _train_network(data: Data, settings: SegmentationSettings, work: Path) -> Trained:
    card = train_segmentation(
        mosaics=data.mosaics,
        polygons=data.polygons,
        extents=data.extents,
        grid=data.grid,
        settings=settings,
        model_dir=work / "model",
        checkpoint=work / "checkpoint.pt",
    )
    model, _ = storage.load_model(work / "model")
    size = "an explicit shape" if settings.shape else settings.preset
    return Trained(
        partial(map_part, Predictor(model, settings)),
        f"{settings.architecture}, {settings.weights or size}",
        card["run"]["wall_seconds"],
        card["result"]["steps"] * settings.batch_size,
        storage.count_parameters(model),
    )


def _train_baseline(
    windows: list[LabelledWindow], comparison: ModelComparisonSettings, seed: int
) -> Trained:
    settings = comparison.pixel_baseline
    started = time.monotonic()
    baseline = PixelBaseline(settings, seed=seed, threads=torch.get_num_threads())
    baseline.fit([window for window in windows if window.split == "train"])

    def probability(window: LabelledWindow, part: tuple[slice, slice]) -> np.ndarray:
        return baseline.probability(window.rgb, window.imagery)[part]

    return Trained(
        probability,
        f"XGBoost, {settings.trees} trees on colour and texture",
        time.monotonic() - started,
        None,
        baseline.leaves,
    )


def _measure(
    probability: Probability,
    windows: list[LabelledWindow],
    settings: SegmentationSettings,
    comparison: ModelComparisonSettings,
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Measures of the held-out windows, and what was predicted there."""
    rows, maps = [], {}
    pixels, seconds = 0, 0.0
    for window in progress(windows, what="held-out extents", unit="extents"):
        part = labelled_part(window)
        started = time.monotonic()
        found = probability(window, part)
        seconds += time.monotonic() - started
        pixels += found.size
        known = window.target[part] != IGNORED
        truth = window.target[part] == CROPLAND
        mapped = found >= settings.threshold
        counted = agreement(mapped, truth, known, comparison.boundary_tolerance_pixels)
        rows.append({"extent": window.name, **counted})
        stored = np.rint(np.nan_to_num(found) * SCALE).astype(np.uint8)
        maps[window.name] = np.where(known, stored, NODATA).astype(np.uint8)
    chips = pixels / settings.chip_pixels**2
    return {
        "inference_chips_per_second": round(chips / max(seconds, 1e-9), 3),
        "extents": rows,
    }, maps


def agreement(
    mapped: np.ndarray, truth: np.ndarray, known: np.ndarray, tolerance_pixels: float
) -> dict[str, dict[str, int]]:
    """Counts of a map against the labels of one extent, bool (rows, columns) all.

    `pixels`: all known ones. `inner`: those farther than the tolerance from a drawn boundary.
    `boundary`: see `BoundaryCounts`. `moved`: not the map, but the labels themselves moved by a
    pixel in the four directions: what is lost to an annotator who draws the same edges one pixel
    aside.
    """
    # Seen from both of its sides the boundary of cropland is as wide as two pixels.
    lines = boundary(truth, known) | boundary(~truth, known)
    inner = known & ~within(lines, tolerance_pixels)
    moved = Confusion()
    for axis in (0, 1):
        rows, cols = (np.s_[1:] if k == axis else np.s_[:] for k in (0, 1))
        first, second = np.s_[rows, cols], np.s_[_but_last(rows), _but_last(cols)]
        both = known[first] & known[second]
        moved += Confusion.count(truth[first], truth[second], both)
        moved += Confusion.count(truth[second], truth[first], both)
    return {
        "pixels": asdict(Confusion.count(mapped, truth, known)),
        "inner": asdict(Confusion.count(mapped, truth, inner)),
        "boundary": asdict(BoundaryCounts.count(mapped, truth, known, tolerance_pixels)),
        "moved": asdict(moved),
    }


def _but_last(part: slice) -> slice:
    return np.s_[:-1] if part.start else np.s_[:]


def _peak_memory_mb(settings: SegmentationSettings) -> float:
    """Most memory that this process held: on the GPU where the network ran there."""
    if choose_device(settings).type == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
