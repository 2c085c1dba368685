from __future__ import annotations

from contextlib import ExitStack, nullcontext

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cropbase.errors import DependencyError
from croplayer.grid import PixelWindow
from croplayer.segmentation import engine
from croplayer.segmentation.chips import array_reader, blend_weights, chip_origins
from croplayer.segmentation.device import choose_device, least_used_device, use_bf16
from croplayer.segmentation.engine import Predictor, predict_array


@given(
    start=st.integers(-500, 500),
    length=st.integers(1, 300),
    chip=st.integers(1, 100),
    gap=st.integers(0, 99),
)
def test_chip_origins_are_all_that_touch(start, length, chip, gap):
    stride = max(chip - gap, 1)
    found = chip_origins(start, start + length, chip, stride)
    every = [k * stride for k in range(-3000, 3000)]
    assert found == [o for o in every if o < start + length and o + chip > start]


@pytest.mark.parametrize(("chip", "overlap"), [(64, 0), (64, 16), (64, 32), (96, 7)])
def test_blend_weights_of_overlapping_chips_sum_to_one(chip, overlap):
    weights = blend_weights(chip, overlap)
    stride = chip - overlap
    total = np.zeros((chip + 2 * stride,) * 2)
    for row in range(3):
        for col in range(3):
            total[row * stride : row * stride + chip, col * stride : col * stride + chip] += weights
    inner = total[overlap:-overlap, overlap:-overlap] if overlap else total
    np.testing.assert_allclose(inner, 1, atol=1e-6)


def _image(rows, cols, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (rows, cols, 3), dtype=np.uint8), rng.random((rows, cols)) > 0.1


def _brute_force(model, rgb, valid, origin, chip, overlap):
    """Every chip on its own, summed over the whole picture in float64."""
    rows, cols = valid.shape
    stride = chip - overlap
    weights = blend_weights(chip, overlap).astype(np.float64)
    total, weight = np.zeros((2, rows + 2 * chip, cols + 2 * chip))
    padded = np.zeros((rows + 2 * chip, cols + 2 * chip, 3), dtype=np.uint8)
    there = np.zeros(padded.shape[:2], dtype=bool)
    padded[chip:-chip, chip:-chip], there[chip:-chip, chip:-chip] = rgb, valid
    for row in range(rows + chip):
        for col in range(cols + chip):
            if (origin[0] + row - chip) % stride or (origin[1] + col - chip) % stride:
                continue
            place = np.s_[row : row + chip, col : col + chip]
            image = torch.from_numpy(padded[place]).permute(2, 0, 1)[None].float() / 255
            image[:, :, ~torch.from_numpy(there[place])] = model.mean[:, None]
            with torch.inference_mode():
                odds = model.cropland_logits(model(image), (chip, chip))[0]
            total[place] += odds.sigmoid().numpy() * weights * there[place]
            weight[place] += weights * there[place]
    inner = np.s_[chip:-chip, chip:-chip]
    return np.where(valid, total[inner] / np.where(valid, weight[inner], 1), np.nan)


def test_blending_equals_brute_force(local_mean, micro):
    rgb, valid = _image(150, 130)
    origin = (1_000_013, 777)
    found = predict_array(local_mean, rgb, valid, micro, origin)
    expected = _brute_force(local_mean, rgb, valid, origin, micro.chip_pixels, micro.overlap_pixels)
    np.testing.assert_allclose(found, expected, atol=2e-6)


_WHOLE: dict[str, np.ndarray] = {}


