"""Tables must hold exactly the planned blocks."""

from __future__ import annotations

import pandas as pd
import pytest

from cropbase.errors import CompletenessError
from croplayer.grid import Block, BlockGrid
from croplayer.grid.completeness import require_blocks, require_ids

GRID = BlockGrid(0.05, 64, 0.1)
BLOCKS = [Block(1318, 5841), Block(1318, 5842), Block(1319, 5841)]
IDS = [GRID.block_id(b) for b in BLOCKS]


def table(ids, sources=None):
    frame = pd.DataFrame({"block_id": ids})
    return frame if sources is None else frame.merge(pd.DataFrame({"source": sources}), how="cross")


def test_exactly_the_planned_blocks_pass_in_any_order():
    require_blocks(table(IDS[::-1]), BLOCKS, GRID, stage="measure_terrain")
    require_blocks(table(IDS, ["b", "a"]), BLOCKS, GRID, stage="x", per_source=("a", "b"))
    require_ids(table([]), [], stage="x")


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (IDS[:2], f"lacks block {IDS[2]}"),
        (IDS[:1], f"lacks block {min(IDS[1:])} and 1 more"),
        ([*IDS, IDS[0]], f"has twice or more block {IDS[0]}"),
        ([*IDS, "E00000N0000"], "has, without its being planned, block E00000N0000"),
    ],
)
def test_the_first_wrong_block_and_the_remedy_are_named(ids, message):
    with pytest.raises(CompletenessError, match=message) as error:
        require_blocks(table(ids), BLOCKS, GRID, stage="measure_terrain", path="t/E1.parquet")
    assert "snakemake --forcerun measure_terrain" in str(error.value)
    assert "t/E1.parquet" in str(error.value)


def test_a_block_without_one_of_its_sources_is_named():
    rows = table(IDS, ["a", "b"]).drop(index=3)
    with pytest.raises(CompletenessError, match=f"lacks block {IDS[1]} of source 'b'"):
        require_blocks(rows, BLOCKS, GRID, stage="x", per_source=("a", "b"))


def test_a_missing_column_is_named():
    with pytest.raises(CompletenessError, match="no column 'source'"):
        require_blocks(table(IDS), BLOCKS, GRID, stage="x", per_source=("a",))
