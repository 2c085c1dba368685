"""A generated province at the desk."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from desk_province import NAME, Tiny, make_province

from croplayer.desk.province import open_province


@pytest.fixture(scope="session")
def _made(tmp_path_factory) -> Tiny:
    return make_province(tmp_path_factory.mktemp("desk_province"))


def copied(made: Tiny, folder: Path) -> Tiny:
    """A copy of the province in `folder`."""
    shutil.copytree(made.folder, folder)
    path = folder / "config" / "provinces" / f"{NAME}.yaml"
    text = path.read_text(encoding="utf-8").replace(str(made.folder), str(folder))
    path.write_text(text, encoding="utf-8")
    return Tiny(folder, made.ids, made.images, made.masks)


@pytest.fixture
def tiny(_made, tmp_path) -> Tiny:
    """A copy of the province that a test may change."""
    return copied(_made, tmp_path / "place")


@pytest.fixture(scope="module")
def shared_desk(_made, tmp_path_factory):
    """A desk for tests that change nothing."""
    tiny = copied(_made, tmp_path_factory.mktemp("shared") / "place")
    desk = open_province(NAME, config_folder=tiny.config, results=tiny.results)
    yield desk
    desk.store.close()


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
