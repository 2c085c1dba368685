from __future__ import annotations

import copy
import threading

import pytest
import torch

from croplayer.segmentation.architectures import build_model
from croplayer.segmentation.passes import Passes
from croplayer.segmentation.ranks import make_fabric
from croplayer.segmentation.sampling import Batch

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def batch():
    generator = torch.Generator().manual_seed(2)
    images = torch.rand(6, 3, 64, 64, generator=generator)
    labels = torch.randint(0, 2, (6, 64, 64), generator=generator)
    valid = torch.rand(6, 64, 64, generator=generator) > 0.3
    return Batch(images, labels, valid, tuple("abcdef"))


def _passes(model, micro, **changes):
    settings = micro.model_copy(update={"batch_size": 6, **changes})
    return Passes(copy.deepcopy(model), settings, make_fabric(settings))


@pytest.fixture
def model(micro):
    torch.manual_seed(3)
    return build_model(micro)


def _gradients(passes):
    return [parameter.grad.clone() for parameter in passes.model.parameters()]


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_change_neither_gradient_nor_moving_means(model, micro, batch, threads):
    reference = _passes(model, micro, pass_chips=2)
    expected = reference.run(batch, 5)
    torch.set_num_threads(threads)
    try:
        passes = _passes(model, micro, pass_chips=2)
        assert len(passes.copies) == 3
        found = passes.run(batch, 5)
        assert torch.get_num_threads() == threads
        passes.close()
    finally:
        torch.set_num_threads(1)
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    for a, b in zip(_gradients(passes), _gradients(reference), strict=True):
        assert torch.equal(a, b)
    for a, b in zip(passes.model.buffers(), reference.model.buffers(), strict=True):
        assert torch.equal(a, b)


def test_another_thread_that_casts_weights_changes_no_gradient(model, micro, batch):
    """torch keeps cast weights for all threads in one cache, which any of them empties."""
    passes = _passes(model, micro, pass_chips=3, precision="bf16")
    passes.run(batch, 5)
    expected = _gradients(passes)
    done = threading.Event()

    def empty_the_cache():
        while not done.is_set():
            with torch.autocast("cpu", dtype=torch.bfloat16):
                pass

    other = threading.Thread(target=empty_the_cache)
    other.start()
    try:
        passes.run(batch, 5)
    finally:
        done.set()
        other.join()
    assert all(torch.equal(a, b) for a, b in zip(_gradients(passes), expected, strict=True))


def test_gradients_of_the_passes_add_up_to_that_of_the_batch(local_mean, micro, batch):
    """Without batch normalisation and random points, splitting a batch changes nothing."""
    whole, split = (_passes(local_mean, micro, pass_chips=chips) for chips in (6, 4))
    assert whole.copies == []
    assert len(split.copies) == 2
    expected, found = whole.run(batch, 0), split.run(batch, 0)
    torch.testing.assert_close(found["pixel"], expected["pixel"])
    torch.testing.assert_close(split.model.weight.grad, whole.model.weight.grad)


def test_losses_come_back_in_the_order_of_the_chips(local_mean, micro, batch):
    found = _passes(local_mean, micro, pass_chips=4).run(batch, 0)["pixel"]
    for index in range(6):
        one = Batch(
            batch.images[index : index + 1],
            batch.labels[index : index + 1],
            batch.valid[index : index + 1],
            ("x",),
        )
        alone = Passes(copy.deepcopy(local_mean), micro, make_fabric(micro)).run(one, 0)["pixel"]
        torch.testing.assert_close(found[index : index + 1], alone)


def test_a_second_step_starts_from_what_the_first_one_learnt(model, micro, batch):
    passes = _passes(model, micro, pass_chips=3)
    optimiser = torch.optim.SGD(passes.model.parameters(), lr=0.05)
    before = passes.run(batch, 0)
    optimiser.step()
    for _ in range(4):
        after = passes.run(batch, 0)
        optimiser.step()
    assert sum(after.values()).mean() < sum(before.values()).mean()


def test_a_network_with_drop_out_is_not_spread_over_threads(model, micro):
    model.network.extra = torch.nn.Dropout(0.1)
    assert _passes(model, micro, pass_chips=2).copies == []
