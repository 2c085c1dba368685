"""The extents suggested in the chosen blocks."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from choosing_case import BLOCKS, GRID, SOURCES, Case, make_case

from cropbase.errors import ConfigError
from croplayer.active.choosing.facts import CANDIDATE
from croplayer.active.choosing.measure import measure_windows
from croplayer.active.choosing.windows import suggest_windows, window_shapes, window_strength
from croplayer.grid import PixelWindow
from croplayer.settings.active import ActiveSettings

SETTINGS = ActiveSettings(
    blocks=10, random_share=0.3, windows_per_edge=8, extents_per_block=5, chips_per_edge=1
)
EMPTY, PARTLY = BLOCKS[0], BLOCKS[5]
"""The block whose first window no source shows; one of which a quarter is labelled here."""


@pytest.fixture(scope="module")
def case(tmp_path_factory) -> Case:
    return make_case(tmp_path_factory.mktemp("windows"))


@pytest.fixture(scope="module")
def chosen(case) -> gpd.GeoDataFrame:
    return case.choose(SETTINGS)


@pytest.fixture(scope="module")
def extents(case, chosen) -> gpd.GeoDataFrame:
    return gpd.read_file(case.outputs()["suggested"])


def probabilities(case, source, block) -> np.ndarray:
    """(8, 8, 8, 8) stored values of the windows of a block, straight from the file."""
    with rasterio.open(case.home / f"probability/{source}/{GRID.shard_id(block)}.tif") as dataset:
        west, _, _, north = GRID.bounds(block)
        row, col = dataset.index(west + 1e-6, north - 1e-6)
        stored = dataset.read(1, window=rasterio.windows.Window(col, row, 64, 64))
    return stored.reshape(8, 8, 8, 8).swapaxes(1, 2)


def signs_of(case, *pairs) -> dict:
    by_shard = {
        stage: {s: {p.stem: p for p in files} for s, files in case.files(folder).items()}
        for stage, folder in (("probability", "probability"), ("masks", "mask"))
    }
    return measure_windows(chosen=pairs, grid=GRID, settings=SETTINGS, **by_shard)


def test_each_block_gets_its_extents_and_they_are_windows_of_it(chosen, extents):
    assert extents["rank"].tolist() == np.repeat(chosen["rank"], 5).tolist()
    assert extents["extent_id"].is_unique and set(extents["source"]) == {""}
    shapes = chosen.set_index("block_id").geometry
    for extent in extents.itertuples():
        block = GRID.block_window(GRID.parse_block_id(extent.block_id))
        down, across = (int(n) - 1 for n in extent.extent_id.split("-")[1:])
        window = PixelWindow(block.row + 8 * down, block.col + 8 * across, 8, 8)
        assert extent.geometry.bounds == pytest.approx(GRID.window_bounds(window))
        assert shapely.covers(shapely.buffer(shapes[extent.block_id], 1e-9), extent.geometry)
    split = extents.groupby("block_id")["split"].unique().explode()
    assert (split == chosen.set_index("block_id")["split"].reindex(split.index)).all()


def test_signs_of_windows_are_those_of_their_pixels(case):
    block = BLOCKS[0]
    found = signs_of(case, (GRID.block_id(block), "a"))[GRID.block_id(block), "a"]
    stored = {source: probabilities(case, source, block) for source in SOURCES}
    for place in range(64):
        first, second = (stored[source][divmod(place, 8)] for source in SOURCES)
        both = (first != 255) & (second != 255)
        if not both.any():
            assert place == 0 and found.loc[place].isna().all()
            continue
        p = np.clip(first[first != 255] / 250, 1e-12, 1 - 1e-12)
        entropy = -(p * np.log2(p) + (1 - p) * np.log2(1 - p))
        assert found.loc[place, "uncertainty"] == pytest.approx(entropy.mean(), abs=1e-6)
        differ = ((first >= 125) != (second >= 125))[both].mean()
        assert found.loc[place, "disagreement"] == pytest.approx(differ)


def ranked_rows(reason: str, *blocks) -> pd.DataFrame:
    """Chosen blocks as `select` gives them."""
    return pd.DataFrame(
        {
            "rank": np.arange(1, len(blocks) + 1),
            "block_id": [GRID.block_id(block) for block in blocks],
            "source": "a",
            "split": "train",
            "reason": reason,
            "inclusion_probability": 0.25,
            "uncertainty": 0.5,
            "disagreement": 0.5,
        }
    )


def suggested(case, ranked, labelled=None, seed=0, signs=None, **changes) -> gpd.GeoDataFrame:
    facts = ranked.assign(state=CANDIDATE)
    signs = signs or signs_of(case, *zip(ranked["block_id"], ranked["source"], strict=True))
    rng = np.random.default_rng(seed)
    settings = SETTINGS.model_copy(update=changes)
    return suggest_windows(ranked, facts, signs, GRID, settings, rng, labelled)


@pytest.mark.parametrize("reason", ["random", "uncertainty"])
def test_what_is_labelled_or_not_shown_is_not_suggested(case, reason):
    west, south, east, north = GRID.bounds(PARTLY)
    middle = shapely.Point((west + east) / 2, (south + north) / 2)
    quarter = shapely.box(west, middle.y, middle.x, north)
    done = gpd.GeoSeries([quarter], crs=4326)
    ranked = ranked_rows(reason, PARTLY, EMPTY)
    found = suggested(case, ranked, done, extents_per_block=64)
    partly, empty = (found[found["rank"] == rank] for rank in (1, 2))
    shared = shapely.area(shapely.intersection(partly.geometry.to_numpy(), quarter))
    assert len(partly) == 48 and shared.max() < 1e-12
    assert len(empty) == 63 and f"{GRID.block_id(EMPTY)}-1-1" not in set(empty["extent_id"])
    fewer = suggested(case, ranked, done)
    per_block = fewer.groupby("rank")["inclusion_probability"].unique().explode()
    assert per_block.tolist() == pytest.approx([0.25 * 5 / 48, 0.25 * 5 / 63])


def test_random_extents_have_the_stated_probability(case):
    ranked = ranked_rows("random", EMPTY)
    signs = signs_of(case, (GRID.block_id(EMPTY), "a"))
    drawn = [suggested(case, ranked, seed=seed, signs=signs)["extent_id"] for seed in range(200)]
    counts = pd.concat(drawn).value_counts()
    # 200 draws of probability 5 / 63: standard deviation 3.8; four of them.
    assert len(counts) == 63 and np.abs(counts - 200 * 5 / 63).max() < 15.3


def test_the_more_power_the_more_doubtful_the_extents(case):
    ranked = ranked_rows("uncertainty", PARTLY)
    signs = signs_of(case, (GRID.block_id(PARTLY), "a"))[GRID.block_id(PARTLY), "a"]
    strength = window_strength(signs, SETTINGS.weights.model_dump())
    names = [f"{GRID.block_id(PARTLY)}-{i + 1}-{j + 1}" for i in range(8) for j in range(8)]
    strength = pd.Series(strength, index=names)
    means = []
    for power in (0.0, 4.0, 1e6):
        drawn = [suggested(case, ranked, seed=s, extent_power=power) for s in range(20)]
        means.append(strength[pd.concat(drawn)["extent_id"]].mean())
    assert means[0] == pytest.approx(strength.mean(), abs=0.06)
    assert means[0] + 0.15 < means[1] < means[2] - 0.05
    assert means[2] == pytest.approx(strength.nlargest(5).mean())


def test_a_sign_that_is_none_of_the_block_is_none_of_its_windows(case):
    ranked = ranked_rows("uncertainty", PARTLY).assign(disagreement=np.nan)
    signs = signs_of(case, (GRID.block_id(PARTLY), "a"))[GRID.block_id(PARTLY), "a"]
    found = suggested(case, ranked, extent_power=1e6)
    places = [[int(n) - 1 for n in name.split("-")[1:]] for name in found["extent_id"]]
    best = signs["uncertainty"].nlargest(5).index
    assert {8 * down + across for down, across in places} == set(best)


def test_labels_of_a_block_that_one_source_shows_hold_for_that_source(case):
    everything = case.choose(SETTINGS.model_copy(update={"blocks": 500}), name="every")
    found = gpd.read_file(case.outputs("every")["suggested"])
    of_one = found["block_id"] == GRID.block_id(BLOCKS[2])
    assert set(found.loc[of_one, "source"]) == {"a"}
    assert set(found.loc[~of_one, "source"]) == {""}
    assert found["block_id"].nunique() == len(everything)


def test_windows_stand_from_the_north_west_row_by_row():
    shapes = window_shapes(GRID, GRID.block_id(BLOCKS[0]), 2)
    west, south, east, north = GRID.bounds(BLOCKS[0])
    lon, lat = (west + east) / 2, (south + north) / 2
    assert [shape.bounds for shape in shapes] == [
        pytest.approx(bounds)
        for bounds in (
            (west, lat, lon, north),
            (lon, lat, east, north),
            (west, south, lon, lat),
            (lon, south, east, lat),
        )
    ]


def test_windows_that_do_not_divide_a_block_are_refused(case):
    with pytest.raises(ConfigError, match=r"windows_per_edge[\s\S]*1, 2, 4, 8"):
        case.choose(SETTINGS.model_copy(update={"windows_per_edge": 5}), name="five")


@pytest.mark.parametrize(
    ("pixels", "windows"), [(2304, 72), (576, 72), (2048, 64), (1000, 50), (64, 64), (7, 7)]
)
def test_windows_are_about_as_wide_in_any_grid(pixels, windows):
    assert ActiveSettings().windows_along(pixels) == windows
    assert ActiveSettings(windows_per_edge=1).windows_along(pixels) == 1
