"""One run of the comparison on the generated micro-province, and its pictures."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from cropbase.errors import InputError
from croplayer.segmentation.comparison.plate import plot_plate
from croplayer.segmentation.comparison.run import Data, agreement, compare_model
from croplayer.segmentation.pixel_baseline import PixelBaseline, pixel_features
from croplayer.settings.model_comparison import (
    BASELINE,
    ModelComparisonSettings,
    PixelBaselineSettings,
)

TREES = {"trees": 20, "reaches_pixels": [1, 3], "pixels_per_extent": 400}


@pytest.fixture(scope="module")
def comparison(micro):
    network = {"architecture": "mask2former", "shape": micro.shape.model_dump()}
    return ModelComparisonSettings(
        models={"ours": network}, pixel_baseline=TREES, max_steps=2, batch_size=2, plate_extents=2
    )


@pytest.fixture(scope="module")
def data(province):
    return Data(province.mosaics, province.polygons, province.extents, province.grid)


@pytest.fixture(scope="module")
def runs(tmp_path_factory, data, comparison, micro):
    folder = tmp_path_factory.mktemp("runs")
    found = {}
    for model in comparison.contestants:
        work = folder / model
        found[model] = compare_model(
            model=model,
            seed=1,
            fold=0,
            data=data,
            segmentation=micro,
            comparison=comparison,
            leakage_metres=0,
            work=work,
            split=work / "extents.parquet",
            result=work / "result.json",
            predictions=work / "predictions.npz",
        )
    return folder, found


def test_a_run_measures_what_was_held_out(runs):
    folder, found = runs
    for model, content in found.items():
        assert json.loads((folder / model / "result.json").read_text()) == content
        assert {e["extent"] for e in content["extents"]} == {"x2/one", "x2/two", "x5/one", "x5/two"}
        with np.load(folder / model / "predictions.npz") as maps:
            for extent in content["extents"]:
                known = maps[extent["extent"]] != 255
                assert known.sum() == sum(extent["pixels"].values())
    network = found["ours"]
    assert network["train_chips_per_second"] == pytest.approx(
        4 / network["train_seconds"], rel=0.05
    )
    assert found[BASELINE]["train_chips_per_second"] is None


def test_colour_tells_the_generated_fields(runs):
    _, found = runs
    counts = np.array(
        [[e["pixels"][k] for k in ("tp", "fp", "fn")] for e in found[BASELINE]["extents"]]
    )
    tp, fp, fn = counts.sum(0)
    assert tp / (tp + fp + fn) > 0.85


def test_agreement_against_a_plain_reading():
    rng = np.random.default_rng(8)
    truth, mapped = (ndimage.gaussian_filter(rng.normal(size=(20, 24)), 2) > 0 for _ in range(2))
    known = rng.random(truth.shape) < 0.95
    found = agreement(mapped, truth, known, 1.0)
    rows, cols = truth.shape
    inner, moved = 0, np.zeros((2, 2), dtype=int)
    for r in range(rows):
        for c in range(cols):
            if not known[r, c]:
                continue
            # At a distance of one pixel lies a pixel of either class that has a known other beside.
            near = False
            for dr, dc in ((0, 0), (0, 1), (1, 0), (0, -1), (-1, 0)):
                for er, ec in ((0, 1), (1, 0), (0, -1), (-1, 0)):
                    a, b = (r + dr, c + dc), (r + dr + er, c + dc + ec)
                    if all(0 <= i < rows and 0 <= j < cols and known[i, j] for i, j in (a, b)):
                        near |= truth[a] != truth[b]
            inner += not near
            for er, ec in ((0, 1), (1, 0), (0, -1), (-1, 0)):
                i, j = r + er, c + ec
                if 0 <= i < rows and 0 <= j < cols and known[i, j]:
                    moved[int(truth[r, c]), int(truth[i, j])] += 1
    assert sum(found["inner"].values()) == inner > 0
    assert found["moved"] == {
        "tp": moved[1, 1], "fp": moved[1, 0], "fn": moved[0, 1], "tn": moved[0, 0],
    }  # fmt: skip


def test_the_plate_shows_every_model(runs, data, comparison, tmp_path):
    folder, _ = runs
    predictions = {model: folder / model / "predictions.npz" for model in comparison.contestants}
    for count in (1, 4):
        plot_plate(
            predictions=predictions,
            data=data,
            threshold=0.5,
            most=count,
            output=tmp_path / f"{count}.png",
        )
    one, four = (np.asarray(Image.open(tmp_path / f"{count}.png")) for count in (1, 4))
    assert four.shape[0] > 2 * one.shape[0] and one.std() > 10


def test_the_plate_refuses_predictions_of_other_labels(runs, data, tmp_path):
    np.savez(tmp_path / "p.npz", **{"elsewhere/one": np.zeros((3, 3), np.uint8)})
    with pytest.raises(InputError, match="no extent in common"):
        plot_plate(
            predictions={"a": tmp_path / "p.npz"},
            data=data,
            threshold=0.5,
            most=1,
            output=tmp_path / "x.png",
        )
    (tmp_path / "q.npz").write_bytes(b"no archive")
    with pytest.raises(InputError, match="q.npz cannot be read"):
        plot_plate(
            predictions={"a": tmp_path / "q.npz"},
            data=data,
            threshold=0.5,
            most=1,
            output=tmp_path / "x.png",
        )


def test_the_budget_is_the_same_for_all(comparison, micro):
    settings = comparison.run_settings("ours", 5, micro)
    assert (settings.max_steps, settings.batch_size, settings.seed) == (2, 2, 5)
    assert settings.validate_every_steps == settings.max_steps, "nothing is chosen on the way"
    assert settings.early_stopping_patience is None and settings.epochs is None
    assert settings.network_shape == micro.shape
    other = ModelComparisonSettings(
        models={"p": {"architecture": "pidnet", "preset": "tiny", "learning_rate": 0.01}}
    )
    settings = other.run_settings("p", 0, micro)
    assert settings.architecture == "pidnet" and settings.shape is None
    assert settings.learning_rate == 0.01
    with pytest.raises(ValueError, match="name pixel_baseline is that of the pixel classifier"):
        ModelComparisonSettings(models={BASELINE: {}})
    with pytest.raises(ValueError, match="nothing is compared"):
        ModelComparisonSettings(pixel_baseline=None)
    with pytest.raises(ValueError, match="a seed is listed twice"):
        ModelComparisonSettings(seeds=(1, 2, 1))


def test_features_of_a_pixel_know_its_surroundings_and_nothing_invalid():
    rng = np.random.default_rng(2)
    rgb = rng.integers(0, 255, (60, 70, 3), dtype=np.uint8)
    valid = np.ones((60, 70), dtype=bool)
    valid[:, 50:] = False
    first = pixel_features(rgb, valid, (1.0, 2.0))
    assert first.shape == (60, 70, 6 + 2 * 9) and first.dtype == np.float32
    changed = rgb.copy()
    changed[~valid] = 7
    np.testing.assert_allclose(
        pixel_features(changed, valid, (1.0, 2.0))[valid], first[valid], atol=1e-5
    )
    flat = pixel_features(np.full_like(rgb, 120), valid, (2.0,))[valid]
    np.testing.assert_allclose(
        flat[:, 6:11], np.broadcast_to(flat[0, 6:11], flat[:, 6:11].shape), atol=1e-4
    )
    np.testing.assert_allclose(flat[:, 11:14], 0, atol=1e-2)
    stripes = (
        np.repeat((np.arange(70) // 4 % 2 * 200)[None, :, None], 60, 0)
        .repeat(3, 2)
        .astype(np.uint8)
    )
    noise = pixel_features(rgb, valid, (4.0,))[20:40, 20:30, -1]
    assert (
        pixel_features(stripes, valid, (4.0,))[20:40, 20:30, -1].min() > 0.95 > 0.6 > noise.mean()
    )


def test_the_baseline_is_the_same_twice_and_blank_where_nothing_is_known(province, micro):
    from croplayer.segmentation.windows import load_windows

    windows, _ = load_windows(
        mosaics=province.mosaics, polygons=province.polygons, extents=province.extents,
        grid=province.grid, margin_pixels=10,
    )  # fmt: skip
    settings = PixelBaselineSettings(**TREES)
    first, second = (PixelBaseline(settings, seed=3).fit(windows[:4]) for _ in range(2))
    valid = windows[5].imagery.copy()
    valid[:9] = False
    maps = [b.probability(windows[5].rgb, valid) for b in (first, second)]
    np.testing.assert_array_equal(*maps)
    assert np.array_equal(np.isnan(maps[0]), ~valid)
    assert first.leaves > 20
