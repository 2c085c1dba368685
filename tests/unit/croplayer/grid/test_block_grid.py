"""The global grid: exact ids and bounds, and independence of how it is cut."""

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from cropbase.errors import InputError
from croplayer.grid import Block, BlockGrid, PixelWindow

GRID = BlockGrid()
blocks = st.builds(Block, st.integers(0, GRID.rows - 1), st.integers(0, GRID.cols - 1))


def test_world_has_7200_by_3600_blocks():
    assert (GRID.cols, GRID.rows) == (7200, 3600)


def test_id_is_the_south_west_corner_in_hundredths():
    assert GRID.block_id(GRID.block_at(112.07, 24.13)) == "E11205N2410"
    assert GRID.block_id(GRID.block_at(-0.01, -0.01)) == "W00005S0005"


@given(blocks)
def test_id_leads_back_to_the_block(block):
    assert GRID.parse_block_id(GRID.block_id(block)) == block


@pytest.mark.parametrize("text", ["E11205", "e11205n2410", "E11203N2410", "E19000N2410", ""])
def test_malformed_ids_are_refused(text):
    with pytest.raises(InputError, match="block id"):
        GRID.parse_block_id(text)


@given(blocks, blocks)
def test_blocks_adjoin_without_gap(block, other):
    west, south, east, north = GRID.bounds(block)
    right = GRID.bounds(Block(block.row, block.col + 1))
    below = GRID.bounds(Block(block.row + 1, block.col))
    assert (east, south) == (right[0], below[3])
    assert GRID.polygon(block).equals(shapely.box(west, south, east, north))


@given(blocks)
def test_pixels_of_a_block_cover_exactly_its_bounds(block):
    bounds = GRID.window_bounds(GRID.block_window(block))
    assert bounds == pytest.approx(GRID.bounds(block), abs=1e-12)


def test_blocks_touching_equals_brute_force():
    region = shapely.Polygon([(112.01, 24.02), (112.33, 24.11), (112.2, 24.29), (112.05, 24.2)])
    expected = [
        Block(row, col)
        for row in range(1310, 1325)
        for col in range(5835, 5850)
        if GRID.polygon(Block(row, col)).intersection(region).area > 0
    ]
    assert GRID.blocks_touching(region) == expected


def test_a_region_on_block_edges_takes_no_neighbours():
    region = shapely.box(112.0, 24.0, 112.1, 24.1)
    assert len(GRID.blocks_touching(region)) == 4


@pytest.mark.parametrize(
    ("region", "message"),
    [
        (shapely.Polygon(), "empty"),
        (shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)]), "invalid geometry"),
        (shapely.box(170, 10, 190, 20), "leaves the grid"),
        (shapely.box(500000, 4000000, 510000, 4010000), "leaves the grid"),
        (shapely.LineString([(0, 0), (1, 1)]), "not a polygon"),
    ],
)
def test_bad_regions_are_refused(region, message):
    with pytest.raises(InputError, match=message):
        GRID.blocks_touching(region)


@given(st.sets(blocks, min_size=1, max_size=30), st.sampled_from([0.05, 0.2, 0.5, 1.0, 2.0]))
def test_shards_part_the_blocks(chosen, degrees):
    grid = BlockGrid(shard_degrees=degrees)
    shards = grid.shards(chosen)
    assert sorted(b for s in shards for b in s.blocks) == sorted(chosen)
    for shard in shards:
        window = grid.shard_window(shard.blocks)
        assert max(window.height, window.width) <= grid.blocks_per_shard * grid.pixels_per_block
        corner = grid.parse_block_id(shard.shard_id)
        for block in shard.blocks:
            assert 0 <= corner.row - block.row < grid.blocks_per_shard
            assert 0 <= block.col - corner.col < grid.blocks_per_shard


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        ({"block_degrees": 0.033}, "block_degrees"),
        ({"block_degrees": 0.07}, "block_degrees"),
        ({"block_degrees": 0.05, "shard_degrees": 0.12}, "shard_degrees"),
    ],
)
def test_grids_that_do_not_close_are_refused(arguments, key):
    with pytest.raises(InputError, match=key):
        BlockGrid(**arguments)


@given(
    st.integers(-50, 50),
    st.integers(-50, 50),
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(0, 9),
)
def test_buffered_window_holds_the_window(row, col, height, width, pixels):
    window = PixelWindow(row, col, height, width)
    rows, cols = window.relative_to(window.buffered(pixels))
    array = np.zeros((height + 2 * pixels, width + 2 * pixels))
    assert array[rows, cols].shape == (height, width)
    assert (rows.start, cols.start) == (pixels, pixels)


def test_a_window_outside_is_refused():
    with pytest.raises(InputError, match="is not inside"):
        PixelWindow(0, 0, 5, 5).relative_to(PixelWindow(1, 0, 5, 5))
