"""The authors' files of PIDNet weights: their names, and ours."""

from __future__ import annotations

import re

from torch import Tensor

# Parts of the network; a lone block of branch D stands bare or first in a sequence.
_PARTS = {
    "conv1": "stem",
    "layer1": "context.0",
    "layer2": "context.1",
    "layer3": "context.2",
    "layer4": "context.3",
    "layer5": "context.4",
    "layer3_": "detail.0",
    "layer4_": "detail.1",
    "layer5_.0": "detail.2",
    "layer3_d": "edges.0",
    "layer4_d.0": "edges.1",
    "layer4_d": "edges.1",
    "layer5_d.0": "edges.2",
    "compression3": "squeeze.0",
    "compression4": "squeeze.1",
    "pag3": "attend.0",
    "pag4": "attend.1",
    "diff3": "differ.0",
    "diff4": "differ.1",
    "spp": "pyramid",
    "dfm": "fuse",
    "seghead_p": "auxiliary_head",
    "seghead_d": "edge_head",
    "final_layer": "head",
}
_HEAD = {"bn1": "hidden.0", "conv1": "hidden.2", "bn2": "norm", "conv2": "last"}
_PYRAMID = {"scale0": "finest", "scale_process": "process", "compression": "merge"}
_FUSION = {
    "f_x": "detail",
    "f_y": "context",
    "conv_p": "detail",
    "conv_i": "context",
    "conv": "last",
}


def own_weights(published: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights under our names; parts that a PIDNet for segmentation has not are left out."""
    named = {own_name(name.removeprefix("model.")): value for name, value in published.items()}
    return {name: value for name, value in named.items() if name is not None}


def own_name(published: str) -> str | None:
    """Our name of a weight of the authors' network, None for a part that is not in ours."""
    # `layer4_d.0` stands before `layer4_d`: the first that fits is the right one.
    part = next((old for old in _PARTS if published.startswith(f"{old}.")), None)
    if part is None:
        return None
    ours, rest = _PARTS[part], published[len(part) + 1 :]
    if ours.startswith(("context", "detail", "edges")):
        rest = re.sub(r"\b(conv|bn)(\d)\b", _step, rest).replace("downsample", "shortcut")
    elif ours.endswith("head"):
        first, _, last = rest.partition(".")
        rest = f"{_HEAD[first]}.{last}"
    elif ours == "pyramid":
        rest = _in_pyramid(rest)
    elif ours == "fuse" or ours.startswith("attend"):
        first, _, last = rest.partition(".")
        rest = f"{_FUSION[first]}.{last}"
    return f"{ours}.{rest}"


def _step(found: re.Match[str]) -> str:
    kind, number = found.groups()
    return f"steps.{int(number) - 1}.{0 if kind == 'conv' else 1}"


def _in_pyramid(rest: str) -> str:
    first, _, last = rest.partition(".")
    if level := re.fullmatch(r"scale([1-9])", first):
        # Their levels begin with the pooling, which has no weights.
        index, _, name = last.partition(".")
        return f"levels.{int(level[1]) - 1}.{int(index) - 1}.{name}"
    if level := re.fullmatch(r"process(\d)", first):
        return f"process.{int(level[1]) - 1}.{last}"
    return f"{_PYRAMID.get(first, first)}.{last}"
