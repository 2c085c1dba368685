"""The loss of Mask2Former for labels that are known in a part of the chip only.

The published loss compares whole masks and has no notion of an unknown pixel: whatever lies outside
the labelled extent would count as background. Here every term is taken in points, as in the paper's
point-sampled loss, and the points are drawn from the known pixels alone. What an unknown pixel
holds cannot reach the loss.

Source: Cheng et al. 2022, Masked-attention Mask Transformer for Universal Image Segmentation
(matching, point sampling, weights); Kirillov et al. 2020, PointRend (importance sampling).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn import functional as F

CLASS_WEIGHT = 2.0
MASK_WEIGHT = 5.0
DICE_WEIGHT = 5.0
NO_OBJECT_WEIGHT = 0.1
OVERSAMPLE = 3
IMPORTANCE_SHARE = 0.75


@dataclass(frozen=True)
class LabelledPoints:
    """Pixels drawn from the known part of each chip of a batch.

    coordinates : float32 (batch, points, 2), x and y in -1 to 1 as `grid_sample` takes them.
    labels : int64 (batch, points).
    known : bool (batch,); False for a chip without a known pixel, whose points mean nothing.
    """

    coordinates: Tensor
    labels: Tensor
    known: Tensor


def draw_points(
    labels: Tensor, valid: Tensor, count: int, generator: torch.Generator
) -> LabelledPoints:
    """Draw `count` known pixels of each chip, uniformly, with replacement.

    Parameters
    ----------
    labels : int64 (batch, rows, columns).
    valid : bool (batch, rows, columns).
    """
    batch, rows, cols = labels.shape
    # The k-th known pixel is where the running count of known pixels reaches k: found so, and not
    # by listing the pixels, the device need not tell the host how many there are.
    reached = valid.reshape(batch, -1).cumsum(1)
    known = reached[:, -1:]
    picks = torch.rand((batch, count), generator=generator, device=labels.device)
    order = torch.minimum((picks * known).long(), known - 1).clamp_(min=0) + 1
    flat = torch.searchsorted(reached, order).clamp_(max=rows * cols - 1)
    x = (flat % cols + 0.5) * (2.0 / cols) - 1.0
    y = (flat // cols + 0.5) * (2.0 / rows) - 1.0
    drawn = labels.reshape(batch, -1).gather(1, flat)
    return LabelledPoints(torch.stack([x, y], dim=-1).float(), drawn, known.squeeze(1) > 0)


def sample(maps: Tensor, points: LabelledPoints) -> Tensor:
    """Bilinear values of maps in points.

    maps : (batch, channels, rows, columns). Returns float32 (batch, channels, points).
    """
    return F.grid_sample(
        maps.float(),
        points.coordinates[:, None],
        mode="bilinear",
        padding_mode="border",
        align_corners=False,
    ).squeeze(2)


@torch.no_grad()
def costs(class_logits: Tensor, point_logits: Tensor, targets: Tensor) -> Tensor:
    """What it costs to match each query with each class, in fp32.

    Parameters
    ----------
    class_logits : (batch, queries, classes + 1).
    point_logits : (batch, queries, points), mask logits.
    targets : float (batch, classes, points), 1 where the point is of the class.

    Returns
    -------
    float32 (batch, queries, classes).
    """
    classes, points = targets.shape[1:]
    held = targets.transpose(1, 2)
    probability = point_logits.sigmoid()
    # softplus(x) - x t is the cross-entropy; summed over the points it is a matrix product.
    cross = F.softplus(point_logits).sum(-1, keepdim=True) - point_logits @ held
    overlap = probability @ held
    total = probability.sum(-1, keepdim=True) + targets.sum(-1)[:, None]
    dice = 1 - (2 * overlap + 1) / (total + 1)
    cost = (
        MASK_WEIGHT * cross / points
        + DICE_WEIGHT * dice
        - CLASS_WEIGHT * class_logits.float().softmax(-1)[..., :classes]
    )
    # A loss that is not finite is reported by the training loop, which knows the chip.
    return torch.nan_to_num(cost, nan=1e9, posinf=1e9, neginf=-1e9)


def assign(cost: np.ndarray, present: np.ndarray) -> np.ndarray:
    """The query of each class, one to one, of least cost (Hungarian method).

    cost : float (batch, queries, classes); present : bool (batch, classes), classes that have a
    point in the chip. Returns int64 (batch, classes), index of the query, -1 for an absent class.
    """
    assigned = np.full(present.shape, -1, dtype=np.int64)
    for index, (values, there) in enumerate(zip(cost, present, strict=True)):
        wanted = there.nonzero()[0]
        queries, order = linear_sum_assignment(values[:, wanted])
        assigned[index, wanted[order]] = queries
    return assigned


def losses(
    class_logits: Sequence[Tensor],
    mask_logits: Sequence[Tensor],
    points: LabelledPoints,
    count: int,
    classes: int = 2,
) -> dict[str, Tensor]:
    """The weighted losses, summed over the decoder layers.

    The matching runs on the host. All layers are matched together, so that a GPU is waited for once
    a step and not once a layer.

    Parameters
    ----------
    class_logits : of each layer (batch, queries, classes + 1); the last class is "no object".
    mask_logits : of each layer (batch, queries, rows, columns) in any resolution.
    points : candidate points, `OVERSAMPLE * count` a chip.
    count : points that enter the loss, three quarters of them the most uncertain candidates.

    Returns
    -------
    `class`, `mask`, `dice`: float32 (batch,), 0 for a chip without a known pixel.
    """
    targets = F.one_hot(points.labels, classes).transpose(1, 2).float()
    present = (targets.sum(-1) > 0) & points.known[:, None]
    first = LabelledPoints(points.coordinates[:, :count], points.labels[:, :count], points.known)
    cost = [
        costs(layer_classes, sample(layer_masks.detach(), first), targets[..., :count])
        for layer_classes, layer_masks in zip(class_logits, mask_logits, strict=True)
    ]
    layers = len(cost)
    host = torch.cat([torch.stack(cost).flatten(2), present.float().expand(layers, -1, -1)], -1)
    host = host.cpu().numpy()
    there = host[..., -classes:] > 0
    total: dict[str, Tensor] = {}
    for index in range(layers):
        values = host[index, :, :-classes].reshape(len(there[index]), -1, classes)
        assigned = assign(values, there[index])
        parts = _layer_losses(
            class_logits[index].float(), mask_logits[index], points, targets, assigned, count
        )
        for name, value in parts.items():
            total[name] = total[name] + value if name in total else value
    return total


def _layer_losses(
    class_logits: Tensor,
    mask_logits: Tensor,
    points: LabelledPoints,
    targets: Tensor,
    assigned: np.ndarray,
    count: int,
) -> dict[str, Tensor]:
    """The losses of one layer whose queries are `assigned` to classes, (batch, classes)."""
    device, classes = class_logits.device, targets.shape[1]
    indices = np.stack([*(assigned >= 0).nonzero(), assigned[assigned >= 0]])
    chip, target_class, query = torch.from_numpy(indices).to(device, non_blocking=True)
    matched = LabelledPoints(points.coordinates[chip], points.labels[chip], points.known[chip])
    chosen = sample(mask_logits[chip, query][:, None], matched).squeeze(1)
    truth = targets[chip, target_class]
    hard = int(IMPORTANCE_SHARE * count)
    with torch.no_grad():
        uncertain = chosen.abs().topk(hard, dim=1, largest=False).indices
        anywhere = torch.arange(count - hard, device=device).expand(len(chosen), -1)
        picked = torch.cat([uncertain, anywhere], dim=1)
    chosen, truth = chosen.gather(1, picked), truth.gather(1, picked)
    cross = F.binary_cross_entropy_with_logits(chosen, truth, reduction="none").mean(1)
    probability = chosen.sigmoid()
    dice = 1 - (2 * (probability * truth).sum(1) + 1) / (probability.sum(1) + truth.sum(1) + 1)

    batch, queries, _ = class_logits.shape
    wanted = torch.full((batch, queries), classes, dtype=torch.int64, device=device)
    wanted[chip, query] = target_class
    weight = torch.ones(classes + 1, device=device)
    weight[-1] = NO_OBJECT_WEIGHT
    surprise = F.cross_entropy(class_logits.transpose(1, 2), wanted, weight, reduction="none")
    class_loss = surprise.sum(1) / weight[wanted].sum(1)

    # The mean over the batch of these is the paper's sum over masks divided by their number.
    share = batch / max(len(chip), 1)
    zero = torch.zeros(batch, device=device)
    return {
        "class": CLASS_WEIGHT * class_loss * points.known,
        "mask": MASK_WEIGHT * share * zero.index_add(0, chip, cross),
        "dice": DICE_WEIGHT * share * zero.index_add(0, chip, dice),
    }
