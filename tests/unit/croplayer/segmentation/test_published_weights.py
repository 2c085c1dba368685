"""Published weights of the architectures: taken over where they fit, refused with a reason."""

from __future__ import annotations

import re

import pytest
import torch

from cropbase.errors import DependencyError, InputError
from croplayer.segmentation.architectures import build_model
from croplayer.segmentation.architectures.pidnet import PidNet
from croplayer.segmentation.architectures.pidnet_weights import own_name
from croplayer.settings.architectures import PidNetShape
from croplayer.settings.segmentation import SegmentationSettings

# Names in the authors' files that differ in kind, as their model lists them.
THEIRS = {
    "conv1.0.weight": "stem.0.weight",
    "conv1.4.running_mean": "stem.4.running_mean",
    "layer1.1.conv2.weight": "context.0.1.steps.1.0.weight",
    "layer2.0.downsample.1.bias": "context.1.0.shortcut.1.bias",
    "layer5.1.bn3.running_var": "context.4.1.steps.2.1.running_var",
    "compression4.1.weight": "squeeze.1.1.weight",
    "pag3.f_x.0.weight": "attend.0.detail.0.weight",
    "pag4.f_y.1.bias": "attend.1.context.1.bias",
    "layer3_.0.bn1.weight": "detail.0.0.steps.0.1.weight",
    "layer5_.0.conv3.weight": "detail.2.steps.2.0.weight",
    "layer3_d.downsample.0.weight": "edges.0.shortcut.0.weight",
    "layer4_d.0.conv2.weight": "edges.1.steps.1.0.weight",
    "layer4_d.conv2.weight": "edges.1.steps.1.0.weight",
    "layer5_d.0.downsample.0.weight": "edges.2.shortcut.0.weight",
    "diff3.0.weight": "differ.0.0.weight",
    "spp.scale0.2.weight": "pyramid.finest.2.weight",
    "spp.scale1.1.weight": "pyramid.levels.0.0.weight",
    "spp.scale4.3.weight": "pyramid.levels.3.2.weight",
    "spp.scale_process.0.bias": "pyramid.process.0.bias",
    "spp.process3.2.weight": "pyramid.process.2.2.weight",
    "spp.compression.2.weight": "pyramid.merge.2.weight",
    "spp.shortcut.0.weight": "pyramid.shortcut.0.weight",
    "dfm.conv_p.0.weight": "fuse.detail.0.weight",
    "dfm.conv_i.1.weight": "fuse.context.1.weight",
    "dfm.conv.2.weight": "fuse.last.2.weight",
    "seghead_d.bn2.weight": "edge_head.norm.weight",
    "seghead_p.conv1.weight": "auxiliary_head.hidden.2.weight",
    "final_layer.conv2.bias": "head.last.bias",
}
HEAVY = {"layer4_d.conv2.weight", "spp.process3.2.weight", "dfm.conv.2.weight"}
LIGHT = {
    "layer4_d.0.conv2.weight",
    "spp.scale_process.0.bias",
    "dfm.conv_p.0.weight",
    "dfm.conv_i.1.weight",
    # In the heavy network these convolutions keep the width, and the block needs none.
    "layer3_d.downsample.0.weight",
}


@pytest.mark.parametrize("heavy", [False, True])
def test_the_authors_names_of_pidnet_are_found(heavy):
    ours = set(
        PidNet(PidNetShape(width=8, pyramid_width=8, head_width=8, heavy=heavy)).state_dict()
    )
    for theirs, expected in THEIRS.items():
        assert own_name(theirs) == expected
        if theirs not in (LIGHT if heavy else HEAVY):
            assert expected in ours, theirs
    assert own_name("linear.weight") is None


@pytest.mark.parametrize(
    ("preset", "millions"), [("pidnet_s", 7.6), ("pidnet_m", 34.4), ("pidnet_l", 36.9)]
)
def test_pidnet_has_the_parameters_of_the_paper(preset, millions):
    model = build_model(SegmentationSettings(architecture="pidnet", preset=preset))
    training = sum(
        p.numel() for head in (model.auxiliary_head, model.edge_head) for p in head.parameters()
    )
    inference = sum(p.numel() for p in model.parameters()) - training
    # The paper's heads tell 19 classes.
    inference += 18 * (model.head.last.in_channels + 1)
    assert round(inference / 1e6, 1) == millions


