"""A generated province at the desk."""

from __future__ import annotations

import shutil

import pytest
from desk_province import NAME, Tiny, make_province

from croplayer.desk.province import open_province


@pytest.fixture(scope="session")
def _made(tmp_path_factory) -> Tiny:
    return make_province(tmp_path_factory.mktemp("desk_province"))


@pytest.fixture
def tiny(_made, tmp_path) -> Tiny:
    """A copy of the province that a test may change."""
    folder = tmp_path / "place"
    shutil.copytree(_made.folder, folder)
    path = folder / "config" / "provinces" / f"{NAME}.yaml"
    text = path.read_text(encoding="utf-8").replace(str(_made.folder), str(folder))
    path.write_text(text, encoding="utf-8")
    return Tiny(folder, _made.ids, _made.images, _made.masks)


@pytest.fixture
def open_desk(tiny):
    """Opens the province, with keys of `desk` if given; closed at the end."""
    opened = []

    def opener(ranked=None, **desk):
        tiny.configure(**desk)
        opened.append(
            open_province(NAME, config_folder=tiny.config, results=tiny.results, ranked=ranked)
        )
        return opened[-1]

    yield opener
    for desk in opened:
        desk.store.close()
