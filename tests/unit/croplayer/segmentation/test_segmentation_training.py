from __future__ import annotations

import csv
import json
import logging
import sys

import geopandas as gpd
import numpy as np
import pytest
import shapely.affinity
import torch

from cropbase.errors import DependencyError, InputError
from croplayer.segmentation import loop, storage, training
from croplayer.segmentation.engine import predict_array
from croplayer.segmentation.loop import NonFiniteLossError, Trainer, learning_rate_factor
from croplayer.segmentation.measuring import measure
from croplayer.segmentation.sampling import ChipSampler
from croplayer.segmentation.training import train_segmentation, training_steps
from croplayer.segmentation.windows import data_hash, load_windows


def _train(province, grid, settings, folder, **changes):
    arguments = {
        "mosaics": province.mosaics,
        "polygons": province.polygons,
        "extents": province.extents,
        "grid": grid,
        "settings": settings,
        "model_dir": folder / "model",
        "checkpoint": folder / "state.pt",
        **changes,
    }
    return train_segmentation(**arguments)


@pytest.fixture(scope="module")
def trained(province, grid, micro, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    card = _train(province, grid, micro, folder, curve=folder / "curve.png")
    return folder, card


# ---------------------------------------------------------------------- what is written
def test_training_leaves_a_model_and_no_checkpoint(trained, micro):
    folder, card = trained
    names = {path.name for path in (folder / "model").iterdir()}
    assert names == {"model.safetensors", "model.json", "card.json", "history.csv"}
    assert not (folder / "state.pt").exists()
    assert (folder / "curve.png").read_bytes()[:4] == b"\x89PNG"
    with open(folder / "model/history.csv", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    assert [int(row["step"]) for row in rows] == [3, 6]
    assert card == json.loads((folder / "model/card.json").read_text())


def test_the_card_tells_data_settings_and_result(trained, province, grid, micro):
    _, card = trained
    assert card["settings"] == micro.model_dump(mode="json")
    splits = card["data"]["splits"]
    assert splits["train"]["one"]["extents"] == 4, "x1 holds for source two alone"
    assert splits["train"]["two"]["extents"] == 5
    assert splits["validation"]["one"]["pixels"] == 2 * 96 * 96
    assert card["result"]["parameters"] > 1000
    assert set(card["result"]["validation"]) >= {"iou", "iou_one", "iou_two", "f1"}
    assert set(card["run"]["versions"]) == {"torch", "transformers", "numpy", "rasterio"}


def test_the_same_input_gives_the_same_weights(trained, province, grid, micro, tmp_path):
    _train(province, grid, micro, tmp_path)
    for name in ("model.safetensors", "model.json", "history.csv"):
        assert (tmp_path / "model" / name).read_bytes() == (
            trained[0] / "model" / name
        ).read_bytes(), name


def test_another_seed_gives_other_weights(trained, province, grid, micro, tmp_path):
    _train(province, grid, micro.model_copy(update={"seed": 8}), tmp_path)
    one, other = (folder / "model/model.safetensors" for folder in (tmp_path, trained[0]))
    assert one.read_bytes() != other.read_bytes()


def test_tensorboard_holds_the_history(trained, province, grid, micro, tmp_path):
    reading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    _train(province, grid, micro.model_copy(update={"tensorboard": True}), tmp_path)
    events = reading.EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    with open(tmp_path / "model/history.csv", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    for name in ("loss", "iou"):
        found = [(event.step, event.value) for event in events.Scalars(name)]
        assert found == [(int(row["step"]), pytest.approx(float(row[name]))) for row in rows]


def test_tensorboard_that_is_not_there_is_said_so(province, grid, micro, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(DependencyError, match="tensorboard is not installed"):
        _train(province, grid, micro.model_copy(update={"tensorboard": True}), tmp_path)


class _Killed(BaseException):
    """Stands for SIGKILL: no handler of the code under test catches it."""


def test_a_killed_training_resumes_to_the_same_bytes(
    trained, province, grid, micro, tmp_path, monkeypatch
):
    plain = Trainer._step

    def dies(self, step, batch):
        if step == 4:
            raise _Killed
        return plain(self, step, batch)

    monkeypatch.setattr(Trainer, "_step", dies)
    with pytest.raises(_Killed):
        _train(province, grid, micro, tmp_path)
    assert not (tmp_path / "model").exists()
    done = []
    monkeypatch.setattr(
        Trainer, "_step", lambda self, step, batch: done.append(step) or plain(self, step, batch)
    )
    _train(province, grid, micro, tmp_path)
    assert done == [3, 4, 5], "from the checkpoint on"
    for name in ("model.safetensors", "model.json", "history.csv"):
        assert (tmp_path / "model" / name).read_bytes() == (
            trained[0] / "model" / name
        ).read_bytes(), name


@pytest.mark.parametrize("content", [b"rubbish", None])
def test_a_foreign_or_damaged_checkpoint_is_not_used(
    trained, province, grid, micro, tmp_path, caplog, content
):
    if content is None:
        torch.save({"format": 1, "fingerprint": "another"}, tmp_path / "state.pt")
    else:
        (tmp_path / "state.pt").write_bytes(content)
    _train(province, grid, micro, tmp_path)
    assert "training starts anew" in caplog.text
    assert (tmp_path / "model/model.safetensors").read_bytes() == (
        trained[0] / "model/model.safetensors"
    ).read_bytes()


def test_the_best_step_is_kept(province, grid, micro, tmp_path, monkeypatch):
    scores = iter([0.3, 0.9, 0.5, 0.4])
    monkeypatch.setattr(training, "measure", lambda *_: {"iou": next(scores)})
    settings = micro.model_copy(update={"validate_every_steps": 1, "max_steps": 4})
    assert _train(province, grid, settings, tmp_path)["result"]["best_step"] == 2


def test_training_stops_early(province, grid, micro, tmp_path, monkeypatch):
    scores = iter([0.5, 0.4, 0.3, 0.9])
    monkeypatch.setattr(training, "measure", lambda *_: {"iou": next(scores)})
    settings = micro.model_copy(
        update={"validate_every_steps": 1, "max_steps": 4, "early_stopping_patience": 2}
    )
    result = _train(province, grid, settings, tmp_path)["result"]
    assert (result["steps"], result["best_step"]) == (3, 1)


# ---------------------------------------------------------------------- it learns
def test_a_micro_model_learns_the_micro_province(province, grid, micro, tmp_path):
    settings = micro.model_copy(
        update={"max_steps": 60, "validate_every_steps": 60, "warmup_steps": 5}
    )
    card = _train(province, grid, settings, tmp_path)
    assert card["result"]["validation"]["iou"] > 0.75
    model, _ = storage.load_model(tmp_path / "model")
    window = grid.block_window(province.blocks[7])
    rgb, valid = province.arrays(window.buffered(40))
    mapped = predict_array(model, rgb, valid, settings)[40:-40, 40:-40] >= 0.5
    truth = province.truth[window.relative_to(province.window)]
    assert (mapped & truth).sum() / (mapped | truth).sum() > 0.7, "on a block never seen"


def test_fine_tuning_starts_from_the_other_model(trained, province, grid, micro, tmp_path):
    first = trained[0] / "model"
    settings = micro.model_copy(
        update={"pretrained_model": first, "max_steps": 1, "learning_rate": 1e-9, "ema_decay": None}
    )
    card = _train(province, grid, settings, tmp_path)
    assert card["starts_from"] == storage.model_hash(first)
    old, new = (storage.load_model(folder)[0] for folder in (first, tmp_path / "model"))
    for a, b in zip(old.parameters(), new.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-4)


# ---------------------------------------------------------------------- measures
def test_measures_count_labelled_pixels_alone(province, grid, micro, local_mean):
    windows, _ = load_windows(
        mosaics=province.mosaics,
        polygons=province.polygons,
        extents=province.extents,
        grid=grid,
        margin_pixels=32,
    )
    chosen = [w for w in windows if w.split == "validation"]
    found = measure(local_mean, chosen, micro, torch.device("cpu"))
    union = common = 0
    for window in chosen:
        origin = (window.window.row, window.window.col)
        probability = predict_array(local_mean, window.rgb, window.imagery, micro, origin)
        known = window.target != 255
        mapped, truth = probability[known] >= 0.5, window.target[known] == 1
        union += (mapped | truth).sum()
        common += (mapped & truth).sum()
    assert found["iou"] == pytest.approx(common / union)
    assert 0.2 < found["iou"] < 1


def test_epochs_count_the_labelled_area(micro):
    settings = micro.model_copy(update={"epochs": 2.0, "max_steps": 1000})
    # 2 x 1e6 pixels, 4 chips of 64 x 64 pixels a step.
    assert training_steps(settings, 1_000_000) == 123
    assert training_steps(micro, 1_000_000) == micro.max_steps


@pytest.mark.parametrize("schedule", ["cosine", "polynomial", "constant"])
def test_learning_rate_rises_then_falls(micro, schedule):
    settings = micro.model_copy(update={"warmup_steps": 10, "schedule": schedule})
    rates = [learning_rate_factor(step, 100, settings) for step in range(100)]
    assert np.all(np.diff(rates[:11]) > 0)
    assert max(rates) == rates[10] == 1
    assert np.all(np.diff(rates[10:]) <= 0)
    assert rates[-1] == 1 if schedule == "constant" else rates[-1] < 0.05


# ---------------------------------------------------------------------- faults
def _with_extents(province, folder, **changes):
    province.write_labels(folder / "polygons.parquet", folder / "extents.parquet", **changes)
    return {"polygons": folder / "polygons.parquet", "extents": folder / "extents.parquet"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": "train"}, "no extent of split 'validation'"),
        ({"split": "validation"}, "no extent of split 'train'"),
        ({"split": "training"}, "unknown split"),
        ({"source": "three"}, "names an unknown source"),
    ],
)
def test_labels_that_cannot_train_are_refused(province, grid, micro, tmp_path, changes, message):
    labels = _with_extents(province, tmp_path, **changes)
    with pytest.raises(InputError, match=message):
        _train(province, grid, micro, tmp_path, **labels)
    assert not (tmp_path / "model").exists()


def test_extents_far_from_the_imagery_are_refused(province, grid, micro, tmp_path):
    labels = _with_extents(province, tmp_path)
    table = gpd.read_parquet(labels["extents"])
    table["geometry"] = table.geometry.translate(yoff=5)
    table.to_parquet(labels["extents"])
    with pytest.raises(
        InputError, match=r"no extent of split 'train' overlaps imagery[\s\S]*29\.0"
    ):
        _train(province, grid, micro, tmp_path, **labels)


def test_training_without_cropland_is_refused(province, grid, micro, tmp_path):
    labels = _with_extents(province, tmp_path)
    gpd.read_parquet(labels["polygons"]).iloc[:0].to_parquet(labels["polygons"])
    with pytest.raises(InputError, match="hold no cropland polygon"):
        _train(province, grid, micro, tmp_path, **labels)


def test_extents_without_imagery_are_listed(province, grid, tmp_path, caplog):
    labels = _with_extents(province, tmp_path)
    table = gpd.read_parquet(labels["extents"])
    table.loc[3, "geometry"] = shapely.affinity.translate(table.loc[3, "geometry"], xoff=40)
    table.to_parquet(labels["extents"])
    with caplog.at_level(logging.WARNING):
        windows, unused = load_windows(
            mosaics=province.mosaics, grid=grid, margin_pixels=8, **labels
        )
    assert unused == ["x3/one", "x3/two"]
    assert "x3/one, x3/two" in caplog.text
    assert "x3" not in {window.extent_id for window in windows}


def test_a_loss_that_is_not_finite_names_its_chip(
    province, grid, micro, tmp_path, local_mean_class, monkeypatch
):
    plain = local_mean_class.chip_losses

    def breaks(self, outputs, labels, valid, generator):
        losses = plain(self, outputs, labels, valid, generator)
        losses["pixel"] = losses["pixel"] * torch.tensor([1.0, 1.0, float("nan"), 1.0])
        return losses

    monkeypatch.setattr(local_mean_class, "chip_losses", breaks)
    monkeypatch.setattr(training, "build_model", lambda settings: local_mean_class())
    windows, _ = load_windows(
        mosaics=province.mosaics,
        polygons=province.polygons,
        extents=province.extents,
        grid=grid,
        margin_pixels=micro.inference_chip,
    )
    sampler = ChipSampler([w for w in windows if w.split == "train"], micro, (0.5, 0.5, 0.5))
    with pytest.raises(NonFiniteLossError) as caught:
        _train(province, grid, micro, tmp_path)
    names = sampler.batch(0).names
    assert f"chip(s) {names[2]}\n" in str(caught.value)
    assert "segmentation.learning_rate" in str(caught.value)


# ---------------------------------------------------------------------- windows
def test_windows_join_the_rasters_of_several_shards(province, grid):
    windows, unused = load_windows(
        mosaics=province.mosaics,
        polygons=province.polygons,
        extents=province.extents,
        grid=grid,
        margin_pixels=30,
    )
    assert unused == []
    assert [w.name for w in windows][:3] == ["x0/one", "x0/two", "x1/two"]
    for window in windows:
        rgb, valid = province.arrays(window.window, window.source)
        np.testing.assert_array_equal(window.rgb, rgb)
        assert window.imagery.all()
        block = next(
            b for b in province.blocks if grid.block_window(b).buffered(30) == window.window
        )
        inner = grid.block_window(block).relative_to(window.window)
        expected = np.full(valid.shape, 255)
        expected[inner] = province.truth[grid.block_window(block).relative_to(province.window)]
        np.testing.assert_array_equal(window.target, expected)


def test_the_hash_knows_every_pixel_and_label(province, grid):
    windows, _ = load_windows(
        mosaics=province.mosaics,
        polygons=province.polygons,
        extents=province.extents,
        grid=grid,
        margin_pixels=0,
    )
    before = data_hash(windows)
    windows[0].target[5, 5] ^= 1
    assert data_hash(windows) != before
    windows[0].target[5, 5] ^= 1
    assert data_hash(windows) == before
    windows[-1].rgb[0, 0, 2] ^= 1
    assert data_hash(windows) != before


def test_the_fingerprint_ignores_what_does_not_change_the_course(micro):
    def of(**changes):
        return loop.training_fingerprint(micro.model_copy(update=changes), "data", "", False)

    assert of() == of(threads=4, threshold=0.4, inference_batch_size=2)
    assert len({of(), of(seed=9), of(learning_rate=1e-4), of(max_steps=9)}) == 4
