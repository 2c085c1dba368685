from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from croplayer.grid import PixelWindow
from croplayer.segmentation.augmentation import recolour, turn
from croplayer.segmentation.sampling import ChipSampler
from croplayer.segmentation.windows import LabelledWindow, load_windows
from croplayer.settings.segmentation import Augmentation

FILL = (0.25, 0.5, 0.75)


@pytest.fixture(scope="module")
def windows(province, grid):
    found, _ = load_windows(
        mosaics=province.mosaics,
        polygons=province.polygons,
        extents=province.extents,
        grid=grid,
        margin_pixels=20,
    )
    return [window for window in found if window.split == "train"]


def _sampler(windows, micro, **changes):
    return ChipSampler(windows, micro.model_copy(update=changes), FILL)


def test_chips_without_augmentation_are_cut_from_the_windows(windows, micro, still):
    batch = _sampler(windows, micro, augmentation=still).batch(3)
    assert batch.images.shape == (4, 3, 64, 64)
    for image, labels, valid, name in zip(
        batch.images, batch.labels, batch.valid, batch.names, strict=True
    ):
        extent, _, row, _, col = name.split()
        window = next(w for w in windows if w.name == extent)
        top, left = int(row) - window.window.row, int(col) - window.window.col
        for r in range(0, 64, 7):
            for c in range(0, 64, 5):
                y, x = top + r, left + c
                rows, cols = window.target.shape
                if 0 <= y < rows and 0 <= x < cols and window.imagery[y, x]:
                    expected = window.rgb[y, x] / 255
                    assert bool(valid[r, c]) == (window.target[y, x] != 255)
                    assert int(labels[r, c]) == int(window.target[y, x] == 1)
                else:
                    expected = FILL
                    assert not valid[r, c]
                np.testing.assert_allclose(image[:, r, c].numpy(), expected, atol=1e-6)


def test_a_batch_is_a_function_of_seed_and_step(windows, micro):
    first, again = (_sampler(windows, micro).batch(5) for _ in range(2))
    other = _sampler(windows, micro).batch(6)
    reseeded = _sampler(windows, micro, seed=8).batch(5)
    assert torch.equal(first.images, again.images)
    assert first.names == again.names
    assert not torch.equal(first.images, other.images)
    assert not torch.equal(first.images, reseeded.images)


def test_threads_do_not_change_the_chips(windows, micro):
    plain = list(_sampler(windows, micro).batches(2, 7))
    ahead = list(_sampler(windows, micro).batches(2, 7, threads=2))
    assert [b.names for b in plain] == [b.names for b in ahead]
    assert all(torch.equal(a.images, b.images) for a, b in zip(plain, ahead, strict=True))


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_every_chip_holds_a_pixel_of_the_class_it_is_drawn_for(windows, micro, still, share):
    sampler = _sampler(windows, micro, augmentation=still, cropland_share=share)
    for step in range(6):
        batch = sampler.batch(step)
        of_class = batch.valid & (batch.labels == int(share))
        assert of_class.flatten(1).any(1).all()


def test_chips_come_from_all_windows(windows, micro):
    sampler = _sampler(windows, micro)
    seen = {name.split()[0] for step in range(60) for name in sampler.batch(step).names}
    assert seen == {window.name for window in windows}


def test_windows_count_by_their_pixels_however_small_they_are(micro):
    """Of a large window only some pixels are kept to draw from, of a small one all of them."""
    sides = {"large": 200, "small": 28}
    windows = [
        LabelledWindow(
            name, "one", "train", np.zeros((side, side, 3), np.uint8), np.ones((side, side), bool),
            np.zeros((side, side), np.uint8), PixelWindow(0, 0, side, side),
        )
        for name, side in sides.items()
    ]  # fmt: skip
    sampler = _sampler(windows, micro)
    names = [name.split("/")[0] for step in range(250) for name in sampler.names(step)]
    expected = 28**2 / (200**2 + 28**2)
    assert abs(names.count("small") / len(names) - expected) < 0.02, "1000 draws of 0.019"


@given(seed=st.integers(0, 1000))
def test_turns_keep_image_and_label_together(seed):
    array = np.arange(36).reshape(6, 6)
    stacked = np.stack([array, 7 * array], axis=-1)
    turned, layers = turn([array, stacked], np.random.default_rng(seed))
    np.testing.assert_array_equal(turned, layers[..., 0])
    np.testing.assert_array_equal(7 * turned, layers[..., 1])
    assert sorted(turned.ravel()) == list(range(36))


def test_all_eight_symmetries_are_drawn():
    array = np.arange(9).reshape(3, 3)
    seen = {turn([array], np.random.default_rng(seed))[0].tobytes() for seed in range(200)}
    assert len(seen) == 8


def test_recolouring_with_everything_off_changes_nothing(still):
    rgb = np.random.default_rng(0).random((9, 8, 3), dtype=np.float32)
    np.testing.assert_allclose(recolour(rgb, still, np.random.default_rng(1)), rgb, atol=1e-6)


@given(seed=st.integers(0, 200))
def test_recolouring_stays_an_image(seed):
    rng = np.random.default_rng(seed)
    strong = Augmentation(
        brightness=0.9, contrast=0.9, saturation=1, colour=0.4, haze=0.9, noise=0.4
    )
    changed = recolour(rng.random((6, 5, 3), dtype=np.float32), strong, rng)
    assert changed.dtype == np.float32
    assert changed.min() >= 0
    assert changed.max() <= 1


def test_zooming_moves_labels_with_the_image(windows, micro, still):
    zoom = still.model_copy(update={"scale_min": 0.5, "scale_max": 0.5000001 * 2})
    sampler = _sampler(windows, micro, augmentation=zoom)
    agreement, pixels = 0, 0
    for step in range(10):
        batch = sampler.batch(step)
        # Cropland of the first source is greener than red, other land is not.
        green = batch.images[:, 1] - batch.images[:, 0]
        chosen = (
            batch.valid
            & torch.tensor([n.split()[0].endswith("one") for n in batch.names])[:, None, None]
        )
        agreement += int(((green > 0.06) == batch.labels.bool())[chosen].sum())
        pixels += int(chosen.sum())
    assert agreement / pixels > 0.9
