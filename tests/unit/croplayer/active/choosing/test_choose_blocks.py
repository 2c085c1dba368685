"""From rasters and tables to the ranked list: a small generated province."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from choosing_case import BLOCKS, GRID, SOURCES, Case, make_case
from scipy import stats

from cropbase.errors import CompletenessError
from croplayer.active.choosing.embedding import chip_windows
from croplayer.active.choosing.selection import select
from croplayer.grid import BlockGrid, PixelWindow
from croplayer.settings.active import ActiveSettings

SETTINGS = ActiveSettings(
    blocks=10, random_share=0.3, windows_per_edge=8, extents_per_block=5, chips_per_edge=1
)


@pytest.fixture(scope="module")
def case(tmp_path_factory) -> Case:
    return make_case(tmp_path_factory.mktemp("choosing"))


@pytest.fixture(scope="module")
def chosen(case) -> gpd.GeoDataFrame:
    return case.choose(SETTINGS)


@pytest.fixture(scope="module")
def scores(case, chosen) -> pd.DataFrame:
    return pd.read_parquet(case.outputs()["scores"]).set_index(["block_id", "source"])


def test_the_list_is_ranked_and_holds_each_block_once(chosen):
    assert chosen["rank"].tolist() == list(range(1, 11))
    assert chosen["block_id"].is_unique
    assert (chosen["reason"] == "random").sum() == 3
    assert set(chosen["split"]) == {"train", "validation"}
    assert chosen["reasons"].str.len().min() > 5


def test_labelled_and_unusable_blocks_are_not_chosen_and_the_scores_say_why(chosen, scores):
    labelled, cloudy, half = (GRID.block_id(block) for block in BLOCKS[:3])
    assert not {labelled, cloudy} & set(chosen["block_id"])
    assert set(scores.loc[labelled, "state"]) == {"labelled already"}
    assert set(scores.loc[cloudy, "state"]) == {"no usable imagery"}
    assert scores.loc[(half, "a"), "state"] == "candidate"
    assert scores.loc[(half, "b"), "state"] == "no usable imagery"
    assert len(scores) == len(BLOCKS) * len(SOURCES)


def test_signs_are_those_of_the_pixels(case, scores):
    for shard, block in ((s.shard_id, b) for s in GRID.shards(BLOCKS) for b in s.blocks):
        block_id, maps = GRID.block_id(block), {}
        for source in SOURCES:
            with rasterio.open(case.home / f"probability/{source}/{shard}.tif") as dataset:
                west, _, _, north = GRID.bounds(block)
                row, col = dataset.index(west + 1e-6, north - 1e-6)
                part = rasterio.windows.Window(col, row, 64, 64)
                stored = dataset.read(1, window=part)
            p = stored[stored != 255] / 250
            row = scores.loc[(block_id, source)]
            assert row["valid_share"] == pytest.approx(p.size / 4096)
            assert row["entropy"] == pytest.approx(stats.bernoulli(p).entropy().mean() / np.log(2))
            assert row["margin"] == pytest.approx(np.abs(2 * p - 1).mean())
            maps[source] = np.where(stored == 255, -1, stored >= 125)
        both = (maps["a"] >= 0) & (maps["b"] >= 0)
        differ = (maps["a"] != maps["b"])[both].mean()
        found = scores.loc[(block_id, "a"), "disagreement"]
        spoiled = block in BLOCKS[1:3]
        assert np.isnan(found) if spoiled else found == pytest.approx(differ)


def test_random_blocks_carry_the_probability_with_which_they_were_drawn(chosen, scores):
    frame = scores.index.get_level_values(0)[scores["state"] == "candidate"].nunique()
    random = chosen[chosen["reason"] == "random"]
    assert random["inclusion_probability"].tolist() == pytest.approx([3 / frame] * 3)
    assert (random["split"] == "validation").all()
    assert chosen.loc[chosen["reason"] != "random", "inclusion_probability"].isna().all()


def test_a_design_based_estimate_from_the_random_blocks_is_unbiased(scores):
    """Horvitz-Thompson totals over many draws centre on the true total."""
    facts = scores.reset_index().drop(columns="priority")
    places = {key: np.zeros(3) for key in scores.index}
    estimates = []
    for seed in range(100):
        _, ranked = select(facts, places, SETTINGS, np.random.default_rng(seed))
        random = ranked[ranked["reason"] == "random"]
        estimates.append((random["slope"] / random["inclusion_probability"]).sum())
    can = facts[facts["state"] == "candidate"].drop_duplicates("block_id")
    error = np.std(estimates, ddof=1) / np.sqrt(len(estimates))
    assert abs(np.mean(estimates) - can["slope"].sum()) < 4 * error
    # The strategy's own blocks would not do: they are steeper or flatter than the rest by choice.
    assert error < 0.04 * can["slope"].sum()


def test_the_list_is_the_same_again_and_another_round_draws_others(case, chosen):
    assert (
        case.choose(SETTINGS, name="again")
        .drop(columns="geometry")
        .equals(chosen.drop(columns="geometry"))
    )
    for name in case.outputs():
        assert case.outputs("again")[name].read_bytes() == case.outputs()[name].read_bytes(), name
    later = case.choose(SETTINGS, name="later", label_round=2)
    random = [set(t.loc[t["reason"] == "random", "block_id"]) for t in (chosen, later)]
    assert random[0] != random[1]


def test_what_is_not_there_is_left_out_of_the_choice(case):
    plain = case.choose(
        SETTINGS, name="plain", quality=None, terrain=(), semantic=None, extents=None
    )
    assert "alarm" not in plain and len(plain) == 10
    assert set(plain["stratum"]) == {"steep or unknown"}


def test_one_source_alone_is_enough(case):
    inputs = case.inputs()
    one = {
        name: {"a": inputs[name]["a"]} for name in ("probability", "masks", "mosaics", "quality")
    }
    found = case.choose(SETTINGS, name="one", **one)
    assert set(found["source"]) == {"a"} and found["disagreement"].isna().all()


def test_strata_get_their_shares(case):
    strata = [
        {"name": "low", "slope_below_degrees": 10, "share": 0.25},
        {"name": "high", "share": 0.75},
    ]
    settings = ActiveSettings(
        **SETTINGS.model_dump() | {"strata": strata, "random_share": 0, "blocks": 8}
    )
    found = case.choose(settings, name="strata")
    assert found["stratum"].value_counts().to_dict() == {"high": 6, "low": 2}


def test_more_blocks_than_there_are_gives_all_of_them_with_a_warning(case, caplog):
    found = case.choose(SETTINGS.model_copy(update={"blocks": 500}), name="all")
    assert len(found) == len(BLOCKS) - 2
    assert "are left to choose of 500 wanted" in caplog.text


def test_nothing_left_gives_an_empty_list_and_says_why(case, caplog):
    everything = case.home / "everything.parquet"
    gpd.GeoDataFrame(
        {"extent_id": ["x"]},
        geometry=[shapely.union_all([GRID.polygon(b) for b in BLOCKS])],
        crs=4326,
    ).to_parquet(everything)
    found = case.choose(SETTINGS, name="none", extents=everything)
    assert len(found) == 0 and {"rank", "block_id", "reasons", "split"} <= set(found)
    assert "no block is left to choose" in caplog.text and "56 labelled already" in caplog.text
    written = gpd.read_file(case.outputs("none")["suggested"])
    assert len(written) == 0 and "extent_id" in written
    assert len(pd.read_parquet(case.outputs("none")["scores"])) == 56


def test_a_missing_shard_is_named(case):
    masks = {source: paths[:1] for source, paths in case.inputs()["masks"].items()}
    with pytest.raises(CompletenessError, match="no mask raster"):
        case.choose(SETTINGS, name="missing", masks=masks)


def test_signs_do_not_depend_on_where_shards_begin(case, scores):
    """The same rasters cut into other shards give the same table."""
    moved = make_case(case.home / "moved")
    narrow = BlockGrid(block_degrees=0.05, pixels_per_block=64, shard_degrees=0.1)
    for stage in ("probability", "mask", "mosaic"):
        for source, paths in case.files(stage).items():
            for path in paths:
                _cut(path, moved.home / stage / source, narrow, halo=16 if stage == "mosaic" else 0)
    found = moved.choose(SETTINGS, grid=narrow, blocks=_plan(moved, narrow))
    again = pd.read_parquet(moved.outputs()["scores"]).set_index(["block_id", "source"])
    columns = ["entropy", "margin", "disagreement", "consistency", "valid_share"]
    pd.testing.assert_frame_equal(again[columns].sort_index(), scores[columns].sort_index())
    assert len(found) == 10


def _cut(path, folder, grid, halo) -> None:
    """Write the blocks of one raster as rasters of the shards of `grid`."""
    from choosing_case import write_raster

    from croplayer.grid.rasters import raster_window, read_window

    with rasterio.open(path) as dataset:
        covered = raster_window(dataset, grid).buffered(-halo)
        inside = [
            b for b in BLOCKS
            if covered.row <= b.row * 64 < covered.row + covered.height
            and covered.col <= b.col * 64 < covered.col + covered.width
        ]  # fmt: skip
        for shard in grid.shards(inside):
            window = grid.shard_window(shard.blocks).buffered(halo)
            values, valid = read_window(dataset, grid, window)
            if halo:
                write_raster(folder / f"{shard.shard_id}.tif", values, window, valid=valid)
            else:
                values[0][~valid] = 255
                write_raster(folder / f"{shard.shard_id}.tif", values, window, nodata=255)


def _plan(case, grid):
    table = gpd.read_parquet(case.home / "plan/blocks.parquet")
    table["shard_id"] = [grid.shard_id(grid.parse_block_id(name)) for name in table["block_id"]]
    table.to_parquet(case.home / "plan/narrow.parquet")
    return case.home / "plan/narrow.parquet"


def test_chips_are_spread_evenly_and_touch_the_edges():
    block = PixelWindow(640, 1280, 64, 64)
    chips = chip_windows(block, 16, 3)
    assert sorted({c.row for c in chips}) == [640, 664, 688]
    assert len(chips) == 9 and all(c.width == 16 for c in chips)
    assert chip_windows(block, 128, 3)[0] == PixelWindow(608, 1248, 128, 128)
