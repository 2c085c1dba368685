"""What the tests of the figures share."""

from __future__ import annotations

import pytest
from block_frames import block_frame


@pytest.fixture
def province(tmp_path):
    """(table, [its file]) of one made province."""
    table = block_frame()
    table.to_parquet(tmp_path / "west.parquet")
    return table, [tmp_path / "west.parquet"]


@pytest.fixture
def two_provinces(tmp_path):
    """(tables, files) of two made provinces that share a column of blocks."""
    tables = [block_frame(), block_frame(province="East", seed=1, east=7)]
    files = [tmp_path / f"{table['province'][0]}.parquet" for table in tables]
    for table, file in zip(tables, files, strict=True):
        table.to_parquet(file)
    return tables, files


@pytest.fixture
def drawn(monkeypatch):
    """{"figure": what the last call of `save_figure` was given}; nothing is written."""
    seen = {}

    def keep(module):
        monkeypatch.setattr(
            f"croplayer.report.{module}.save_figure", lambda figure, out: seen.update(figure=figure)
        )
        return seen

    return keep
