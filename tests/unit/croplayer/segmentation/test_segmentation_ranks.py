"""Training in several processes: the same chips, the same weights, one message for a mistake."""

from __future__ import annotations

import csv
import logging

import numpy as np
import pytest
import torch

from cropbase.errors import DependencyError, InputError
from croplayer.segmentation import storage
from croplayer.segmentation.ranks import make_fabric
from croplayer.segmentation.sampling import ChipSampler
from croplayer.segmentation.training import train_segmentation
from croplayer.segmentation.windows import load_windows


@pytest.fixture(scope="module")
def windows(province, grid):
    found, _ = load_windows(
        mosaics=province.mosaics,
        polygons=province.polygons,
        extents=province.extents,
        grid=grid,
        margin_pixels=32,
    )
    return [window for window in found if window.split == "train"]


def _train(province, grid, settings, folder, **changes):
    return train_segmentation(
        mosaics=province.mosaics,
        polygons=province.polygons,
        grid=grid,
        settings=settings,
        model_dir=folder / "model",
        checkpoint=folder / "state.pt",
        **{"extents": province.extents, **changes},
    )


def test_the_processes_share_out_the_chips_of_one(windows, micro):
    fill = (0.5, 0.5, 0.5)
    whole = ChipSampler(windows, micro, fill).batch(3)
    parts = [ChipSampler(windows, micro, fill, rank=r, ranks=2).batch(3) for r in (0, 1)]
    assert parts[0].names + parts[1].names == whole.names
    assert torch.equal(torch.cat([part.images for part in parts]), whole.images)
    assert ChipSampler(windows, micro, fill, rank=1, ranks=2).names(3) == list(whole.names)


@pytest.mark.timeout(300)
def test_two_processes_learn_what_one_learns(province, grid, micro, tmp_path, caplog):
    """The gradients of two processes are those of one, added up elsewhere.

    Two halves have one sum in any order, so on the same CPU the weights came out bit by bit the
    same. The tolerance of a hundredth of a step is for libraries that add in another order: Adam
    divides a gradient by its own size, and makes much of little.
    """
    settings = micro.model_copy(update={"pass_chips": 2, "ema_decay": None})
    _train(province, grid, settings, tmp_path / "one")
    with caplog.at_level(logging.INFO):
        card = _train(province, grid, settings.model_copy(update={"devices": 2}), tmp_path / "two")
    assert card["run"]["processes"] == 2
    assert "step 6 of 6" in caplog.text, "what the first process logs arrives here"
    histories = []
    for name in ("one", "two"):
        with open(tmp_path / name / "model/history.csv", encoding="utf-8") as handle:
            histories.append(list(csv.DictReader(handle)))
    for one, two in zip(*histories, strict=True):
        assert one["step"] == two["step"]
        assert float(one["loss"]) == pytest.approx(float(two["loss"]), rel=1e-3)
    models = [storage.load_model(tmp_path / name / "model")[0] for name in ("one", "two")]
    step = settings.learning_rate
    for (name, a), (_, b) in zip(*(m.state_dict().items() for m in models), strict=True):
        assert (a.double() - b.double()).abs().max() < step / 100, name
    assert not (tmp_path / "two/state.pt").exists()


@pytest.mark.timeout(300)
def test_a_mistake_in_a_process_is_one_message(province, grid, micro, tmp_path):
    settings = micro.model_copy(update={"devices": 2})
    missing = tmp_path / "nowhere.parquet"
    with pytest.raises(InputError, match="nowhere.parquet"):
        _train(province, grid, settings, tmp_path, extents=missing)
    assert not (tmp_path / "model").exists()


def test_more_gpus_than_there_are_is_said_so(micro, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    settings = micro.model_copy(update={"device": "cuda", "devices": 2, "batch_size": 4})
    with pytest.raises(DependencyError, match=r"devices = 2, but torch sees 1 GPU"):
        make_fabric(settings)


# ---------------------------------------------------------------------- balance
def _negative(windows):
    return {window.name for window in windows if window.cropland_pixels == 0}


@pytest.mark.parametrize("share", [0.0, 0.6])
def test_negative_extents_get_their_share(windows, micro, share):
    emptied = [
        window if index % 3 else _without_cropland(window) for index, window in enumerate(windows)
    ]
    settings = micro.model_copy(update={"negative_share": share, "cropland_share": 1.0})
    sampler = ChipSampler(emptied, settings, (0.5, 0.5, 0.5))
    names = [name.split(" row")[0] for step in range(100) for name in sampler.names(step)]
    found = np.mean([name in _negative(emptied) for name in names])
    assert abs(found - share) < 0.08, "400 draws: four standard deviations of 0.6 are 0.1"


def test_without_negative_extents_their_share_changes_nothing(windows, micro):
    settings = micro.model_copy(update={"negative_share": 0.5})
    fill = (0.5, 0.5, 0.5)
    assert ChipSampler(windows, settings, fill).names(2) == ChipSampler(windows, micro, fill).names(
        2
    )


def _without_cropland(window):
    import dataclasses

    target = np.where(window.target == 1, 0, window.target).astype(np.uint8)
    return dataclasses.replace(window, target=target)
