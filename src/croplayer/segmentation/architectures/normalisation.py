"""Batch normalisation that also works where a pass holds one or two chips."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

FEWEST_VALUES = 16


class FewChipsBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation; by the moving statistics where a channel has few values.

    Pooling pyramids end in maps of a few cells. The statistics of one or two chips then say nothing
    (those of a single value are not even defined), so below `FEWEST_VALUES` values a channel is
    normalised by its moving mean and variance, as in inference, while these go on learning from the
    values. Weights are those of `BatchNorm2d`.
    """

    def forward(self, values: Tensor) -> Tensor:
        """Normalise (batch, channels, rows, columns)."""
        few = values.numel() < FEWEST_VALUES * values.shape[1]
        if not (self.training and few):
            return super().forward(values)
        with torch.no_grad():
            seen = values.float()
            centre = self.running_mean[:, None, None]
            spread = (seen - centre).square().mean((0, 2, 3))
            self.running_mean.lerp_(seen.mean((0, 2, 3)), self.momentum)
            self.running_var.lerp_(spread, self.momentum)
            self.num_batches_tracked += 1
            # Copies: the next pass moves the statistics before this one's gradient is taken.
            mean, variance = self.running_mean.clone(), self.running_var.clone()
        return F.batch_norm(values, mean, variance, self.weight, self.bias, False, 0.0, self.eps)


def suit_few_chips(network: nn.Module) -> nn.Module:
    """Replace the batch normalisations of a library's network, keeping their weights."""
    for module in network.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d) and not isinstance(child, FewChipsBatchNorm2d):
                fitting = FewChipsBatchNorm2d(child.num_features, child.eps, child.momentum)
                fitting.load_state_dict(child.state_dict())
                setattr(module, name, fitting)
    return network
