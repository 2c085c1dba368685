"""The losses a pixel against a plain reading of their definitions, chip by chip."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.special import expit

from croplayer.segmentation.architectures import pixel_losses


def case(seed, chips=3, rows=9, cols=11, known=0.7):
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 3, (chips, rows, cols)).astype(np.float32)
    labels = (ndimage.gaussian_filter(rng.normal(size=(chips, rows, cols)), (0, 1, 1)) > 0).astype(
        int
    )
    valid = rng.random((chips, rows, cols)) < known
    return logits, labels, valid


def tensors(*arrays):
    return [torch.from_numpy(a) for a in arrays]


def surprise(logits, labels):
    p = expit(logits.astype(np.float64))
    return -np.log(np.where(labels == 1, p, 1 - p))


def brute_edges(labels, valid, reach):
    found = np.zeros(labels.shape, dtype=bool)
    chips, rows, cols = labels.shape
    for b in range(chips):
        for r in range(rows):
            for c in range(cols):
                near = np.s_[
                    b, max(r - reach, 0) : r + reach + 1, max(c - reach, 0) : c + reach + 1
                ]
                other = (labels[near] != labels[b, r, c]) & valid[near]
                found[b, r, c] = valid[b, r, c] and other.any()
    return found


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 1))
def test_cross_entropy_is_the_mean_over_known_pixels(seed, known):
    logits, labels, valid = case(seed, known=known)
    found = pixel_losses.cross_entropy(*tensors(logits, labels, valid)).numpy()
    each = surprise(logits, labels)
    expected = [e[v].mean() if v.any() else 0 for e, v in zip(each, valid, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1 / 16, 0.3, 1.0]), st.floats(0.05, 0.99))
def test_hard_pixels_are_the_unsure_ones_and_at_least_a_share(seed, least, sure):
    logits, labels, valid = case(seed)
    found = pixel_losses.hard_cross_entropy(*tensors(logits, labels, valid), sure, least).numpy()
    for value, e, v in zip(found, surprise(logits, labels), valid, strict=True):
        ordered = np.sort(e[v])[::-1]
        count = max(int((np.exp(-ordered) <= sure).sum()), int(np.ceil(v.sum() * least)))
        assert value == pytest.approx(ordered[:count].mean(), rel=2e-3)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 3))
def test_edges_lie_within_reach_of_the_other_class(seed, reach):
    _, labels, valid = case(seed)
    found = pixel_losses.edges_of(*tensors(labels, valid), reach).numpy()
    np.testing.assert_array_equal(found, brute_edges(labels, valid, reach))


def test_the_rim_of_the_known_area_is_no_edge():
    labels = np.ones((1, 8, 8), dtype=int)
    valid = np.zeros((1, 8, 8), dtype=bool)
    valid[:, 2:6, 2:6] = True
    labels[~valid] = 0
    assert not pixel_losses.edges_of(*tensors(labels, valid), 2).any()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_edges_and_the_rest_weigh_the_same(seed):
    logits, labels, valid = case(seed)
    edges = brute_edges(labels, valid, 1)
    found = pixel_losses.balanced_edge_loss(*tensors(logits, edges, valid)).numpy()
    for value, e, edge, v in zip(found, surprise(logits, edges), edges, valid, strict=True):
        share = edge[v].mean()
        expected = (np.where(edge[v], 1 - share, share) * e[v]).mean()
        assert value == pytest.approx(expected, rel=1e-4, abs=1e-7)


def test_a_chip_without_known_pixels_costs_nothing():
    logits, labels, valid = tensors(*case(1))
    valid[1] = False
    for loss in (
        pixel_losses.cross_entropy(logits, labels, valid),
        pixel_losses.hard_cross_entropy(logits, labels, valid, 0.9, 0.1),
        pixel_losses.balanced_edge_loss(logits, labels == 1, valid),
    ):
        assert loss[1] == 0
        assert (loss[[0, 2]] > 0).all()
