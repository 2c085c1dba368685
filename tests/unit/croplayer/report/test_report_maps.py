"""Map figures on a small generated province: what is read, what is chosen, what is drawn."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from matplotlib.image import imread
from pyproj import Geod

from cropbase.errors import InputError
from cropbase.figures import round_length
from croplayer.grid import Block, BlockGrid
from croplayer.report import style
from croplayer.report.detail import choose_blocks, plot_detail
from croplayer.report.maps import plot_overview
from croplayer.report.shards import cropland_share, read_codes, read_imagery

GRID = BlockGrid(block_degrees=0.05, pixels_per_block=64, shard_degrees=0.1)
BLOCKS = [Block(1320 + r, 5840 + c) for r in range(2) for c in range(4)]
WINDOW = GRID.shard_window(BLOCKS)
EXTENT = GRID.window_bounds(WINDOW)
SOURCES = ("summer", "winter")


def write(path: Path, array: np.ndarray, window, valid: np.ndarray | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    array = array if array.ndim == 3 else array[None]
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=window.height,
        width=window.width,
        count=len(array),
        dtype="uint8",
        crs="EPSG:4326",
        transform=GRID.transform(window),
        tiled=True,
        blockxsize=64,
        blockysize=64,
    ) as dataset:
        dataset.write(array)
        if valid is not None:
            dataset.write_mask(valid)
        dataset.build_overviews([2, 4])
    return path


@pytest.fixture
def case(tmp_path) -> dict:
    """Two shards: a bright and a dark source, cropland in the west, tables of every block."""
    mosaics, masks = {s: [] for s in SOURCES}, {s: [] for s in SOURCES}
    maps = []
    codes = np.zeros((WINDOW.height, WINDOW.width), np.uint8)
    codes[:, :100] = 1
    codes[20:40, 20:60] = 0
    for shard in GRID.shards(BLOCKS):
        window = GRID.shard_window(shard.blocks)
        part = codes[window.relative_to(WINDOW)]
        wide = window.buffered(8)
        for k, source in enumerate(SOURCES):
            image = np.full((3, wide.height, wide.width), 200 - 120 * k, np.uint8)
            mosaics[source].append(write(tmp_path / source / f"{shard.shard_id}.tif", image, wide))
            name = f"{source}_mask"
            masks[source].append(write(tmp_path / name / f"{shard.shard_id}.tif", part, window))
        maps.append(write(tmp_path / "map" / f"{shard.shard_id}.tif", part, window))
    region = shapely.box(*EXTENT).buffer(-0.004)
    middle = (EXTENT[0] + EXTENT[2]) / 2
    gpd.GeoDataFrame(geometry=[region], crs=4326).to_file(tmp_path / "province.gpkg")
    west = shapely.intersection(region, shapely.box(EXTENT[0], EXTENT[1], middle, EXTENT[3]))
    gpd.GeoDataFrame(
        {"county_id": ["1", "2"], "county": ["West", "上山"], "city": ["C", "C"]},
        geometry=[west, region - west],
        crs=4326,
    ).to_file(tmp_path / "counties.gpkg")
    ids = [GRID.block_id(b) for b in BLOCKS]
    gpd.GeoDataFrame(
        {
            "block_id": ids,
            "row": [b.row for b in BLOCKS],
            "col": [b.col for b in BLOCKS],
            "inside_ha": 2500.0,
        },
        geometry=[GRID.polygon(b) for b in BLOCKS],
        crs=4326,
    ).to_parquet(tmp_path / "blocks.parquet")
    types = ["planting", "cloudy", "nodata", "snow_ice", "non_planting", *["planting"] * 3]
    for source in SOURCES:
        pd.DataFrame(
            {"block_id": ids, "coverage_type": types, "sharpness": np.linspace(0, 1, 8)}
        ).to_parquet(tmp_path / f"quality_{source}.parquet")
    pd.DataFrame(
        {"block_id": ids, "slope": np.arange(8.0), "elevation": np.arange(8.0)}
    ).to_parquet(tmp_path / "terrain.parquet")
    pd.DataFrame(
        {"block_id": ids, "option": ["neither", "only_a", "only_b", "both"] * 2}
    ).to_parquet(tmp_path / "options.parquet")
    pd.DataFrame(
        {
            "block_id": ids * 2,
            "source": ["summer"] * 8 + ["winter"] * 8,
            "semantic_class": ["TP", "FP", "Noise", "Artifacts"] * 4,
            "area": [*np.arange(8.0) * 10, *np.arange(8.0) * 5],
            "solidity_total": [*np.arange(8.0)[::-1], *np.arange(8.0)[::-1]],
        }
    ).to_parquet(tmp_path / "features.parquet")
    return {"folder": tmp_path, "mosaics": mosaics, "masks": masks, "maps": maps, "codes": codes}


# ------------------------------------------------------------------ reading
def test_classes_at_full_resolution_are_those_of_the_shards(case):
    codes = read_codes(case["maps"], EXTENT, WINDOW.width)
    np.testing.assert_array_equal(codes, case["codes"])


def test_shares_of_cropland_keep_the_whole_area(case):
    share, unusable, known = cropland_share(case["maps"], EXTENT, 64)
    assert known.min() == 1 and unusable.max() == 0
    assert share.mean() == pytest.approx((case["codes"] == 1).mean(), abs=0.01)


def test_imagery_is_transparent_where_no_shard_reaches(case):
    west, south, east, north = EXTENT
    picture = read_imagery(case["mosaics"]["summer"], (west, south, east + 0.2, north), 160)
    assert set(np.unique(picture[:, :70, 3])) == {255}
    assert set(np.unique(picture[:, -60:, 3])) == {0}
    assert np.unique(picture[:, :70, :3]).tolist() == [200]


def test_a_window_of_a_figure_meets_the_same_ground(case):
    """A quarter of the province, read by itself, is that quarter of the whole."""
    west, south, east, north = EXTENT
    whole = read_codes(case["maps"], EXTENT, WINDOW.width)
    part = read_codes(
        case["maps"], (west, (south + north) / 2, (west + east) / 2, north), WINDOW.width // 2
    )
    np.testing.assert_array_equal(part, whole[: part.shape[0], : part.shape[1]])


# ------------------------------------------------------------------ choosing
def facts(**columns) -> tuple[pd.DataFrame, pd.DataFrame]:
    table = pd.DataFrame({"block_id": list("abcde"), **columns})
    plan = pd.DataFrame({"block_id": list("abcde"), "inside_ha": [9.0, 9.0, 9.0, 9.0, 1.0]})
    return plan, table


def test_blocks_are_chosen_by_their_reasons_and_never_twice():
    plan, table = facts(area=[5.0, 1.0, 2.0, 3.0, 99.0], solidity_total=[9.0, 8.0, 1.0, 2.0, 99.0])
    options = pd.DataFrame({"block_id": list("abcde"), "option": ["both"] * 4 + ["neither"]})
    chosen = choose_blocks(plan, table, options)
    # e lies mostly outside the province; a has the most of both, so b follows for the fields.
    assert chosen == {"a": "most cropland", "b": "most fields apart", "c": "option: both"}


def test_of_an_option_the_block_where_sources_differ_most_is_shown():
    plan, table = facts(area=[50.0, 40.0, 5.0, 5.0, 0.0], solidity_total=[9.0, 10.0, 1.0, 2.0, 0.0])
    other = table.assign(area=[50.0, 40.0, 4.0, 1.0, 0.0])
    options = pd.DataFrame({"block_id": list("abcde"), "option": ["only_a"] * 5})
    chosen = choose_blocks(plan, pd.concat([table, other]), options, {"only_a": "only summer"})
    assert list(chosen)[2] == "d" and chosen["d"] == "option: only summer"


# ------------------------------------------------------------------ figures
def draw_overview(case: dict, output: Path, **more) -> Path:
    arguments = {
        "mosaics": case["mosaics"],
        "masks": case["masks"],
        "maps": case["maps"],
        "boundary": case["folder"] / "province.gpkg",
        "counties": case["folder"] / "counties.gpkg",
        "title": "Case",
        "note": "Generated data: no real place",
        "pixels": 100,
    }
    plot_overview(output=output, **(arguments | more))
    return output


def test_the_overview_shows_imagery_masks_and_map_and_is_stamped(case, tmp_path, monkeypatch):
    drawn = {}
    monkeypatch.setattr(
        "croplayer.report.maps.save_figure", lambda figure, out: drawn.update(f=figure)
    )
    draw_overview(case, tmp_path / "a.png")
    titles = [axes.get_title() for axes in drawn["f"].axes]
    assert titles == [
        "Imagery A: summer",
        "Imagery B: winter",
        "Integrated cropland map",
        "Cropland mask A: summer",
        "Cropland mask B: winter",
        "Where the two masks agree",
    ]
    assert drawn["f"].get_supxlabel() == "Generated data: no real place"
    for axes in drawn["f"].axes:
        assert any("km" in text.get_text() for text in axes.texts), "no scale bar"
        assert axes.images


def test_figures_are_the_same_bytes_each_time(case, tmp_path):
    first = draw_overview(case, tmp_path / "1.png")
    second = draw_overview(case, tmp_path / "2.png")
    assert first.read_bytes() == second.read_bytes()
    assert imread(first)[..., :3].std() > 0.05


def test_an_overview_of_one_source_has_its_imagery_and_its_mask(case, tmp_path, monkeypatch):
    drawn = {}
    monkeypatch.setattr(
        "croplayer.report.maps.save_figure", lambda figure, out: drawn.update(f=figure)
    )
    draw_overview(
        case,
        tmp_path / "a.png",
        mosaics={"summer": case["mosaics"]["summer"]},
        masks={"summer": case["masks"]["summer"]},
        maps=[],
    )
    assert [axes.get_title() for axes in drawn["f"].axes] == [
        "Imagery A: summer",
        "Cropland mask A: summer",
    ]


def test_an_overview_of_different_sources_is_refused(case, tmp_path):
    with pytest.raises(InputError, match="mosaics of summer; masks of summer, winter"):
        draw_overview(case, tmp_path / "a.png", mosaics={"summer": case["mosaics"]["summer"]})


def test_the_detail_figure_shows_a_row_a_chosen_block(case, tmp_path, monkeypatch):
    drawn = {}
    monkeypatch.setattr(
        "croplayer.report.detail.save_figure", lambda figure, out: drawn.update(f=figure)
    )
    folder = case["folder"]
    plot_detail(
        mosaics=case["mosaics"],
        masks=case["masks"],
        maps=case["maps"],
        blocks=folder / "blocks.parquet",
        features=[folder / "features.parquet"],
        options=folder / "options.parquet",
        grid=GRID,
        output=tmp_path / "a.png",
    )
    labels = [a.get_ylabel() for a in drawn["f"].axes if a.get_ylabel()]
    assert [label.split("\n")[0] for label in labels][:2] == [
        GRID.block_id(BLOCKS[7]),  # most cropland
        GRID.block_id(BLOCKS[0]),  # most regions
    ]
    assert len(labels) == 4 and len(drawn["f"].axes) == 20


# ------------------------------------------------------------------ style
@pytest.mark.parametrize(
    ("metres", "expected"), [(1, 1), (4.9, 2), (5, 5), (999, 500), (12_345, 10_000), (0.3, 0.2)]
)
def test_scale_bars_have_round_lengths(metres, expected):
    assert round_length(metres) == pytest.approx(expected)


def test_the_scale_bar_is_as_long_on_the_ground_as_it_says():
    figure = style.new_figure(4, 4)
    axes = figure.subplots()
    style.map_axes(axes, (112.0, 45.0, 113.0, 46.0))
    bar, text = axes.lines[-1], axes.texts[0].get_text()
    x0, x1 = (112.0 + x for x in bar.get_xdata())
    ground = Geod(ellps="WGS84").line_length([x0, x1], [45.5, 45.5])
    assert float(text.removesuffix(" km")) == pytest.approx(ground / 1000, rel=1e-3)


def test_letters_that_no_font_has_give_way_to_the_id():
    assert style.printable("West", "7") == "West"
    assert style.printable("\U000f0000", "7") == "7"
    assert style.printable("", "7") == "7"
