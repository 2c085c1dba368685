"""Training of the coverage-type network (paper, sections 2.2.3 and 3.1)."""

from __future__ import annotations

import logging
import math
import platform
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torchvision
from torch import nn

from cropbase.atomic import write_json
from cropbase.errors import InputError
from cropbase.jobs import progress
from cropbase.tables import read_table
from croplayer.grid import BlockGrid
from croplayer.quality.card import confusion_matrix, draw_confusion, scores
from croplayer.quality.coverage import (
    CLASSES,
    CoverageType,
    is_nodata,
    read_coverage_labels,
    split_by_block,
)
from croplayer.quality.images import open_mosaic, read_block, reduce_image
from croplayer.quality.model import (
    CoverageModel,
    build_network,
    pick_device,
    resize,
    save_model,
    to_input,
)
from croplayer.settings.quality import QualitySettings

log = logging.getLogger(__name__)


def train_coverage(
    *,
    mosaics: dict[str, list[Path]],
    labels: Path,
    blocks: Path,
    grid: BlockGrid,
    settings: QualitySettings,
    model_dir: Path,
    confusion_png: Path | None = None,
    threads: int | None = None,
) -> None:
    """Train the network that tells coverage types, and test it on blocks held out.

    Writes `model.safetensors`, `model.json` and `card.json` into `model_dir`, and the picture of
    the confusion matrix. The held-out blocks have no part in training, nor in choosing when to
    stop (the training loss decides that). On a CPU, the same input and the same number of threads
    give the same bytes of weights.

    Parameters
    ----------
    mosaics : mosaics of each source; a file is named by its shard id (`{shard}.tif`).
    labels : CSV `block_id,source,coverage_type`.
    blocks : the plan (`plan/blocks.parquet`).
    threads : CPU threads of PyTorch; its own choice if None.

    Raises InputError for faulty labels, a missing mosaic, or fewer than two types to tell apart;
    ConfigError and DependencyError for weights that are not to be had.
    """
    started = time.monotonic()
    planned = read_table(blocks, columns=["block_id"])["block_id"]
    table = read_coverage_labels(labels, sources=list(mosaics), planned=set(planned))
    held = split_by_block(table, share=settings.held_out_share, seed=settings.seed)
    truth = np.array([CLASSES.index(name) for name in table["coverage_type"]])
    trained = _trained_classes(truth, held, labels)
    device = pick_device(settings.device)
    with tempfile.TemporaryDirectory() as scratch, _reproducible(settings.seed, threads):
        # On disk, because the images of a whole province's labels need not fit into memory.
        images = np.lib.format.open_memmap(
            Path(scratch) / "images.npy",
            mode="w+",
            dtype=np.uint8,
            shape=(len(table), 3, settings.image_pixels, settings.image_pixels),
        )
        valid_fraction = _load_images(table, mosaics, grid, images)
        by_rule = np.array([is_nodata(f, settings.nodata_below) for f in valid_fraction])
        contradicted = by_rule & (truth != CLASSES.index(CoverageType.NODATA))
        _tell_contradictions(table[contradicted])
        net, history = _fit(images, truth, ~held & ~contradicted, settings, device)
        model = CoverageModel(
            net=net,
            architecture=settings.architecture,
            width=settings.width,
            image_pixels=settings.image_pixels,
            input_pixels=settings.input_pixels,
            min_crop_share=settings.min_crop_share,
            trained=trained,
        )
        predicted = np.array(
            [
                CLASSES.index(CoverageType.NODATA)
                if empty
                else int(np.argmax(model.probabilities(image, device)))
                for image, empty in zip(images, by_rule, strict=True)
            ]
        )
        del images
    confusion = confusion_matrix(truth[held], predicted[held])
    figures = scores(confusion)
    log.info(
        "coverage types: top-1 accuracy %s on %d held-out images",
        figures["top1_accuracy"],
        figures["images"],
    )
    save_model(model, model_dir)
    if confusion_png is not None:
        top1 = figures["top1_accuracy"]
        title = f"Coverage types of held-out blocks: top-1 {top1 if top1 is not None else '-'}"
        draw_confusion(confusion, confusion_png, title=title)
    card: dict[str, Any] = {
        "task": "coverage type of a block image",
        "classes": list(CLASSES),
        "classes_missing_in_training": [
            c for c, seen in zip(CLASSES, trained, strict=True) if not seen
        ],
        "held_out": figures,
        "confusion": {"rows": "labelled", "columns": "predicted", "counts": confusion.tolist()},
        "training": scores(confusion_matrix(truth[~held], predicted[~held])),
        "held_out_blocks": sorted(set(table.loc[held, "block_id"])),
        "mistakes": [
            {
                "block_id": row.block_id,
                "source": row.source,
                "labelled": row.coverage_type,
                "predicted": CLASSES[predicted[i]],
            }
            for i, row in enumerate(table.itertuples(index=False))
            if held[i] and predicted[i] != truth[i]
        ],
        "nodata_by_rule": int(np.count_nonzero(by_rule)),
        "training_loss": [round(value, 6) for value in history],
        "settings": settings.model_dump(mode="json"),
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
        },
        "device": str(device),
        "seconds": round(time.monotonic() - started, 2),
    }
    write_json(model_dir / "card.json", card)