@settings(max_examples=15, deadline=None)
@given(
    top=st.integers(0, 150),
    left=st.integers(0, 100),
    rows=st.integers(1, 120),
    cols=st.integers(1, 150),
)
def test_a_pixel_does_not_know_in_which_window_it_is_computed(
    local_mean, micro, top, left, rows, cols
):
    rgb, valid = _image(420, 400, seed=3)
    everything = PixelWindow(5000, 8000, 420, 400)
    read = array_reader(rgb, valid, everything)
    predictor = Predictor(local_mean, micro)
    part = PixelWindow(5064 + top, 8064 + left, rows, cols)
    found = predictor.map_window(part, read)
    if "map" not in _WHOLE:
        _WHOLE["map"] = predictor.map_window(everything, read)
    whole = _WHOLE["map"]
    np.testing.assert_allclose(found, whole[part.relative_to(everything)], atol=1e-5)


def test_pieces_make_up_the_window_and_none_is_as_wide(local_mean, micro, monkeypatch):
    rgb, valid = _image(200, 190)
    window = PixelWindow(300, 40, 200, 190)
    predictor = Predictor(local_mean, micro)
    read = array_reader(rgb, valid, window)
    whole = predictor.map_window(window, read)
    monkeypatch.setattr(engine, "PIECE_COLUMNS", 64)
    covered, encoded = np.zeros(valid.shape, int), []
    previous = (0, 0)
    for piece, values in predictor.pieces(
        window, read, encode=lambda values: encoded.append(values.shape) or values
    ):
        place = piece.relative_to(window)
        covered[place] += 1
        np.testing.assert_array_equal(values, whole[place])
        assert previous < (piece.row, piece.col), "from north to south, from west to east"
        previous = piece.row, piece.col
    assert (covered == 1).all()
    assert all(rows <= micro.chip_pixels and cols <= 64 for rows, cols in encoded)


def test_missing_imagery_is_not_a_probability(local_mean, micro):
    rgb, valid = _image(120, 120)
    valid[:, 60:] = False
    found = predict_array(local_mean, rgb, valid, micro)
    assert np.array_equal(np.isnan(found), ~valid)


def test_colours_of_invalid_pixels_do_not_matter(local_mean, micro):
    rgb, valid = _image(100, 100)
    other = np.where(valid[..., None], rgb, 255 - rgb)
    np.testing.assert_array_equal(
        predict_array(local_mean, rgb, valid, micro), predict_array(local_mean, other, valid, micro)
    )


def test_chips_without_imagery_are_not_computed(local_mean, micro):
    rgb, valid = _image(300, 300)
    valid[:, 100:] = False
    predictor = Predictor(local_mean, micro)
    predict_array(predictor, rgb, valid)
    stride = micro.stride_pixels
    columns = [o for o in chip_origins(0, 300, micro.chip_pixels, stride) if o < 100]
    rows = chip_origins(0, 300, micro.chip_pixels, stride)
    assert predictor.figures.chips == len(columns) * len(rows)


def test_an_unavailable_gpu_is_said_so(micro, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DependencyError, match="finds no CUDA device"):
        choose_device(micro.model_copy(update={"device": "cuda"}))


def test_jobs_side_by_side_share_out_the_gpus(micro, monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "device", lambda index: nullcontext())
    cuda = micro.model_copy(update={"device": "cuda"})
    with ExitStack() as jobs:
        taken = [jobs.enter_context(least_used_device(cuda, tmp_path)).index for _ in range(4)]
        assert taken == [0, 1, 0, 1]
    with least_used_device(cuda, tmp_path) as device:
        assert device.index == 0, "the locks ended with their jobs"
    with least_used_device(micro, tmp_path) as device:
        assert device == torch.device("cpu")


def test_precision_follows_the_settings(micro):
    cpu = torch.device("cpu")
    assert not use_bf16(micro, cpu)
    assert use_bf16(micro.model_copy(update={"precision": "bf16"}), cpu)


def test_threads_share_the_chips_and_change_nothing(local_mean, micro):
    rgb, valid = _image(260, 300)
    settings = micro.model_copy(update={"inference_batch_size": 2})
    plain = predict_array(local_mean, rgb, valid, settings)
    torch.set_num_threads(2)
    try:
        np.testing.assert_array_equal(predict_array(local_mean, rgb, valid, settings), plain)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
