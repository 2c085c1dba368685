"""Files of network weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from cropbase.errors import InputError


def read_weights(path: Path, key: str) -> dict[str, torch.Tensor]:
    """The tensors of a file of weights, by name.

    Parameters
    ----------
    path : .safetensors, or what `torch.save` wrote of a state_dict, bare or under `state_dict` or
        `model`; names may begin with `module.`, as distributed training leaves them.
    key : the key of the configuration that names the file, for messages.

    Raises InputError if the file does not exist or holds no weights.
    """
    if not path.is_file():
        raise InputError(f"{key}: the file {path} does not exist")
    try:
        if path.suffix == ".safetensors":
            state: Any = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises whatever the archive provokes
        raise InputError(
            f"{key}: the file {path} is not a file of weights",
            given=str(error).splitlines()[0],
            remedy="give a state_dict saved by torch.save, or a .safetensors file",
        ) from None
    for wrapper in ("state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(wrapper), dict):
            state = state[wrapper]
    if not isinstance(state, dict) or not all(torch.is_tensor(v) for v in state.values()):
        raise InputError(f"{key}: the file {path} holds no state_dict")
    return {name.removeprefix("module."): value for name, value in state.items()}