def _trained_classes(truth: np.ndarray, held: np.ndarray, labels: Path) -> tuple[bool, ...]:
    """Which types training sees; tells the missing ones and those that nothing tests."""
    seen = [bool(np.any(truth[~held] == i)) for i in range(len(CLASSES))]
    if sum(seen) < 2:
        raise InputError(
            f"coverage labels {labels} hold fewer than two types: nothing to tell apart",
            given=", ".join(c for c, s in zip(CLASSES, seen, strict=True) if s),
            remedy="label some blocks of the other types",
        )
    missing = [c for c, s in zip(CLASSES, seen, strict=True) if not s]
    untested = [c for i, c in enumerate(CLASSES) if seen[i] and not np.any(truth[held] == i)]
    if missing:
        log.warning(
            "no labels of coverage type %s: the network will never tell it%s",
            ", ".join(missing),
            " (nodata is still told by the share of valid pixels)" if "nodata" in missing else "",
        )
    if untested:
        log.warning("too few labels of %s to hold one out: it is not tested", ", ".join(untested))
    return tuple(seen)


def _tell_contradictions(rows: pd.DataFrame) -> None:
    if len(rows):
        named = ", ".join(
            f"{r.block_id} ({r.source}, {r.coverage_type})" for r in rows.itertuples()
        )
        log.warning(
            "%d labels name a type other than nodata, but almost no pixel is valid "
            "(quality.nodata_below); training leaves them out: %s",
            len(rows),
            named,
        )


def _load_images(
    table: pd.DataFrame, mosaics: dict[str, list[Path]], grid: BlockGrid, images: np.ndarray
) -> np.ndarray:
    """Fill `images` with the reduced image of each row; returns the valid fractions (rows,)."""
    paths = {(source, Path(p).stem): Path(p) for source, group in mosaics.items() for p in group}
    fractions = np.zeros(len(table))
    parsed = [grid.parse_block_id(block_id) for block_id in table["block_id"]]
    keys = [(s, grid.shard_id(b)) for s, b in zip(table["source"], parsed, strict=True)]
    for key in progress(sorted(set(keys)), what="labelled images", unit="shard"):
        if key not in paths:
            raise InputError(
                f"there is no mosaic of source {key[0]!r} for shard {key[1]}",
                given=", ".join(sorted(p.name for p in map(Path, mosaics[key[0]]))[:5]),
                remedy="labelled blocks need their mosaic; let the workflow build it",
            )
        with open_mosaic(paths[key], grid) as dataset:
            for i in (i for i, other in enumerate(keys) if other == key):
                rgb, valid = read_block(dataset, grid, parsed[i])
                images[i] = reduce_image(rgb, valid, images.shape[-1])
                fractions[i] = valid.mean()
    return fractions


