"""Published weights: read from a file, a folder or a hub, with errors that say what to do."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from cropbase.errors import DependencyError, InputError
from croplayer.segmentation.architectures.base import CLASSES
from croplayer.weights import read_weights

KEY = "segmentation.weights"
_FILES = ("model.safetensors", "pytorch_model.bin", "model.pth")
_NO_WEIGHTS = "or set segmentation.weights: null to build from nothing"


def from_transformers(network: type[Any], name: str, title: str) -> nn.Module:
    """A checkpoint of the transformers library, with a new head for two classes.

    Parameters
    ----------
    network : the class that reads it.
    name : a name on huggingface.co, or a folder.
    title : what the architecture is called in messages.

    Raises DependencyError if it cannot be had, or is none of this architecture.
    """
    try:
        with quiet():
            return network.from_pretrained(
                name,
                num_labels=len(CLASSES),
                id2label=dict(enumerate(CLASSES)),
                label2id={label: index for index, label in enumerate(CLASSES)},
                ignore_mismatched_sizes=True,
            )
    except (OSError, ValueError, RuntimeError) as error:
        raise DependencyError(
            f"{KEY}: the {title} checkpoint {name!r} cannot be loaded",
            given=_first_line(error),
            allowed="a model name on huggingface.co, or a folder with config.json and "
            f"model.safetensors of a {title}",
            remedy="download it once where there is a network (`hf download NAME --local-dir DIR`) "
            f"and give the folder; {_NO_WEIGHTS}",
        ) from None


def from_timm(name: str) -> dict[str, Tensor]:
    """Weights of an encoder of the timm library: a name, or a file or folder of downloaded ones.

    Raises DependencyError if the name cannot be had, InputError for a file that holds no weights.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        found = [path / file for file in _FILES if (path / file).is_file()]
        if not found:
            raise InputError(
                f"{KEY}: the folder {path} holds no weights", allowed=f"one of {', '.join(_FILES)}"
            )
        path = found[0]
    if path.is_file():
        return read_weights(path, KEY)
    import timm

    try:
        return timm.create_model(name, pretrained=True).state_dict()
    except Exception as error:  # the hub's client raises its own kinds
        raise DependencyError(
            f"{KEY}: the encoder {name!r} cannot be loaded",
            given=_first_line(error),
            allowed="a model name of timm with its tag, such as resnet50.a1_in1k, or a file or "
            "folder with its weights",
            remedy="download it once where there is a network (`hf download timm/NAME --local-dir "
            f"DIR`) and give the folder; {_NO_WEIGHTS}",
        ) from None


def load_encoder(
    module: nn.Module, state: dict[str, Tensor], *, optional: tuple[str, ...] = ()
) -> None:
    """Load published weights into `module`.

    Parameters
    ----------
    state : name -> weights; classifiers (`fc.`) are left out.
    optional : beginnings of names that the weights may lack; what they lack starts afresh.

    Raises InputError if anything else is missing, unknown or of another shape.
    """
    own = module.state_dict()
    given = {name: value for name, value in state.items() if not name.startswith("fc.")}
    counted = {name for name in own if not name.endswith("num_batches_tracked")}
    absent = sorted(name for name in counted - set(given) if not name.startswith(optional))
    foreign = sorted(set(given) - set(own))
    unlike = sorted(n for n in set(given) & set(own) if given[n].shape != own[n].shape)
    if absent or foreign or unlike:
        raise InputError(
            f"{KEY}: the weights do not fit the network",
            given=f"{len(absent)} parameters missing, {len(foreign)} unknown, {len(unlike)} of "
            f"another shape, e.g. {(absent + foreign + unlike)[0]}",
            remedy="set segmentation.preset (or shape) to the size of the weights",
        )
    module.load_state_dict(given, strict=False)


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back transformers' remarks on backbones and replaced heads: both are meant here."""
    logger = logging.getLogger("transformers")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
