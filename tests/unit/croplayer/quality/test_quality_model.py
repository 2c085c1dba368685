from __future__ import annotations

from urllib.error import URLError

import numpy as np
import pytest
import torch
import torchvision
from pydantic import ValidationError
from safetensors.torch import save_file

from cropbase.errors import ConfigError, DependencyError, InputError
from croplayer.quality.coverage import CLASSES
from croplayer.quality.images import reduce_image
from croplayer.quality.model import (
    CoverageModel,
    CoverageNet,
    build_network,
    load_model,
    pick_device,
    save_model,
)
from croplayer.settings.quality import QualitySettings

CPU = torch.device("cpu")


def small_model(trained=(True,) * 5, min_crop_share=0.5):
    torch.manual_seed(0)
    return CoverageModel(
        net=CoverageNet("resnet18", 8).eval(),
        architecture="resnet18",
        width=8,
        image_pixels=40,
        input_pixels=32,
        min_crop_share=min_crop_share,
        trained=trained,
    )


def small_settings(**changes):
    return QualitySettings(
        **{"architecture": "resnet18", "width": 8, "weights": "none", "device": "cpu"} | changes
    )


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50", "resnet101"])
def test_width_64_is_torchvisions_network(name):
    ours = CoverageNet(name, 64).state_dict()
    theirs = getattr(torchvision.models, name)(num_classes=5).state_dict()
    assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in theirs.items()}


def test_published_weights_that_cannot_be_downloaded_end_readably(monkeypatch):
    def refuse(*args, **kwargs):
        raise URLError("no route to host")

    monkeypatch.setattr(torchvision.models.ResNet18_Weights, "get_state_dict", refuse)
    with pytest.raises(DependencyError, match="cannot be downloaded") as caught:
        build_network(small_settings(width=64, weights="IMAGENET1K_V1"))
    assert "https://download.pytorch.org" in str(caught.value)
    assert "without network" in str(caught.value)


def test_published_weights_are_taken_but_for_the_head(monkeypatch):
    torch.manual_seed(3)
    published = torchvision.models.resnet18().state_dict()
    monkeypatch.setattr(
        torchvision.models.ResNet18_Weights, "get_state_dict", lambda self, **_: published
    )
    net = build_network(small_settings(width=64, weights="default"))
    state = net.state_dict()
    assert torch.equal(state["layer4.1.conv2.weight"], published["layer4.1.conv2.weight"])
    assert state["fc.weight"].shape == (5, 512)


def test_an_unknown_name_of_weights_lists_the_known_ones():
    with pytest.raises(ConfigError, match="IMAGENET1K_V1, DEFAULT, none"):
        build_network(small_settings(width=64, weights="IMAGENET1K_V2"))


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_weights_of_a_file(tmp_path, suffix):
    torch.manual_seed(1)
    state = CoverageNet("resnet18", 8).state_dict()
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save({"state_dict": {f"module.{k}": v for k, v in state.items()}}, path)
    else:
        save_file(state, path)
    torch.manual_seed(2)
    got = build_network(small_settings(weights=str(path))).state_dict()
    assert all(torch.equal(got[k], v) for k, v in state.items())


def test_weights_of_another_network_absent_or_broken_are_refused(tmp_path):
    path = tmp_path / "other.pth"
    torch.save(CoverageNet("resnet34", 8).state_dict(), path)
    with pytest.raises(InputError, match="do not fit resnet18 of width 8"):
        build_network(small_settings(weights=str(path)))
    with pytest.raises(InputError, match="does not exist"):
        build_network(small_settings(weights=str(tmp_path / "absent.pth")))
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"<html>not found</html>")
    with pytest.raises(InputError, match="is not a file of weights"):
        build_network(small_settings(weights=str(broken)))