def _fit(
    images: np.ndarray,
    truth: np.ndarray,
    use: np.ndarray,
    settings: QualitySettings,
    device: torch.device,
) -> tuple[nn.Module, list[float]]:
    """Train on the rows `use`; returns the network (eval mode) and the loss of each epoch."""
    rows = np.flatnonzero(use)
    counts = np.bincount(truth[rows], minlength=len(CLASSES))
    frequency = counts[truth[rows]]
    weights = np.where(counts > 0, counts.sum() / np.maximum(counts, 1), 0.0)
    net = build_network(settings).to(device)
    loss_of = nn.CrossEntropyLoss(
        weight=torch.tensor(weights / weights.max(), dtype=torch.float32, device=device)
        if settings.class_balance == "weights"
        else None,
        label_smoothing=settings.label_smoothing,
    )
    optimiser = torch.optim.AdamW(
        net.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    steps = max(1, round(len(rows) * settings.crops_per_image / settings.batch_size))
    total = steps * settings.epochs
    warm = max(1, total // 10)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda step: (
            (step + 1) / warm
            if step < warm
            else 0.01 + 0.99 * (1 + math.cos(math.pi * (step - warm) / max(1, total - warm))) / 2
        ),
    )
    rng = np.random.default_rng(settings.seed)
    chance = 1 / frequency if settings.class_balance == "sampler" else np.ones(len(rows))
    history: list[float] = []
    net.train()
    for epoch in progress(range(settings.epochs), what="coverage network", unit="epoch"):
        losses = []
        for _ in range(steps):
            drawn = rng.choice(rows, size=settings.batch_size, p=chance / chance.sum())
            batch = torch.stack([_augmented(images[i], settings, rng) for i in drawn])
            target = torch.from_numpy(truth[drawn]).to(device)
            loss = loss_of(net(to_input(batch.to(device))), target)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
            losses.append(float(loss.detach()))
        history.append(float(np.mean(losses)))
        log.info("epoch %d of %d: training loss %.4f", epoch + 1, settings.epochs, history[-1])
        if _plateau(history, settings.patience_epochs):
            log.info("the training loss falls no further: stopped")
            break
    return net.eval(), history


def _plateau(history: list[float], patience: int) -> bool:
    """True if none of the last `patience` losses is 1 % below the best one before them."""
    return len(history) > patience and min(history[-patience:]) > 0.99 * min(history[:-patience])


def _augmented(
    image: np.ndarray, settings: QualitySettings, rng: np.random.Generator
) -> torch.Tensor:
    """A random square of an image, turned, mirrored and re-coloured; (3, input, input) 0-255."""
    pixels = image.shape[-1]
    edge = int(rng.integers(max(1, round(settings.min_crop_share * pixels)), pixels + 1))
    top, left = rng.integers(0, pixels - edge + 1, size=2)
    crop = image[:, top : top + edge, left : left + edge]
    crop = np.rot90(crop, int(rng.integers(4)), axes=(1, 2))
    if rng.random() < 0.5:
        crop = crop[:, :, ::-1]
    view = resize(torch.from_numpy(np.ascontiguousarray(crop)), settings.input_pixels)
    gain, shift = rng.uniform(-settings.colour_jitter, settings.colour_jitter, size=2)
    # Black is 'no data' to the network and stays black, whatever the brightness of the rest.
    lit = (view.amax(dim=0, keepdim=True) > 0).float()
    return ((view - 127.5) * (1 + gain) + 127.5 + 127.5 * shift).clamp(0, 255) * lit


@contextmanager
def _reproducible(seed: int, threads: int | None) -> Iterator[None]:
    """Seeded, deterministic PyTorch within the block; everything as before after it."""
    before = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        try:
            if threads:
                torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(True, warn_only=True)
            torch.manual_seed(seed)
            yield
        finally:
            torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
            torch.set_num_threads(before)
