"""Training and assessment on a small generated province of two sources."""

from __future__ import annotations

import json
import logging
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import rasterio
from rasterio.windows import Window
from scipy import ndimage

from cropbase.errors import CompletenessError, InputError
from cropbase.rasters import write_cog
from croplayer.grid import Block, BlockGrid
from croplayer.quality import CLASSES, assess_quality, train_coverage
from croplayer.quality.assess import COLUMNS
from croplayer.quality.card import confusion_matrix, draw_confusion, scores
from croplayer.quality.features import image_features
from croplayer.quality.train import _plateau
from croplayer.settings.quality import QualitySettings

PIXELS = 64
GRID = BlockGrid(pixels_per_block=PIXELS, shard_degrees=0.2)
BLOCKS = [Block(1316 + r, 5840 + c) for r in range(4) for c in range(8)]
SETTINGS = QualitySettings(
    architecture="resnet18",
    weights="none",
    width=8,
    image_pixels=48,
    input_pixels=32,
    epochs=12,
    crops_per_image=4,
    learning_rate=4e-3,
    device="cpu",
)


def generated_image(kind, rng):
    """A generated picture of a coverage type: (3, PIXELS, PIXELS) uint8 and its validity."""
    fields = np.repeat(np.repeat(rng.normal(0, 15, (8, 8, 3)), 8, axis=0), 8, axis=1)
    base = (70, 120, 50) if kind == "planting" else (145, 115, 85)
    image = np.array(base) + fields + rng.normal(0, 6, (PIXELS, PIXELS, 1))
    if kind in ("cloudy", "snow_ice"):
        veil = ndimage.gaussian_filter(rng.normal(size=(PIXELS, PIXELS)), 6)
        veil = np.clip(0.6 + 0.5 * veil / veil.std(), 0, 0.95)[..., None]
        white = (205, 205, 205) if kind == "cloudy" else (225, 240, 255)
        image = image * (1 - veil) + np.array(white) * veil
        if kind == "snow_ice":
            image += 0.8 * fields
    valid = np.ones((PIXELS, PIXELS), dtype=bool)
    if kind == "nodata":
        valid[rng.integers(0, 12) :] = False
    image = np.clip(image, 0, 255).astype(np.uint8)
    image[~valid] = 0
    return image.transpose(2, 0, 1), valid


def write_mosaics(root, kinds, grid, halo=3):
    """Mosaics of both sources in the shards of `grid`; `kinds` maps (source, block) to a type."""
    mosaics = {}
    for source in ("a", "b"):
        mosaics[source] = []
        for shard in grid.shards(BLOCKS):
            outer = grid.shard_window(shard.blocks).buffered(halo)
            image = np.zeros((3, outer.height, outer.width), dtype=np.uint8)
            valid = np.zeros((outer.height, outer.width), dtype=bool)
            for block in BLOCKS:
                rng = np.random.default_rng([block.row, block.col, ord(source)])
                picture, mask = generated_image(kinds[source, block], rng)
                inner = grid.block_window(block)
                rows = np.arange(PIXELS) + inner.row - outer.row
                cols = np.arange(PIXELS) + inner.col - outer.col
                r = (rows >= 0) & (rows < outer.height)
                c = (cols >= 0) & (cols < outer.width)
                image[:, *np.ix_(rows[r], cols[c])] = picture[:, *np.ix_(r, c)]
                valid[np.ix_(rows[r], cols[c])] = mask[np.ix_(r, c)]
            path = root / source / f"{shard.shard_id}.tif"
            write_cog(
                path,
                [(Window(0, 0, outer.width, outer.height), image, valid)],
                height=outer.height,
                width=outer.width,
                bands=3,
                dtype="uint8",
                transform=grid.transform(outer),
            )
            mosaics[source].append(path)
    return mosaics


@pytest.fixture(scope="module")
def province(tmp_path_factory):
    root = tmp_path_factory.mktemp("province")
    rng = np.random.default_rng(7)
    kinds = {
        (source, block): str(rng.choice(CLASSES, p=[0.35, 0.25, 0.15, 0.15, 0.1]))
        for source in ("a", "b")
        for block in BLOCKS
    }
    labels = pd.DataFrame(
        [(GRID.block_id(block), source, kind) for (source, block), kind in kinds.items()],
        columns=["block_id", "source", "coverage_type"],
    )
    labels.to_csv(root / "coverage.csv", index=False)
    plan = pd.DataFrame({"block_id": [GRID.block_id(block) for block in BLOCKS]})
    plan.to_parquet(root / "blocks.parquet")
    return SimpleNamespace(
        root=root, kinds=kinds, labels=labels, mosaics=write_mosaics(root / "mosaic", kinds, GRID)
    )