def test_model_files_round_trip_to_the_same_bytes_and_answers(tmp_path):
    model = small_model()
    save_model(model, tmp_path / "a")
    again = load_model(tmp_path / "a", CPU)
    save_model(again, tmp_path / "b")
    for name in ("model.safetensors", "model.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    image = np.random.default_rng(0).integers(0, 256, (3, 40, 40), dtype=np.uint8)
    np.testing.assert_array_equal(model.probabilities(image, CPU), again.probabilities(image, CPU))


def test_an_absent_or_damaged_model_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        load_model(tmp_path, CPU)
    save_model(small_model(), tmp_path)
    whole = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="train again"):
        load_model(tmp_path, CPU)


def test_types_that_training_never_saw_get_probability_zero():
    image = np.random.default_rng(1).integers(0, 256, (3, 40, 40), dtype=np.uint8)
    p = small_model(trained=(True, True, False, True, False)).probabilities(image, CPU)
    assert p.sum() == pytest.approx(1) and p[2] == p[4] == 0 and (p[[0, 1, 3]] > 0).all()


@pytest.mark.parametrize(("share", "count"), [(0.3, 5), (0.8, 5), (1.0, 1)])
def test_views_cover_the_whole_block(share, count):
    views = small_model(min_crop_share=share).views(41)
    seen = np.zeros((41, 41), dtype=int)
    for rows, cols in views[1:] or views:
        assert rows.stop - rows.start == cols.stop - cols.start
        seen[rows, cols] += 1
    assert len(views) == count and seen.min() >= 1


def test_prediction_equals_the_mean_over_views():
    model = small_model()
    image = np.random.default_rng(2).integers(0, 256, (3, 40, 40), dtype=np.uint8)
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    total = np.zeros(5)
    for rows, cols in model.views(40):
        view = torch.nn.functional.interpolate(
            torch.tensor(image[None, :, rows, cols] / 255.0),
            size=32,
            mode="bilinear",
            antialias=True,
        )[0].numpy()
        view = (view - mean[:, None, None]) / deviation[:, None, None]
        logits = model.net(torch.tensor(view[None], dtype=torch.float32))
        total += torch.softmax(logits, 1)[0].detach().numpy() / 5
    np.testing.assert_allclose(model.probabilities(image, CPU), total, atol=1e-5)


@pytest.mark.parametrize(("rows", "cols", "pixels"), [(40, 40, 16), (37, 53, 9), (10, 10, 24)])
def test_reduction_equals_adaptive_average_pooling(rows, cols, pixels):
    rng = np.random.default_rng(rows)
    rgb = rng.integers(0, 256, (3, rows, cols), dtype=np.uint8)
    valid = rng.random((rows, cols)) > 0.4
    pool = torch.nn.functional.adaptive_avg_pool2d
    weight = pool(torch.tensor(valid[None], dtype=torch.float64), pixels)
    want = pool(torch.tensor(rgb * valid, dtype=torch.float64), pixels) / weight
    want = np.floor(np.nan_to_num(want.numpy()) + 0.5)
    assert np.abs(reduce_image(rgb, valid, pixels) - want).max() <= 1  # ties may round either way
    assert np.mean(reduce_image(rgb, valid, pixels) == want) > 0.98


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 16, "weights": "DEFAULT"}, "width 64"),
        ({"image_pixels": 64, "input_pixels": 128}, "at least input_pixels"),
        ({"held_out_share": 0}, "greater than 0"),
        ({"nodata_below": 1.5}, "less than or equal to 1"),
        ({"learing_rate": 1e-3}, "Extra inputs"),
    ],
)
def test_settings_are_checked(changes, message):
    with pytest.raises(ValidationError, match=message):
        QualitySettings(**changes)


def test_classes_are_those_of_the_contract():
    assert CLASSES == ("planting", "non_planting", "snow_ice", "cloudy", "nodata")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_asked_for_and_absent_is_told():
    with pytest.raises(DependencyError, match="finds no GPU"):
        pick_device("cuda")
