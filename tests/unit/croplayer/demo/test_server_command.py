"""The tile server that serves as long as another command runs."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from croplayer.demo import server

ASK = """
import os, sys, urllib.request
with urllib.request.urlopen(os.environ[sys.argv[1]] + "/") as answer:
    sys.exit(7 if b'"place"' in answer.read() else 1)
"""


@pytest.fixture
def folder(tmp_path):
    with rasterio.open(
        tmp_path / "place.tif", "w", driver="GTiff", height=32, width=32, count=3, dtype="uint8",
        crs="EPSG:32614", transform=from_origin(486000, 5209000, 5, 5),
    ) as dataset:  # fmt: skip
        dataset.write(np.full((3, 32, 32), 90, np.uint8))
    return tmp_path


def test_the_command_finds_the_server_and_its_exit_code_is_passed_on(folder):
    words = [str(folder), "--port", "0", "--variable", "PLACE_SERVER", "--"]
    assert server.main([*words, sys.executable, "-c", ASK, "PLACE_SERVER"]) == 7


def test_a_command_that_there_is_not_is_one_message(folder, capsys):
    assert server.main([str(folder), "--port", "0", "--", "no-such-command"]) == 1
    assert "command 'no-such-command' cannot be run" in capsys.readouterr().err
