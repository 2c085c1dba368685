from __future__ import annotations

import numpy as np
import pytest
import rasterio

from cropbase.errors import InputError
from croplayer.grid import Block, BlockGrid
from croplayer.segmentation import architectures, storage
from croplayer.segmentation.engine import predict_array
from croplayer.segmentation.inference import segment_shard


@pytest.fixture
def model_dir(tmp_path, local_mean_class, micro, monkeypatch):
    """A stored model whose answer is known."""
    monkeypatch.setattr(
        storage, "rebuild_model", lambda name, config: local_mean_class.from_config(config)
    )
    storage.save_description(
        local_mean_class(), "local_mean", micro.chip_pixels, tmp_path / "model"
    )
    storage.save_weights(local_mean_class(), tmp_path / "model")
    return tmp_path / "model"


def _segment(province, blocks, grid, micro, model_dir, folder, **changes):
    mosaic = province.write_mosaic(
        folder / "mosaic.tif",
        province.images["one"],
        blocks,
        **{key: changes.pop(key) for key in ("halo", "valid") if key in changes},
    )
    segment_shard(
        mosaic=mosaic,
        blocks=blocks,
        grid=grid,
        model_dir=model_dir,
        settings=micro.model_copy(update=changes),
        probability=folder / "probability.tif",
        mask=folder / "mask.tif",
    )
    with rasterio.open(folder / "probability.tif") as dataset:
        return dataset.read(1)


def test_probability_is_the_model_blended_over_the_mosaic(
    province, grid, micro, model_dir, tmp_path, local_mean
):
    blocks = province.blocks
    found = _segment(province, blocks, grid, micro, model_dir, tmp_path)
    window = province.window
    expected = predict_array(
        local_mean, province.images["one"], province.valid, micro, (window.row, window.col)
    )[grid.shard_window(blocks).relative_to(window)]
    assert np.abs(found.astype(float) - expected * 250).max() <= 1


def test_the_map_does_not_depend_on_the_layout_of_shards(
    province, grid, micro, model_dir, tmp_path
):
    whole = _segment(province, province.blocks, grid, micro, model_dir, tmp_path / "whole")
    outer = grid.shard_window(province.blocks)
    for number, blocks in enumerate((province.blocks[:2], province.blocks[5:8])):
        part = _segment(province, blocks, grid, micro, model_dir, tmp_path / str(number))
        same = whole[grid.shard_window(blocks).relative_to(outer)]
        assert np.abs(part.astype(int) - same).max() <= 1
        assert part.std() > 10


def test_threads_that_read_ahead_change_nothing(province, grid, micro, model_dir, tmp_path):
    plain = _segment(province, province.blocks, grid, micro, model_dir, tmp_path / "plain")
    found = _segment(
        province, province.blocks, grid, micro, model_dir, tmp_path / "ahead", loader_threads=3
    )
    np.testing.assert_array_equal(found, plain)


def test_outside_the_planned_blocks_there_is_nodata(province, grid, micro, model_dir, tmp_path):
    one, other = province.blocks[4], province.blocks[1]  # north-west and south-east
    found = _segment(province, [one, other], grid, micro, model_dir, tmp_path)
    size = grid.pixels_per_block
    assert (found[:size, size:] == 255).all()
    assert (found[size:, :size] == 255).all()
    assert (found[:size, :size] <= 250).all()
    assert (found[size:, size:] <= 250).all()


def test_files_lie_on_the_grid_and_name_the_model(province, grid, micro, model_dir, tmp_path):
    _segment(province, province.blocks, grid, micro, model_dir, tmp_path, threshold=0.3)
    window = grid.shard_window(province.blocks)
    for name in ("probability", "mask"):
        with rasterio.open(tmp_path / f"{name}.tif") as dataset:
            assert dataset.crs.to_epsg() == 4326
            assert dataset.shape == (window.height, window.width)
            assert dataset.transform.almost_equals(grid.transform(window), 1e-12)
            assert dataset.nodata == 255
            assert dataset.tags()["model_sha256"] == storage.model_hash(model_dir)
    with rasterio.open(tmp_path / "mask.tif") as dataset:
        assert dataset.tags()["threshold"] == "0.3"


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7])
def test_mask_is_the_probability_at_the_threshold(
    province, grid, micro, model_dir, tmp_path, threshold
):
    valid = np.ones_like(province.valid)
    valid[100:140, 120:300] = False
    probability = _segment(
        province,
        province.blocks,
        grid,
        micro,
        model_dir,
        tmp_path,
        threshold=threshold,
        valid=valid,
    )
    with rasterio.open(tmp_path / "mask.tif") as dataset:
        mask = dataset.read(1)
    expected = np.where(probability == 255, 255, probability >= round(threshold * 250))
    np.testing.assert_array_equal(mask, expected)
    assert {0, 1, 255} == set(np.unique(mask))


def test_missing_imagery_is_nodata_and_nothing_else(province, grid, micro, model_dir, tmp_path):
    valid = np.ones_like(province.valid)
    valid[80:150, 90:200] = False
    found = _segment(province, province.blocks, grid, micro, model_dir, tmp_path, valid=valid)
    there = valid[grid.shard_window(province.blocks).relative_to(province.window)]
    np.testing.assert_array_equal(found == 255, ~there)


def test_the_same_input_gives_the_same_bytes(province, grid, micro, model_dir, tmp_path):
    for name in ("a", "b"):
        _segment(province, province.blocks, grid, micro, model_dir, tmp_path / name)
    for name in ("probability.tif", "mask.tif"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_narrow_halo_is_refused(province, grid, micro, model_dir, tmp_path):
    with pytest.raises(InputError, match=r"pixels short[\s\S]*mosaic.halo_pixels to at least 64"):
        _segment(province, province.blocks[:1], grid, micro, model_dir, tmp_path, halo=3)
    assert not (tmp_path / "probability.tif").exists()


def test_a_mosaic_of_another_grid_is_refused(province, grid, micro, model_dir, tmp_path):
    other = BlockGrid(grid.block_degrees, grid.pixels_per_block * 2, grid.shard_degrees)
    with pytest.raises(InputError, match="not on the global pixel grid"):
        segment_shard(
            mosaic=province.mosaics["one"][0],
            blocks=[Block(province.blocks[0].row, province.blocks[0].col)],
            grid=other,
            model_dir=model_dir,
            settings=micro,
            probability=tmp_path / "p.tif",
            mask=tmp_path / "m.tif",
        )


@pytest.mark.parametrize("name", ["model.safetensors", "model.json"])
def test_a_missing_file_of_the_model_is_named(name, model_dir):
    (model_dir / name).unlink()
    with pytest.raises(InputError, match=f"has no {name}"):
        storage.load_model(model_dir)


def test_a_damaged_model_is_said_so(model_dir):
    (model_dir / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(InputError, match="damaged or does not fit"):
        storage.load_model(model_dir)


def test_an_unknown_architecture_is_named():
    with pytest.raises(InputError, match="'lenet' is unknown"):
        architectures.rebuild_model("lenet", {})


def test_larger_chips_in_inference_need_a_wider_halo(province, grid, micro, model_dir, tmp_path):
    with pytest.raises(InputError, match="halo_pixels to at least 128"):
        _segment(
            province, province.blocks, grid, micro, model_dir, tmp_path, inference_chip_pixels=128
        )
