"""What every architecture must hold to, whichever it is."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from croplayer.grid import PixelWindow
from croplayer.segmentation import storage
from croplayer.segmentation.architectures import build_model, rebuild_model
from croplayer.segmentation.engine import predict_array
from croplayer.segmentation.training import train_segmentation
from croplayer.settings.architectures import SHAPES

MICRO = {
    "mask2former": None,  # that of the fixture
    "segformer": {
        "depths": (1, 1, 1, 1),
        "widths": (8, 8, 16, 16),
        "attention_heads": (1, 1, 2, 2),
        "finest_stride": 2,
        "decoder_width": 16,
        "drop_path_rate": 0,
        "decoder_dropout": 0,
    },
    "pidnet": {
        "width": 8,
        "branch_blocks": 1,
        "integral_blocks": 1,
        "pyramid_width": 8,
        "head_width": 8,
        "finest_stride": 4,
    },
    "pspnet": {
        "block": "basic",
        "depths": (1, 1, 1, 1),
        "widths": (8, 8, 16, 16),
        "output_stride": 4,
        "pyramid_width": 16,
        "dropout": 0,
    },
}
EMBEDDING = {"mask2former": 16, "segformer": 16, "pidnet": 128, "pspnet": 16}
ODD = sorted(set(MICRO) - {"mask2former"})


def settings_of(name, micro, **changes):
    values = micro.model_dump() | {"architecture": name} | changes
    if MICRO[name] is not None:
        values["shape"] = MICRO[name]
    return type(micro)(**values)


@pytest.fixture(scope="module", params=sorted(MICRO))
def name(request):
    return request.param


@pytest.fixture(scope="module")
def settings(name, micro):
    return settings_of(name, micro)


@pytest.fixture(scope="module")
def model(settings):
    torch.manual_seed(0)
    return build_model(settings).eval()


@pytest.fixture(scope="module")
def images():
    return torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(3))


@pytest.fixture(scope="module")
def labels():
    labels = torch.zeros(2, 64, 96, dtype=torch.int64)
    labels[:, 20:40, 10:70] = 1
    return labels


def losses_of(model, images, labels, valid, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return model.chip_losses(model(images), labels, valid, generator)


def test_every_architecture_is_tested():
    assert set(MICRO) == set(SHAPES)


@torch.no_grad()
def test_logits_have_the_size_of_the_images(model, images):
    logits = model.cropland_logits(model(images), (64, 96))
    assert logits.shape == (2, 64, 96)
    assert logits.dtype == torch.float32
    assert torch.isfinite(logits).all()


@torch.no_grad()
@pytest.mark.parametrize("name", ODD)
def test_images_may_have_any_size(name, micro):
    model = build_model(settings_of(name, micro)).eval()
    image = torch.rand(1, 3, 77, 131)
    assert model.cropland_logits(model(image), (77, 131)).shape == (1, 77, 131)


@torch.no_grad()
def test_a_chip_does_not_see_its_batch(model, images):
    both = model.cropland_logits(model(images), (64, 96))
    alone = model.cropland_logits(model(images[1:]), (64, 96))
    torch.testing.assert_close(both[1:], alone, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("chips", [1, 2])
def test_every_parameter_learns_from_one_or_two_chips(settings, images, labels, chips):
    model = build_model(settings).train()
    known = torch.ones_like(labels[:chips], dtype=torch.bool)
    parts = losses_of(model, images[:chips], labels[:chips], known)
    for value in parts.values():
        assert value.shape == (chips,)
        assert value.dtype == torch.float32
        assert torch.isfinite(value).all() and (value >= 0).all()
    torch.stack(list(parts.values())).sum().backward()
    grads = {n: p.grad for n, p in model.named_parameters()}
    assert [n for n, grad in grads.items() if grad is None] == []
    assert all(torch.isfinite(grad).all() for grad in grads.values())
    model.eval()
    with torch.no_grad():
        assert torch.isfinite(model.cropland_logits(model(images), (64, 96))).all()


@torch.no_grad()
def test_unknown_pixels_cannot_reach_the_loss(settings, images, labels):
    model = build_model(settings).train()
    valid = torch.zeros_like(labels, dtype=torch.bool)
    valid[:, :50, :80] = True
    outputs = model(images)
    first, second, third = (
        model.chip_losses(outputs, target, known, torch.Generator().manual_seed(0))
        for target, known in (
            (labels, valid),
            (torch.where(valid, labels, 1 - labels), valid),
            (1 - labels, valid),
        )
    )
    for part, value in first.items():
        torch.testing.assert_close(second[part], value, atol=1e-5, rtol=1e-5)
    assert any(not torch.allclose(third[part], value) for part, value in first.items())


def test_a_chip_without_labels_costs_nothing_and_bends_nothing(settings, images, labels):
    model = build_model(settings).train()
    valid = torch.ones_like(labels, dtype=torch.bool)
    valid[0] = False
    parts = losses_of(model, images, labels, valid)
    total = torch.stack(list(parts.values())).sum(0)
    assert total[0] == 0
    assert total[1] > 0
    total.sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_a_few_steps_make_the_loss_smaller(settings, labels):
    torch.manual_seed(1)
    model = build_model(settings).train()
    colour = torch.where(labels[:, None] == 1, 0.7, 0.3).expand(-1, 3, -1, -1)
    known = torch.ones_like(labels, dtype=torch.bool)
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    course = []
    for step in range(25):
        loss = torch.stack(list(losses_of(model, colour, labels, known, step).values())).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        course.append(loss.item())
    assert np.mean(course[-5:]) < 0.8 * np.mean(course[:5])


def test_a_model_is_rebuilt_from_its_description(name, model, images, tmp_path):
    config = json.loads(json.dumps(model.config()))
    again = rebuild_model(name, config)
    again.load_state_dict(model.state_dict())
    again.eval()
    storage.save_weights(model, tmp_path)
    storage.save_description(model, name, 64, tmp_path)
    stored, description = storage.load_model(tmp_path)
    assert description["architecture"] == name
    with torch.no_grad():
        logits = [m.cropland_logits(m(images), (64, 96)) for m in (model, again, stored)]
    assert torch.equal(logits[0], logits[1])
    assert torch.equal(logits[0], logits[2])


def test_embedding_is_one_vector_a_chip(name, model, images):
    with torch.no_grad():
        embedding = model.embedding(images)
        alone = model.embedding(images[1:])
    assert embedding.shape == (2, EMBEDDING[name])
    assert embedding.dtype == torch.float32
    assert not torch.equal(embedding[0], embedding[1])
    torch.testing.assert_close(embedding[1:], alone, atol=1e-4, rtol=1e-4)


def test_parameter_groups_hold_every_parameter_once(model):
    groups = model.parameter_groups(1e-3, 0.05, 0.1)
    members = [id(p) for group in groups for p in group["params"]]
    assert sorted(members) == sorted(id(p) for p in model.parameters())
    decayed = {id(p) for group in groups if group["weight_decay"] for p in group["params"]}
    assert not decayed & {id(p) for p in model.parameters() if p.ndim < 2}
    assert {group["lr"] for group in groups} == {1e-3}


def test_the_same_area_cut_two_ways_gives_the_same_map(model, settings, province):
    window = PixelWindow(province.window.row + 40, province.window.col + 30, 150, 170)
    rgb, valid = province.arrays(window)
    whole = predict_array(model, rgb, valid, settings, origin=(window.row, window.col))
    # The margin of a part is a chip wide, as the halo of a shard is.
    part = predict_array(
        model, rgb[:, 70:], valid[:, 70:], settings, origin=(window.row, window.col + 70)
    )
    inner = np.s_[:, settings.inference_chip :]
    np.testing.assert_allclose(part[inner], whole[:, 70:][inner], atol=1e-3)
    assert np.ptp(whole) > 0


def test_training_learns_and_leaves_a_model(name, settings, province, tmp_path):
    changed = settings.model_copy(update={"max_steps": 4, "validate_every_steps": 2})
    card = train_segmentation(
        mosaics=province.mosaics,
        polygons=province.polygons,
        extents=province.extents,
        grid=province.grid,
        settings=changed,
        model_dir=tmp_path / "model",
        checkpoint=tmp_path / "checkpoint.pt",
    )
    assert card["result"]["steps"] == 4
    stored, description = storage.load_model(tmp_path / "model")
    assert description["architecture"] == name
    assert storage.count_parameters(stored) == card["result"]["parameters"]
    assert all(torch.isfinite(value).all() for value in stored.state_dict().values())
