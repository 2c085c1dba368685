"""A segmentation model on disk: weights, what they mean, and how they came about."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save

from cropbase.atomic import atomic_path, write_json
from cropbase.errors import InputError
from croplayer.segmentation.architectures import SegmentationModel, rebuild_model
from croplayer.segmentation.architectures.base import CLASSES

WEIGHTS, DESCRIPTION, CARD, HISTORY = "model.safetensors", "model.json", "card.json", "history.csv"


def save_weights(model: SegmentationModel, folder: Path) -> None:
    """Write the weights; the same weights give the same bytes."""
    state = {name: value.cpu().contiguous().clone() for name, value in model.state_dict().items()}
    with atomic_path(folder / WEIGHTS) as path:
        path.write_bytes(save(dict(sorted(state.items()))))


def save_description(
    model: SegmentationModel, architecture: str, chip_pixels: int, folder: Path
) -> None:
    """Write model.json: all that is needed to build the model again before loading its weights."""
    write_json(
        folder / DESCRIPTION,
        {
            "architecture": architecture,
            "classes": list(CLASSES),
            "chip_pixels": chip_pixels,
            "mean": [round(float(value), 6) for value in model.mean],
            "std": [round(float(value), 6) for value in model.std],
            "config": model.config(),
        },
    )


def load_model(folder: Path) -> tuple[SegmentationModel, dict[str, Any]]:
    """Read a model folder.

    Returns
    -------
    the model in evaluation mode on the CPU, and the content of model.json.

    Raises InputError if a file is absent or damaged, or if the weights do not fit the description.
    """
    folder = Path(folder)
    remedy = (
        "give the folder of a trained model (model.safetensors and model.json), or train it again"
    )
    for name in (WEIGHTS, DESCRIPTION):
        if not (folder / name).is_file():
            raise InputError(f"segmentation model {folder} has no {name}", remedy=remedy)
    try:
        description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        state = load_file(folder / WEIGHTS)
        model = rebuild_model(description["architecture"], description["config"])
        model.load_state_dict(state)
    except InputError:
        raise
    except Exception as error:  # the libraries raise many kinds for a damaged file
        raise InputError(
            f"segmentation model {folder} is damaged or does not fit its description",
            given=" ".join(str(error).split()[:40]),
            remedy=remedy,
        ) from None
    return model.eval(), description


def model_hash(folder: Path) -> str:
    """sha256 of weights and description: tells two models apart."""
    digest = hashlib.sha256()
    for name in (WEIGHTS, DESCRIPTION):
        digest.update(hashlib.sha256((Path(folder) / name).read_bytes()).digest())
    return digest.hexdigest()


def count_parameters(model: torch.nn.Module) -> int:
    """Learnable numbers of a model."""
    return sum(parameter.numel() for parameter in model.parameters())