def train(province, folder, *, labels=None, settings=SETTINGS, mosaics=None):
    path = province.root / "coverage.csv"
    if labels is not None:
        path = folder.parent / f"{folder.name}.csv"
        labels.to_csv(path, index=False)
    train_coverage(
        mosaics=mosaics or province.mosaics,
        labels=path,
        blocks=province.root / "blocks.parquet",
        grid=GRID,
        settings=settings,
        model_dir=folder,
        confusion_png=folder / "confusion.png",
        threads=1,
    )
    return json.loads((folder / "card.json").read_text())


@pytest.fixture(scope="module")
def trained(province):
    folder = province.root / "model"
    return SimpleNamespace(folder=folder, card=train(province, folder))


def assess(province, trained, output, *, grid=GRID, blocks=None, mosaic=None, source="a"):
    shard = grid.shards(BLOCKS)[0]
    assess_quality(
        mosaic=mosaic or province.mosaics[source][0],
        source_name=source,
        blocks=list(shard.blocks) if blocks is None else blocks,
        grid=grid,
        model_dir=trained.folder,
        settings=SETTINGS,
        output=output,
        threads=1,
    )
    return pd.read_parquet(output)


def test_training_tells_the_types_of_held_out_blocks(trained):
    held = trained.card["held_out"]
    assert held["images"] >= 8
    assert held["top1_accuracy"] >= 0.8 > held["majority_share"]
    counts = np.array(trained.card["confusion"]["counts"])
    assert counts.sum() == held["images"]
    assert np.trace(counts) / counts.sum() == pytest.approx(held["top1_accuracy"], abs=1e-6)
    assert len(trained.card["mistakes"]) == counts.sum() - np.trace(counts)


def test_held_out_blocks_are_whole_blocks(trained, province):
    held = set(trained.card["held_out_blocks"])
    rows = province.labels["block_id"].isin(held).sum()
    assert rows == trained.card["held_out"]["images"]
    assert rows + trained.card["training"]["images"] == len(province.labels)


def test_training_again_gives_the_same_bytes(trained, province, tmp_path):
    train(province, tmp_path / "again")
    for name in ("model.safetensors", "model.json", "confusion.png"):
        assert (tmp_path / "again" / name).read_bytes() == (trained.folder / name).read_bytes()


def test_another_seed_gives_another_model(trained, province, tmp_path):
    other = SETTINGS.model_copy(update={"seed": 1, "epochs": 1})
    train(province, tmp_path / "other", settings=other)
    name = "model.safetensors"
    assert (tmp_path / "other" / name).read_bytes() != (trained.folder / name).read_bytes()


def test_quality_table_holds_exactly_the_planned_blocks(province, trained, tmp_path):
    table = assess(province, trained, tmp_path / "q.parquet")
    blocks = GRID.shards(BLOCKS)[0].blocks
    assert list(table.columns) == list(COLUMNS)
    assert table["block_id"].tolist() == [GRID.block_id(block) for block in sorted(blocks)]
    p = table[[f"p_{name}" for name in CLASSES]].to_numpy()
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert table["coverage_type"].tolist() == [CLASSES[i] for i in p.argmax(axis=1)]
    assert (table["source"] == "a").all()
    truth = [province.kinds["a", block] for block in sorted(blocks)]
    assert np.mean(table["coverage_type"] == truth) >= 0.8


def test_features_of_the_table_are_those_of_the_full_resolution(province, trained, tmp_path):
    table = assess(province, trained, tmp_path / "q.parquet").set_index("block_id")
    block = GRID.shards(BLOCKS)[0].blocks[5]
    with rasterio.open(province.mosaics["a"][0]) as dataset:
        outer = GRID.shard_window(GRID.shards(BLOCKS)[0].blocks).buffered(3)
        rows, cols = GRID.block_window(block).buffered(1).relative_to(outer)
        want = image_features(dataset.read()[:, rows, cols], dataset.dataset_mask()[rows, cols] > 0)
    for name in ("sharpness", "hue", "saturation", "lightness", "valid_fraction"):
        assert table.loc[GRID.block_id(block), name] == getattr(want, name)


