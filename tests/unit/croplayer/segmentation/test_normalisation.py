from __future__ import annotations

import pytest
import torch
from torch import nn

from croplayer.segmentation.architectures.normalisation import (
    FEWEST_VALUES,
    FewChipsBatchNorm2d,
    suit_few_chips,
)


def test_with_enough_values_it_is_batch_normalisation():
    torch.manual_seed(0)
    ours, theirs = FewChipsBatchNorm2d(5), nn.BatchNorm2d(5)
    for shape in ((2, 5, 4, 4), (FEWEST_VALUES, 5, 1, 1)):
        values = torch.randn(shape) * 3 + 1
        torch.testing.assert_close(ours(values), theirs(values))
    assert all(torch.equal(a, b) for a, b in zip(ours.buffers(), theirs.buffers(), strict=True))


@pytest.mark.parametrize("chips", [1, 2])
def test_with_few_values_it_learns_the_level_and_passes_it_on(chips):
    """A map of one cell would be blotted out by the statistics of its own pass."""
    torch.manual_seed(1)
    norm = FewChipsBatchNorm2d(3)
    for _ in range(400):
        norm(torch.randn(chips, 3, 1, 1) * 2 + 5)
    torch.testing.assert_close(norm.running_mean, torch.full((3,), 5.0), atol=1.5, rtol=0)
    torch.testing.assert_close(norm.running_var, torch.full((3,), 4.0), atol=3, rtol=0)
    low, high = (norm(torch.full((chips, 3, 1, 1), level)).detach() for level in (3.0, 7.0))
    assert (high - low > 1).all()


def test_gradients_of_few_values_are_finite_over_several_passes():
    norm = FewChipsBatchNorm2d(4)
    values = torch.randn(1, 4, 1, 1, requires_grad=True)
    (norm(values).sum() + norm(values * 2).sum()).backward()
    assert torch.isfinite(values.grad).all() and values.grad.abs().sum() > 0


def test_replacing_keeps_weights_and_evaluation():
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Sequential(nn.BatchNorm2d(4), nn.ReLU()))
    values = torch.randn(6, 3, 5, 5)
    network(values)
    before = network.eval()(values)
    keys = list(network.state_dict())
    suit_few_chips(network)
    assert isinstance(network[1][0], FewChipsBatchNorm2d)
    assert list(network.state_dict()) == keys
    torch.testing.assert_close(network.eval()(values), before)
