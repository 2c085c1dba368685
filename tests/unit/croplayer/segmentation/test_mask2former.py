from __future__ import annotations

import pytest
import torch

from cropbase.errors import DependencyError
from croplayer.segmentation.architectures import build_model
from croplayer.segmentation.architectures.mask2former import Mask2FormerOutputs, network_config
from croplayer.settings.architectures import Mask2FormerShape
from croplayer.settings.presets import PRESETS
from croplayer.settings.segmentation import SegmentationSettings


@pytest.fixture(scope="module")
def model(micro):
    torch.manual_seed(0)
    return build_model(micro).eval()


@pytest.fixture(scope="module")
def images():
    return torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(3))


@torch.no_grad()
def test_logits_have_the_size_of_the_images(model, images):
    outputs = model(images)
    assert outputs.mask_logits[-1].shape[-2:] == (32, 48), "masks in stride 2"
    logits = model.cropland_logits(outputs, (64, 96))
    assert logits.shape == (2, 64, 96)
    assert logits.dtype == torch.float32


def test_the_sign_of_the_odds_is_the_semantic_post_processing_of_the_library(model):
    from transformers import Mask2FormerImageProcessor
    from transformers.models.mask2former.modeling_mask2former import (
        Mask2FormerForUniversalSegmentationOutput,
    )

    generator = torch.Generator().manual_seed(5)
    classes = torch.randn(2, 6, 3, generator=generator)
    # The library first enlarges masks to 384 pixels: in that resolution nothing is interpolated.
    masks = torch.randn(2, 6, 384, 384, generator=generator) * 2
    expected = Mask2FormerImageProcessor().post_process_semantic_segmentation(
        Mask2FormerForUniversalSegmentationOutput(
            class_queries_logits=classes, masks_queries_logits=masks
        )
    )
    odds = model.cropland_logits(Mask2FormerOutputs([classes], [masks]), (384, 384))
    assert torch.equal((odds > 0).long(), torch.stack(expected))
    assert 0.05 < (odds > 0).float().mean() < 0.95


def test_evaluation_and_training_agree_on_the_last_layer(model, images):
    with torch.no_grad():
        quick = model(images)
        norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
        model.train()
        for norm in norms:
            norm.eval()
        full = model(images)
        model.eval()
    assert len(full.mask_logits) == 2, "the bare queries and one decoder layer"
    torch.testing.assert_close(full.mask_logits[-1], quick.mask_logits[0], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(full.class_logits[-1], quick.class_logits[0], atol=1e-4, rtol=1e-4)


def test_every_parameter_learns(micro, images):
    model = build_model(micro).train()
    labels = torch.zeros(2, 64, 96, dtype=torch.int64)
    labels[:, 20:40] = 1
    parts = model.chip_losses(
        model(images), labels, torch.ones_like(labels, dtype=torch.bool), torch.Generator()
    )
    assert set(parts) == {"class", "mask", "dice"}
    torch.stack(list(parts.values())).sum().backward()
    without = [name for name, p in model.named_parameters() if p.grad is None]
    assert without == []


@pytest.mark.parametrize("preset", sorted(PRESETS["mask2former"]))
def test_presets_describe_a_network(preset):
    shape = PRESETS["mask2former"][preset]
    config = network_config(shape)
    assert config.num_queries == shape.queries
    assert config.decoder_layers == shape.decoder_layers + 1
    assert config.num_labels == 2


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A checkpoint as published: Swin, five classes, saved by transformers."""
    from transformers import Mask2FormerForUniversalSegmentation

    shape = Mask2FormerShape(
        depths=(1, 1, 1, 1),
        widths=(16, 32, 64, 128),
        window_cells=2,
        feature_width=32,
        feedforward_width=32,
        attention_heads=2,
        pixel_decoder_layers=1,
        decoder_layers=1,
        queries=6,
    )
    config = network_config(shape)
    config.id2label = {i: str(i) for i in range(5)}
    config.label2id = {str(i): i for i in range(5)}
    torch.manual_seed(4)
    network = Mask2FormerForUniversalSegmentation(config)
    folder = tmp_path_factory.mktemp("checkpoint")
    network.save_pretrained(folder)
    return folder, network


def test_published_weights_are_taken_over_with_a_new_head(published, images):
    folder, network = published
    model = build_model(SegmentationSettings(weights=str(folder)))
    state = dict(model.network.named_parameters())
    for name, value in network.named_parameters():
        if not name.startswith("class_predictor"):
            assert torch.equal(state[name], value), name
    assert model.network.class_predictor.out_features == 3
    with torch.no_grad():
        assert model.eval().cropland_logits(model(images), (64, 96)).shape == (2, 64, 96)


def test_a_published_encoder_learns_more_slowly(published):
    model = build_model(SegmentationSettings(weights=str(published[0])))
    groups = model.parameter_groups(1e-3, 0.05, 0.1)
    encoder = {id(p) for p in model.encoder.parameters()}
    for group in groups:
        inside = {id(p) in encoder for p in group["params"]}
        assert inside == {group["lr"] < 1e-3}


def test_missing_weights_say_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    settings = SegmentationSettings(weights=str(tmp_path / "nowhere"))
    with pytest.raises(
        DependencyError, match=r"cannot be loaded[\s\S]*what to do: download it once"
    ):
        build_model(settings)