@pytest.fixture(scope="module")
def pidnet_file(tmp_path_factory):
    """A file as the authors write it: our own weights under their names, and a classifier."""
    torch.manual_seed(2)
    model = PidNet(PidNetShape(width=8))
    parts = {"conv1": "stem"} | {f"layer{n + 1}": f"context.{n}" for n in range(5)}
    state = {}
    for theirs, ours in parts.items():
        for name, value in model.state_dict().items():
            if name.startswith(f"{ours}."):
                rest = name[len(ours) :].replace("shortcut", "downsample")
                rest = re.sub(r"steps\.(\d)\.0", lambda n: f"conv{int(n[1]) + 1}", rest)
                rest = re.sub(r"steps\.(\d)\.1", lambda n: f"bn{int(n[1]) + 1}", rest)
                state[f"module.{theirs}{rest}"] = value
    state["module.linear.weight"] = torch.zeros(3, 3)
    path = tmp_path_factory.mktemp("pidnet") / "PIDNet_ImageNet.pth.tar"
    torch.save({"state_dict": state, "epoch": 100}, path)
    return path, model


def test_pidnet_weights_are_taken_over(pidnet_file):
    path, source = pidnet_file
    settings = SegmentationSettings(architecture="pidnet", shape={"width": 8}, weights=str(path))
    model = build_model(settings)
    expected = source.state_dict()
    for name, value in model.state_dict().items():
        if name.startswith(("stem.", "context.")):
            assert torch.equal(value, expected[name]), name
    slow = {id(p) for p in model.encoder_parameters()}
    assert not slow & {id(p) for p in model.head.parameters()}
    assert {id(p) for p in model.stem.parameters()} <= slow


def test_pidnet_weights_of_another_size_are_refused(pidnet_file):
    settings = SegmentationSettings(
        architecture="pidnet", shape={"width": 16}, weights=str(pidnet_file[0])
    )
    with pytest.raises(InputError, match=r"do not fit[\s\S]*of another shape[\s\S]*preset"):
        build_model(settings)


@pytest.fixture(scope="module")
def resnet_folder(tmp_path_factory):
    import timm
    from safetensors.torch import save_file

    torch.manual_seed(3)
    network = timm.create_model("resnet18")
    folder = tmp_path_factory.mktemp("resnet18")
    save_file(network.state_dict(), folder / "model.safetensors")
    return folder, network


def test_pspnet_takes_over_the_encoder_and_its_rate_is_lower(resnet_folder):
    folder, network = resnet_folder
    settings = SegmentationSettings(architecture="pspnet", preset="resnet18", weights=str(folder))
    model = build_model(settings)
    state = model.encoder.model.state_dict()
    for name, value in network.state_dict().items():
        if not name.startswith("fc."):
            assert torch.equal(state[name], value), name
    encoder = {id(p) for p in model.encoder.parameters()}
    for group in model.parameter_groups(1e-3, 0.05, 0.1):
        assert {id(p) in encoder for p in group["params"]} == {group["lr"] < 1e-3}


def test_pspnet_refuses_weights_of_another_size(resnet_folder, tmp_path):
    settings = SegmentationSettings(
        architecture="pspnet", preset="resnet34", weights=str(resnet_folder[0])
    )
    with pytest.raises(InputError, match=r"do not fit[\s\S]*parameters missing[\s\S]*preset"):
        build_model(settings)
    with pytest.raises(InputError, match="holds no weights"):
        build_model(settings.model_copy(update={"weights": str(tmp_path)}))


def test_pspnet_is_dilated_as_published():
    model = build_model(SegmentationSettings(architecture="pspnet", preset="resnet18")).eval()
    with torch.no_grad():
        features = model.encoder(torch.rand(1, 3, 96, 128))
    assert [tuple(f.shape[-2:]) for f in features[-2:]] == [(12, 16), (12, 16)]


def test_a_name_that_cannot_be_had_says_what_to_do(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for architecture, preset in (("pspnet", "resnet18"), ("segformer", "base")):
        settings = SegmentationSettings(
            architecture=architecture, preset=preset, weights="nobody/no_such_network"
        )
        with pytest.raises(
            DependencyError, match=r"cannot be loaded[\s\S]*what to do: download it once"
        ):
            build_model(settings)
    with pytest.raises(InputError, match="the file nowhere.pth does not exist"):
        build_model(SegmentationSettings(architecture="pidnet", weights="nowhere.pth"))


def test_segformer_takes_over_a_published_encoder(tmp_path):
    from transformers import SegformerConfig, SegformerForImageClassification

    torch.manual_seed(5)
    config = SegformerConfig(
        depths=[1, 1, 1, 1],
        hidden_sizes=[8, 16, 16, 32],
        num_attention_heads=[1, 2, 2, 4],
        decoder_hidden_size=16,
    )
    published = SegformerForImageClassification(config)
    published.save_pretrained(tmp_path)
    model = build_model(SegmentationSettings(architecture="segformer", weights=str(tmp_path)))
    state = model.encoder.state_dict()
    for name, value in published.segformer.state_dict().items():
        assert torch.equal(state[name], value), name
    assert {id(p) for p in model.encoder_parameters()} == {
        id(p) for p in model.encoder.parameters()
    }
