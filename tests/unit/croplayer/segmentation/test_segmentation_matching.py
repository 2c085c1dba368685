from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from croplayer.segmentation import matching


def _points(labels, valid, count=60, seed=0):
    return matching.draw_points(labels, valid, count, torch.Generator().manual_seed(seed))


@pytest.fixture
def chips():
    generator = torch.Generator().manual_seed(1)
    labels = (torch.rand(3, 24, 20, generator=generator) > 0.6).long()
    valid = torch.rand(3, 24, 20, generator=generator) > 0.5
    return labels, valid


def test_points_are_known_pixels_and_carry_their_label(chips):
    labels, valid = chips
    points = _points(labels, valid)
    cols = ((points.coordinates[..., 0] + 1) / 2 * 20 - 0.5).round().long()
    rows = ((points.coordinates[..., 1] + 1) / 2 * 24 - 0.5).round().long()
    chip = torch.arange(3)[:, None].expand_as(rows)
    assert valid[chip, rows, cols].all()
    assert torch.equal(labels[chip, rows, cols], points.labels)
    assert points.known.all()


def test_points_reach_every_known_pixel():
    labels = torch.zeros(1, 4, 4, dtype=torch.int64)
    valid = torch.zeros(1, 4, 4, dtype=torch.bool)
    valid[0, 1:3, 0] = valid[0, 3, 3] = True
    points = _points(labels, valid, 300)
    assert len(torch.unique(points.coordinates[0], dim=0)) == 3


def test_values_in_pixel_centres_are_those_of_the_enlarged_map(chips):
    labels, valid = chips
    points = _points(labels, valid)
    low = torch.randn(3, 2, 12, 10, generator=torch.Generator().manual_seed(2))
    large = F.interpolate(low, size=(24, 20), mode="bilinear", align_corners=False)
    cols = ((points.coordinates[..., 0] + 1) / 2 * 20 - 0.5).round().long()
    rows = ((points.coordinates[..., 1] + 1) / 2 * 24 - 0.5).round().long()
    expected = torch.stack([large[i][:, rows[i], cols[i]] for i in range(3)])
    torch.testing.assert_close(matching.sample(low, points), expected, atol=1e-5, rtol=1e-4)


def _cost(class_logits, mask_logits, labels):
    """Cost of giving query q to class c, written out from the paper."""
    queries = len(class_logits)
    cost = torch.zeros(queries, 2)
    for q in range(queries):
        for c in range(2):
            truth = (labels == c).float()
            p = mask_logits[q].sigmoid()
            bce = F.binary_cross_entropy(p, truth)
            dice = 1 - (2 * (p * truth).sum() + 1) / (p.sum() + truth.sum() + 1)
            cost[q, c] = 5 * bce + 5 * dice - 2 * class_logits[q].softmax(0)[c]
    return cost


@pytest.mark.parametrize("seed", range(5))
def test_match_is_the_cheapest_of_all_assignments(seed):
    generator = torch.Generator().manual_seed(seed)
    class_logits = torch.randn(1, 5, 3, generator=generator)
    logits = torch.randn(1, 5, 40, generator=generator)
    labels = torch.randint(0, 2, (1, 40), generator=generator)
    targets = F.one_hot(labels, 2).transpose(1, 2).float()
    costs = matching.costs(class_logits, logits, targets).numpy()
    found = matching.assign(costs, np.ones((1, 2), dtype=bool))[0]
    cost = _cost(class_logits[0], logits[0], labels[0])
    best = min(permutations(range(5), 2), key=lambda pair: cost[pair[0], 0] + cost[pair[1], 1])
    assert tuple(found.tolist()) == best


def test_an_absent_class_gets_no_query():
    found = matching.assign(np.random.default_rng(0).random((1, 4, 2)), np.array([[True, False]]))
    assert found[0, 1] == -1
    assert found[0, 0] >= 0


def _random_outputs(batch=3, queries=4):
    generator = torch.Generator().manual_seed(9)
    return (
        torch.randn(batch, queries, 3, generator=generator, requires_grad=True),
        torch.randn(batch, queries, 12, 10, generator=generator, requires_grad=True),
    )


def _total(labels, valid, classes, masks):
    points = _points(labels, valid, 3 * 50)
    parts = matching.losses([classes], [masks], points, 50)
    return torch.stack(list(parts.values())).sum(0)


def test_what_an_unknown_pixel_holds_does_not_change_the_loss(chips):
    labels, valid = chips
    classes, masks = _random_outputs()
    other = torch.where(valid, labels, 1 - labels)
    assert not torch.equal(other, labels)
    assert torch.equal(_total(labels, valid, classes, masks), _total(other, valid, classes, masks))


