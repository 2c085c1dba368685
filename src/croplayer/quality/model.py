"""The network of coverage types: a torchvision ResNet, its weights, and its files."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn
from torchvision.models import ResNet, get_model_weights
from torchvision.models.resnet import BasicBlock, Bottleneck

from cropbase.atomic import atomic_path, write_json
from cropbase.errors import ConfigError, DependencyError, InputError
from croplayer.quality.coverage import CLASSES
from croplayer.settings.quality import QualitySettings
from croplayer.weights import read_weights

FORMAT_VERSION = 1
# Channel means and deviations of ImageNet, which the published weights expect.
_MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
_DEVIATION = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
_LAYERS: dict[str, tuple[type, list[int]]] = {
    "resnet18": (BasicBlock, [2, 2, 2, 2]),
    "resnet34": (BasicBlock, [3, 4, 6, 3]),
    "resnet50": (Bottleneck, [3, 4, 6, 3]),
    "resnet101": (Bottleneck, [3, 4, 23, 3]),
}


class CoverageNet(ResNet):
    """torchvision's ResNet (He et al. 2016) with five outputs; `width` 64 is the published one.

    Input (N, 3, H, W) float32, ImageNet-normalised (see `to_input`); output (N, 5) logits.
    """

    def __init__(self, architecture: str, width: int) -> None:
        self.width = width
        block, layers = _LAYERS[architecture]
        super().__init__(block, layers, num_classes=len(CLASSES))
        if width != 64:
            # The base class fixes the stem and the head at the published width.
            self.conv1 = nn.Conv2d(3, width, kernel_size=7, stride=2, padding=3, bias=False)
            nn.init.kaiming_normal_(self.conv1.weight, mode="fan_out", nonlinearity="relu")
            self.bn1 = nn.BatchNorm2d(width)
            self.fc = nn.Linear(8 * width * block.expansion, len(CLASSES))

    def _make_layer(self, block: type, planes: int, blocks: int, **options: Any) -> nn.Sequential:
        if planes == 64:
            self.inplanes = self.width
        return super()._make_layer(block, planes * self.width // 64, blocks, **options)


@dataclass(frozen=True)
class CoverageModel:
    """A trained network and what is needed to use it.

    trained : for each of CLASSES, whether training saw it; the others get probability 0.
    """

    net: CoverageNet
    architecture: str
    width: int
    image_pixels: int
    input_pixels: int
    min_crop_share: float
    trained: tuple[bool, ...]

    def probabilities(self, image: np.ndarray, device: torch.device) -> np.ndarray:
        """Probabilities of the coverage types of one block: mean over its views.

        Parameters: image (3, image_pixels, image_pixels) uint8. Returns (5,) float64, sum 1, in
        the order of CLASSES. One block a call: the answer does not depend on the others.
        """
        tensor = torch.from_numpy(np.ascontiguousarray(image))
        views = torch.stack(
            [resize(tensor[:, r, c], self.input_pixels) for r, c in self.views(image.shape[-1])]
        )
        self.net.eval()
        with torch.inference_mode():
            logits = self.net(to_input(views).to(device)).double().cpu().numpy()
        logits[:, ~np.array(self.trained)] = -np.inf
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        mean = (odds / odds.sum(axis=1, keepdims=True)).mean(axis=0)
        return mean / mean.sum()

    def views(self, pixels: int) -> list[tuple[slice, slice]]:
        """The whole image and, if training saw parts, its four corners (at least half an edge)."""
        edge = max(-(-pixels // 2), round(self.min_crop_share * pixels))
        whole = slice(0, pixels)
        if edge >= pixels:
            return [(whole, whole)]
        ends = (slice(0, edge), slice(pixels - edge, pixels))
        return [(whole, whole), *((r, c) for r in ends for c in ends)]


def to_input(views: torch.Tensor) -> torch.Tensor:
    """(N, 3, H, W) uint8 or float 0-255 to ImageNet-normalised float32."""
    return (views.float() / 255 - _MEAN.to(views.device)) / _DEVIATION.to(views.device)


def resize(image: torch.Tensor, pixels: int) -> torch.Tensor:
    """(3, H, W) uint8 to (3, pixels, pixels) float32 0-255, bilinear with antialiasing."""
    return nn.functional.interpolate(
        image[None].float(), size=(pixels, pixels), mode="bilinear", antialias=True
    )[0]


def pick_device(name: str) -> torch.device:
    """The device of a setting; raises DependencyError if a GPU is asked for and absent."""
    if name == "cuda" and not torch.cuda.is_available():
        raise DependencyError(
            "quality.device is cuda, but PyTorch finds no GPU", remedy="set it to auto or cpu"
        )
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def build_network(settings: QualitySettings) -> CoverageNet:
    """The network with its starting weights (random ones from torch's own generator).

    Raises ConfigError for an unknown name of weights, DependencyError if they cannot be
    downloaded, InputError for a file that does not fit.
    """
    net = CoverageNet(settings.architecture, settings.width)
    if settings.weights.lower() == "none":
        return net
    if settings.weights_are_a_file:
        path = Path(os.path.expandvars(settings.weights)).expanduser()
        state, origin = read_weights(path, "quality.weights"), f"weights file {settings.weights}"
    else:
        state, origin = _published_weights(settings), f"weights {settings.weights}"
    own = net.state_dict()
    # The head tells other classes than ours and starts afresh, unless it is one of ours.
    kept = {
        key: value
        for key, value in state.items()
        if not (key.startswith("fc.") and (key not in own or own[key].shape != value.shape))
    }
    absent = [k for k in own if k not in kept and not k.startswith("fc.")]
    absent = [k for k in absent if not k.endswith("num_batches_tracked")]
    foreign = [k for k in kept if k not in own]
    unlike = [k for k in kept if k in own and own[k].shape != kept[k].shape]
    if absent or foreign or unlike:
        raise InputError(
            f"{origin} do not fit {settings.architecture} of width {settings.width}",
            given=f"{len(absent)} parameters missing, {len(foreign)} unknown, {len(unlike)} of "
            f"another shape, e.g. {(absent + foreign + unlike)[0]}",
            remedy="set quality.architecture and quality.width to those of the weights",
        )
    net.load_state_dict(kept, strict=False)
    return net


def _published_weights(settings: QualitySettings) -> dict[str, torch.Tensor]:
    known = get_model_weights(settings.architecture)
    try:
        weights = known[settings.weights.upper()]
    except KeyError:
        names = list(known.__members__)
        raise ConfigError(
            f"quality.weights: torchvision has no such weights of {settings.architecture}",
            given=settings.weights,
            allowed=f"{', '.join(names)}, none, or a .pth, .pt or .safetensors file",
        ) from None
    try:
        return dict(weights.get_state_dict(progress=False, check_hash=True))
    except (OSError, RuntimeError) as error:
        folder = Path(torch.hub.get_dir()) / "checkpoints"
        raise DependencyError(
            f"the weights {settings.weights} of {settings.architecture} cannot be downloaded",
            given=error,
            remedy=f"without network: fetch {weights.url} elsewhere and set quality.weights to the "
            f"file (or put it into {folder}), or set quality.weights to none",
        ) from None


def save_model(model: CoverageModel, folder: Path) -> None:
    """Write `model.safetensors` and `model.json`, each atomically, without any date."""
    state = {k: v.detach().cpu().contiguous() for k, v in sorted(model.net.state_dict().items())}
    with atomic_path(folder / "model.safetensors") as temporary:
        save_file(state, temporary)
    values = {f.name: getattr(model, f.name) for f in fields(model) if f.name != "net"}
    write_json(
        folder / "model.json",
        {"format_version": FORMAT_VERSION, "classes": list(CLASSES), **values},
    )


def load_model(folder: Path, device: torch.device) -> CoverageModel:
    """Read what `save_model` wrote; raises InputError if it is absent, damaged or foreign."""
    remedy = "delete the folder and let the workflow train again (rule train_coverage)"
    try:
        values = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        state = load_file(folder / "model.safetensors")
        if values.pop("format_version") != FORMAT_VERSION or values.pop("classes") != list(CLASSES):
            raise ValueError("it was written by another version of this program")
        values["trained"] = tuple(values["trained"])
        net = CoverageNet(values["architecture"], values["width"])
        net.load_state_dict(state)
        model = CoverageModel(net=net.to(device).eval(), **values)
    except (OSError, KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        raise InputError(
            f"coverage model {folder} cannot be read", given=error, remedy=remedy
        ) from None
    return model