def test_quality_does_not_depend_on_the_shards(province, trained, tmp_path):
    wide = BlockGrid(pixels_per_block=PIXELS, shard_degrees=1.0)
    mosaic = write_mosaics(tmp_path, province.kinds, wide, halo=7)["a"][0]
    one = assess(province, trained, tmp_path / "1.parquet", grid=wide, mosaic=mosaic)
    two = assess(province, trained, tmp_path / "2.parquet")
    common = one[one["block_id"].isin(two["block_id"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(common, two, check_exact=True)


def test_few_valid_pixels_are_nodata_by_rule(province, trained, tmp_path):
    outer = GRID.block_window(BLOCKS[0]).buffered(1)
    image = np.full((3, outer.height, outer.width), 120, dtype=np.uint8)
    valid = np.zeros((outer.height, outer.width), dtype=bool)
    valid[1:4, 1:-1] = True  # 3 of 64 rows: below 5 %
    path = tmp_path / "m.tif"
    write_cog(
        path,
        [(Window(0, 0, outer.width, outer.height), image, valid)],
        height=outer.height,
        width=outer.width,
        bands=3,
        dtype="uint8",
        transform=GRID.transform(outer),
    )
    row = assess(province, trained, tmp_path / "q.parquet", blocks=BLOCKS[:1], mosaic=path).iloc[0]
    assert row["coverage_type"] == "nodata" and row["p_nodata"] == 1
    assert row["valid_fraction"] == pytest.approx(3 / 64)
    assert np.isfinite(row["lightness"])


def test_a_mosaic_that_misses_a_block_is_refused(province, trained, tmp_path):
    with pytest.raises(CompletenessError, match="lacks block E11220N2400"):
        assess(
            province, trained, tmp_path / "q.parquet", blocks=[GRID.parse_block_id("E11220N2400")]
        )
    assert not (tmp_path / "q.parquet").exists()


def test_a_mosaic_that_is_no_rgb_image_is_refused(province, trained, tmp_path):
    outer = GRID.block_window(BLOCKS[0])
    write_cog(
        tmp_path / "m.tif",
        [],
        height=PIXELS,
        width=PIXELS,
        bands=1,
        dtype="uint8",
        transform=GRID.transform(outer),
    )
    with pytest.raises(InputError, match="not an RGB image"):
        assess(
            province, trained, tmp_path / "q.parquet", blocks=BLOCKS[:1], mosaic=tmp_path / "m.tif"
        )


def test_a_block_planned_twice_is_refused(province, trained, tmp_path):
    with pytest.raises(CompletenessError, match="has twice or more block"):
        assess(province, trained, tmp_path / "q.parquet", blocks=BLOCKS[:1] * 2)


def test_missing_and_single_types_are_told_and_recorded(province, tmp_path, caplog):
    kinds = province.labels["coverage_type"]
    few = pd.concat(
        [
            province.labels[kinds == "planting"][:6],
            province.labels[kinds == "non_planting"][:6],
            province.labels[kinds == "cloudy"][:1],
        ]
    )
    quick = SETTINGS.model_copy(update={"epochs": 1, "class_balance": "weights"})
    with caplog.at_level(logging.WARNING):
        card = train(province, tmp_path / "few", labels=few, settings=quick)
    assert "no labels of coverage type snow_ice, nodata" in caplog.text
    assert "too few labels of cloudy" in caplog.text
    assert card["classes_missing_in_training"] == ["snow_ice", "nodata"]
    assert card["held_out"]["classes"]["cloudy"]["recall"] is None


def test_labels_of_one_type_cannot_be_learned(province, tmp_path):
    one = province.labels[province.labels["coverage_type"] == "planting"]
    with pytest.raises(InputError, match="fewer than two types"):
        train(province, tmp_path / "one", labels=one)
    assert not (tmp_path / "one").exists()


def test_a_label_without_mosaic_is_told(province, tmp_path):
    mosaics = {"a": province.mosaics["a"][:1], "b": province.mosaics["b"]}
    with pytest.raises(InputError, match="no mosaic of source 'a' for shard"):
        train(province, tmp_path / "x", mosaics=mosaics)


def test_labels_that_contradict_an_empty_image_are_left_out_and_told(province, tmp_path, caplog):
    labels = province.labels.copy()
    labels.loc[labels["coverage_type"] == "nodata", "coverage_type"] = "planting"
    quick = SETTINGS.model_copy(update={"epochs": 1, "nodata_below": 0.3})
    with caplog.at_level(logging.WARNING):
        train(province, tmp_path / "x", labels=labels, settings=quick)
    assert "almost no pixel is valid" in caplog.text


def test_scores_by_hand():
    confusion = confusion_matrix(np.array([0, 0, 0, 1, 3]), np.array([0, 0, 1, 1, 0]))
    got = scores(confusion)
    assert confusion[0].tolist() == [2, 1, 0, 0, 0] and confusion[3, 0] == 1
    assert got["top1_accuracy"] == 0.6 and got["majority_share"] == 0.6
    assert got["classes"]["planting"] == {"precision": 0.666667, "recall": 0.666667, "images": 3}
    assert got["classes"]["nodata"] == {"precision": None, "recall": None, "images": 0}


def test_scores_without_held_out_images_are_undefined(tmp_path):
    empty = np.zeros((5, 5), dtype=int)
    assert scores(empty)["top1_accuracy"] is None
    draw_confusion(empty, tmp_path / "c.png", title="nothing")
    assert (tmp_path / "c.png").stat().st_size > 1000


def test_training_stops_at_a_plateau():
    assert not _plateau([1.0, 0.9, 0.8, 0.7], 2)
    assert _plateau([1.0, 0.9, 0.899, 0.895], 2)
    assert not _plateau([1.0, 1.0], 2)