def test_a_known_pixel_changes_the_loss(chips):
    labels, valid = chips
    classes, masks = _random_outputs()
    other = torch.where(valid, 1 - labels, labels)
    assert (_total(labels, valid, classes, masks) != _total(other, valid, classes, masks)).all()


def test_no_gradient_where_no_pixel_is_known():
    labels = torch.zeros(1, 24, 20, dtype=torch.int64)
    labels[:, :, :5] = 1
    valid = torch.zeros(1, 24, 20, dtype=torch.bool)
    valid[:, :, :10] = True
    classes, masks = _random_outputs(batch=1)
    _total(labels, valid, classes, masks).sum().backward()
    # Columns 0-9 are cells 0-4; bilinear sampling reaches half a cell further.
    assert masks.grad[..., :5].abs().sum() > 0
    assert masks.grad[..., 6:].abs().sum() == 0


def test_a_chip_without_a_known_pixel_costs_nothing(chips):
    labels, valid = chips
    valid = valid.clone()
    valid[1] = False
    classes, masks = _random_outputs()
    losses = _total(labels, valid, classes, masks)
    assert losses[1] == 0
    assert (losses[[0, 2]] > 0).all()
    losses.sum().backward()
    assert classes.grad[1].abs().sum() == 0


def test_the_true_masks_cost_next_to_nothing(chips):
    labels, _ = chips
    valid = torch.ones_like(labels, dtype=torch.bool)
    masks = torch.full((3, 4, 24, 20), -20.0)
    masks[:, 2], masks[:, 3] = 40.0 * (labels == 0) - 20, 40.0 * (labels == 1) - 20
    classes = torch.full((3, 4, 3), -20.0)
    classes[:, :2, 2] = classes[:, 2, 0] = classes[:, 3, 1] = 20.0
    points = _points(labels, valid, 150)
    parts = matching.losses([classes], [masks], points, 50)
    assert max(float(part.max()) for part in parts.values()) < 1e-4


def test_losses_are_those_of_the_formulas_where_every_candidate_counts():
    labels = torch.zeros(1, 8, 8, dtype=torch.int64)
    labels[:, :3] = 1
    valid = torch.ones(1, 8, 8, dtype=torch.bool)
    classes, masks = _random_outputs(batch=1)
    points = _points(labels, valid, 80)
    parts = matching.losses([classes], [masks], points, 80)
    logits = matching.sample(masks, points)[0]
    cost = _cost(classes[0], logits, points.labels[0])
    best = min(permutations(range(4), 2), key=lambda pair: cost[pair[0], 0] + cost[pair[1], 1])
    hard = 60
    mask_loss = dice_loss = 0.0
    for c, q in enumerate(best):
        truth = (points.labels[0] == c).float()
        order = logits[q].abs().argsort()[:hard]
        chosen = torch.cat([order, torch.arange(80 - hard)])
        p, t = logits[q][chosen].sigmoid(), truth[chosen]
        mask_loss += 5 * F.binary_cross_entropy(p, t) / 2
        dice_loss += 5 * (1 - (2 * (p * t).sum() + 1) / (p.sum() + t.sum() + 1)) / 2
    torch.testing.assert_close(parts["mask"][0], mask_loss)
    torch.testing.assert_close(parts["dice"][0], dice_loss)
    wanted = torch.full((4,), 2)
    wanted[best[0]], wanted[best[1]] = 0, 1
    expected = 2 * F.cross_entropy(classes[0], wanted, torch.tensor([1.0, 1.0, 0.1]))
    torch.testing.assert_close(parts["class"][0], expected)


def test_layers_are_matched_and_counted_each_for_itself(chips):
    labels, valid = chips
    layers = [_random_outputs(), tuple(-tensor.detach() for tensor in _random_outputs())]
    points = _points(labels, valid, 150)
    together = matching.losses(*map(list, zip(*layers, strict=True)), points, 50)
    alone = [matching.losses([c], [m], points, 50) for c, m in layers]
    for name, value in together.items():
        torch.testing.assert_close(value, alone[0][name] + alone[1][name])


def test_a_batch_without_any_known_pixel_costs_nothing():
    classes, masks = _random_outputs()
    nothing = torch.zeros(3, 24, 20, dtype=torch.bool)
    losses = _total(torch.zeros(3, 24, 20, dtype=torch.int64), nothing, classes, masks)
    assert losses.tolist() == [0, 0, 0]
    losses.sum().backward()
    assert masks.grad.abs().sum() == 0
