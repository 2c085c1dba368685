"""The generated interpreter and the score against the truth."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely

from cropbase.areas import polygon_area_ha
from cropbase.errors import InputError
from croplayer.demo.interpreter import best_option, interpret_blocks, score_map, semantic_class
from croplayer.grid import BlockGrid, PixelWindow

GRID = BlockGrid(0.05, 80, 0.1)


def square(*boxes, shape=(80, 80)):
    array = np.zeros(shape, bool)
    for top, left, high, wide in boxes:
        array[top : top + high, left : left + wide] = True
    return array


FIELDS = square((5, 5, 30, 30), (45, 40, 30, 35))


def mask(array):
    return array.astype(np.uint8)


def test_a_good_mask_and_a_correctly_empty_block_are_tp():
    assert semantic_class(mask(FIELDS), FIELDS, "planting") == "TP"
    nothing = np.zeros_like(FIELDS)
    assert semantic_class(mask(nothing), nothing, "planting") == "TP"


def test_borders_a_pixel_or_two_off_are_no_fault():
    grown = square((3, 3, 34, 34), (43, 38, 34, 39))
    assert semantic_class(mask(grown), FIELDS, "planting") == "TP"


def test_much_wrong_cropland_is_fp():
    wrong = FIELDS | square((5, 45, 30, 30))
    assert semantic_class(mask(wrong), FIELDS, "planting") == "FP"
    # Exactly the shares matter: a tenth of the block, three tenths of what is mapped.
    small = FIELDS | square((5, 45, 20, 30))
    assert semantic_class(mask(small), FIELDS, "planting") == "TP"


def test_scattered_specks_are_noise():
    specks = np.zeros_like(FIELDS)
    specks[::10, ::10] = True
    nothing = np.zeros_like(FIELDS)
    assert semantic_class(mask(specks), nothing, "planting") == "Noise"
    one = np.zeros_like(FIELDS)
    one[3, 3] = True
    assert semantic_class(mask(one), nothing, "planting") == "TP"


@pytest.mark.parametrize("kind", ["cloudy", "snow_ice", "nodata"])
def test_a_disturbed_block_with_a_wrong_mask_is_an_artifact(kind):
    hidden = np.full(FIELDS.shape, 255, np.uint8)
    assert semantic_class(hidden, FIELDS, kind) == "Artifacts"
    assert semantic_class(hidden, FIELDS, "planting") == "TP"
    assert semantic_class(mask(FIELDS), FIELDS, kind) == "TP"


def test_options_follow_the_best_iou():
    top, bottom = square((5, 5, 30, 30)), square((45, 40, 30, 35))
    wrong = square((5, 45, 30, 30))
    assert best_option(mask(top), mask(bottom), FIELDS) == "both"
    assert best_option(mask(FIELDS), mask(wrong), FIELDS) == "only_a"
    assert best_option(mask(wrong), mask(FIELDS), FIELDS) == "only_b"
    assert best_option(mask(wrong), mask(wrong), np.zeros_like(FIELDS)) == "neither"


def test_ties_go_to_both_then_to_the_first():
    assert best_option(mask(FIELDS), mask(FIELDS), FIELDS) == "both"
    assert best_option(mask(FIELDS), mask(np.zeros_like(FIELDS)), FIELDS) == "both"
    spoiled = FIELDS | square((5, 45, 30, 30))
    other = FIELDS | square((45, 2, 30, 30))
    assert best_option(mask(spoiled), mask(other), FIELDS) == "only_a"


@pytest.mark.parametrize("kind", ["cloudy", "snow_ice", "nodata"])
def test_ties_go_to_the_source_that_sees_the_ground(kind):
    nothing = mask(np.zeros_like(FIELDS))
    assert best_option(mask(FIELDS), nothing, FIELDS, ("planting", kind)) == "only_a"
    assert best_option(nothing, mask(FIELDS), FIELDS, (kind, "non_planting")) == "only_b"
    assert best_option(mask(FIELDS), mask(FIELDS), FIELDS, (kind, kind)) == "both"
    # Only ties: a spoiled source that maps better is still the better one.
    assert best_option(nothing, mask(FIELDS), FIELDS, ("planting", kind)) == "both"
    top, bottom = square((5, 5, 30, 30)), square((45, 40, 30, 35))
    assert best_option(mask(top), mask(bottom), FIELDS, ("planting", kind)) == "both"


def test_pixels_without_imagery_are_not_cropland():
    hidden = np.full(FIELDS.shape, 255, np.uint8)
    assert best_option(hidden, mask(FIELDS), FIELDS) == "both"


# ------------------------------------------------------------------- files
BLOCKS = ["E11200N2400", "E11205N2400", "E11200N2405", "E11205N2405"]


def write(path, array, window, grid=GRID):
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=array.shape[0],
        width=array.shape[1],
        count=1,
        dtype="uint8",
        crs="EPSG:4326",
        transform=grid.transform(window),
    ) as dataset:
        dataset.write(array, 1)
    return path


@pytest.fixture
def case(tmp_path):
    """Four blocks in one shard; masks cut into two rasters for source b; truth with a margin."""
    blocks = [GRID.parse_block_id(name) for name in BLOCKS]
    window = GRID.shard_window(blocks)
    rng = np.random.default_rng(1)
    truth = np.kron(rng.random((16, 16)) < 0.5, np.ones((10, 10))).astype(bool)
    around = window.buffered(12)
    wide = np.zeros((around.height, around.width), np.uint8)
    wide[12:-12, 12:-12] = truth
    first, second = truth.copy(), truth.copy()
    first[:80, :80] = False
    second[80:, 80:] = False
    north = PixelWindow(window.row, window.col, 80, 160)
    south = PixelWindow(window.row + 80, window.col, 80, 160)
    plan = gpd.GeoDataFrame(
        {"block_id": BLOCKS}, geometry=[GRID.polygon(b) for b in blocks], crs="EPSG:4326"
    )
    plan.to_parquet(tmp_path / "blocks.parquet")
    rows = [(b, s, "planting") for b in BLOCKS for s in ("a", "b")]
    rows[BLOCKS.index("E11200N2405") * 2] = ("E11200N2405", "a", "cloudy")
    table = pd.DataFrame(rows, columns=["block_id", "source", "coverage_type"])
    table.to_csv(tmp_path / "coverage.csv", index=False)
    return {
        "folder": tmp_path,
        "window": window,
        "truth": truth,
        "truth_path": write(tmp_path / "truth.tif", wide, around),
        "masks": {
            "a": [write(tmp_path / "a" / "s.tif", mask(first), window)],
            "b": [
                write(tmp_path / "b" / "n.tif", mask(second[:80]), north),
                write(tmp_path / "b" / "s.tif", mask(second[80:]), south),
            ],
        },
    }


def interpret(case, **changes):
    folder = case["folder"]
    given = {
        "masks": case["masks"],
        "blocks": folder / "blocks.parquet",
        "truth": case["truth_path"],
        "coverage": folder / "coverage.csv",
        "grid": GRID,
        "semantic_csv": folder / "semantic.csv",
        "options_csv": folder / "options.csv",
    }
    interpret_blocks(**{**given, **changes})
    return pd.read_csv(folder / "semantic.csv"), pd.read_csv(folder / "options.csv")


def test_every_block_is_interpreted_once(case):
    semantic, options = interpret(case)
    assert list(semantic.columns) == ["block_id", "source", "semantic_class"]
    assert list(options.columns) == ["block_id", "option"]
    assert sorted(options["block_id"]) == sorted(BLOCKS)
    assert len(semantic) == 8
    assert not semantic.duplicated(["block_id", "source"]).any()
    found = semantic.set_index(["block_id", "source"])["semantic_class"]
    # The north-west block is missed by a under clouds; b's south-east block is missed in the clear.
    assert found["E11200N2405", "a"] == "Artifacts"
    assert found["E11205N2400", "b"] == "TP"
    assert found["E11200N2405", "b"] == "TP"
    option = options.set_index("block_id")["option"]
    assert option["E11200N2405"] == "only_b"
    assert set(option.drop("E11200N2405")) == {"both"}


def test_interpreting_twice_gives_the_same_bytes(case):
    interpret(case)
    before = [(case["folder"] / n).read_bytes() for n in ("semantic.csv", "options.csv")]
    interpret(case)
    assert before == [(case["folder"] / n).read_bytes() for n in ("semantic.csv", "options.csv")]


def test_a_missing_coverage_type_names_block_and_source(case):
    table = pd.read_csv(case["folder"] / "coverage.csv")
    table.iloc[:-1].to_csv(case["folder"] / "coverage.csv", index=False)
    with pytest.raises(InputError, match=r"block E11205N2405, source b"):
        interpret(case)
    assert not (case["folder"] / "semantic.csv").exists()


def test_a_block_in_no_mask_is_named(case):
    masks = {**case["masks"], "b": case["masks"]["b"][:1]}
    with pytest.raises(InputError, match=r"E1120\dN2400 lies in none"):
        interpret(case, masks=masks)


def test_a_raster_off_the_grid_is_refused(case):
    other = BlockGrid(0.05, 96, 0.1)
    with pytest.raises(InputError, match="not on the global pixel grid"):
        interpret(case, grid=other)


def score(case, final, splits=("train", "validation")):
    folder = case["folder"]
    path = write(folder / "map" / "s.tif", final, case["window"])
    corner = [GRID.polygon(GRID.parse_block_id(name)).centroid.buffer(0.005) for name in BLOCKS[:2]]
    extents = gpd.GeoDataFrame({"split": list(splits)}, geometry=corner, crs="EPSG:4326")
    extents.to_parquet(folder / "extents.parquet")
    return score_map(
        maps=[path],
        truth=case["truth_path"],
        blocks=folder / "blocks.parquet",
        extents=folder / "extents.parquet",
        grid=GRID,
    )


def test_a_perfect_map_scores_one(case):
    result = score(case, mask(case["truth"]))
    for name in ("iou", "precision", "recall", "area_ratio"):
        assert result[f"truth_{name}_all_blocks"] == 1
        assert result[f"truth_{name}_unseen_blocks"] == 1
    assert result["truth_blocks_all_blocks"] == 4
    assert result["truth_blocks_unseen_blocks"] == 3


def test_scores_equal_a_count_of_pixels(case):
    rng = np.random.default_rng(2)
    truth = case["truth"]
    final = mask(truth ^ (rng.random(truth.shape) < 0.2))
    final[:20] = 254
    final[:, 150:] = 255
    result = score(case, final)
    # Training lies in the south-west block: rows 80-160, columns 0-80.
    unseen = np.ones(truth.shape, bool)
    unseen[80:, :80] = False
    for where, name in ((unseen, "unseen_blocks"), (np.ones_like(unseen), "all_blocks")):
        inside = where & (final != 255)
        mapped, real = inside & (final == 1), inside & truth
        hit = np.count_nonzero(mapped & real)
        assert result[f"truth_iou_{name}"] == pytest.approx(
            hit / np.count_nonzero(mapped | real), abs=1e-6
        )
        assert result[f"truth_precision_{name}"] == pytest.approx(hit / mapped.sum(), abs=1e-6)
        assert result[f"truth_recall_{name}"] == pytest.approx(hit / real.sum(), abs=1e-6)
        assert result[f"truth_unusable_share_{name}"] == pytest.approx(
            np.count_nonzero(inside & (final == 254)) / inside.sum(), abs=1e-6
        )


def test_area_ratio_weighs_hectares_not_pixels(case):
    """Rows in the south are larger: mapping only them gives more than half of the area."""
    truth = np.ones_like(case["truth"])
    wide = np.zeros((184, 184), np.uint8)
    wide[12:-12, 12:-12] = 1
    write(case["truth_path"], wide, case["window"].buffered(12))
    final = np.zeros(truth.shape, np.uint8)
    final[80:] = 1
    ratio = score(case, final)["truth_area_ratio_all_blocks"]
    south = shapely.segmentize(shapely.box(112.0, 24.0, 112.1, 24.05), 0.001)
    whole = shapely.segmentize(shapely.box(112.0, 24.0, 112.1, 24.1), 0.001)
    assert ratio > 0.5
    assert ratio == pytest.approx(polygon_area_ha(south) / polygon_area_ha(whole), abs=2e-6)


def test_without_cropland_ratios_are_missing_not_infinite(case):
    final = np.zeros(case["truth"].shape, np.uint8)
    final[:] = 255
    result = score(case, final)
    assert result["truth_iou_all_blocks"] is None
    assert result["truth_area_ratio_all_blocks"] is None


def test_extents_without_split_are_refused(case):
    folder = case["folder"]
    gpd.GeoDataFrame(
        {"name": ["x"]}, geometry=[shapely.box(112, 24, 112.01, 24.01)], crs="EPSG:4326"
    ).to_parquet(folder / "bad.parquet")
    with pytest.raises(InputError, match="no attribute `split`"):
        score_map(
            maps=case["masks"]["a"],
            truth=case["truth_path"],
            blocks=folder / "blocks.parquet",
            extents=folder / "bad.parquet",
            grid=GRID,
        )
