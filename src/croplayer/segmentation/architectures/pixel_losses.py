"""Losses a pixel, each averaged over the known pixels of its own chip.

All take float32 log-odds of cropland (batch, rows, columns), labels (batch, rows, columns) that are
1 for cropland, and the bool mask of the pixels that count; all return float32 (batch,), 0 for a
chip without such a pixel. What an unknown pixel holds cannot reach the loss. With two classes the
cross-entropy over a softmax is the one over log-odds used here.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def mean_over(values: Tensor, counted: Tensor) -> Tensor:
    """(batch,): mean of (batch, rows, columns) where `counted`; 0 for a chip without any."""
    kept = torch.where(counted, values, values.new_zeros(()))
    return kept.sum((1, 2)) / counted.sum((1, 2)).clamp_min(1)


def cross_entropy(logits: Tensor, labels: Tensor, valid: Tensor) -> Tensor:
    """Mean cross-entropy of each chip."""
    return mean_over(_surprise(logits, labels), valid)


def hard_cross_entropy(
    logits: Tensor, labels: Tensor, valid: Tensor, sure: float, least: float
) -> Tensor:
    """Cross-entropy over the hard pixels of each chip (online hard example mining).

    Parameters
    ----------
    sure : a pixel is hard if the probability of its label is below this.
    least : share of the known pixels, the hardest ones, that count in any case.
    """
    surprise = _surprise(logits, labels)
    with torch.no_grad():
        # The probability of the label is exp(-surprise): one order for both.
        known = torch.where(valid, surprise, surprise.new_full((), -1.0)).flatten(1)
        counts = (valid.sum((1, 2)) * least).ceil().long().clamp(1, known.shape[1])
        ordered = known.sort(1, descending=True).values
        bar = ordered.gather(1, (counts - 1)[:, None]).squeeze(1)
        bar = bar.clamp_max(-torch.log(surprise.new_tensor(sure)))
    return mean_over(surprise, valid & (surprise >= bar[:, None, None]))


def edges_of(labels: Tensor, valid: Tensor, reach: int) -> Tensor:
    """bool (batch, rows, columns): known pixels within `reach` of a known pixel of the other class.

    The distance is the larger of rows and columns. The rim of the known area is no edge.
    """
    size, centre = 2 * reach + 1, reach

    def near(mask: Tensor) -> Tensor:
        return F.max_pool2d(mask[:, None].float(), size, 1, centre)[:, 0] > 0

    cropland = labels == 1
    return valid & torch.where(cropland, near(valid & ~cropland), near(valid & cropland))


def balanced_edge_loss(logits: Tensor, edges: Tensor, valid: Tensor) -> Tensor:
    """Cross-entropy of edge logits, each class weighted by the share of the other one."""
    known = valid.sum((1, 2)).clamp_min(1)
    share = ((edges & valid).sum((1, 2)) / known)[:, None, None]
    weight = torch.where(edges, 1 - share, share)
    return mean_over(weight * _surprise(logits, edges), valid)


def _surprise(logits: Tensor, labels: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(
        logits.float(), labels.to(torch.float32), reduction="none"
    )
