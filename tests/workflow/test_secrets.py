"""An API key of the environment is sent to its provider and goes nowhere else."""

from __future__ import annotations

import base64
import contextlib
import gzip
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from small_demo import SMALL, small_demo
from workspaces import PLANTED_KEY, PLANTED_VARIABLE, Workspace

pytestmark = [pytest.mark.workflow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def demo(tmp_path_factory, request) -> Workspace:
    """A workspace in which the small demo has run, with a key in its environment."""
    return small_demo(tmp_path_factory, request)


def disguises(key):
    """The key as bytes, and as it looks in base64 at each of the three offsets."""
    found = {key.encode()}
    for offset in range(3):
        text = base64.b64encode(b"\0" * offset + key.encode())
        found.add(text[-(-offset * 4 // 3) + 1 : -4])
    return found


def contents(path):
    """The bytes of a file, and what a gzip or zlib stream at its beginning unpacks to."""
    data = path.read_bytes()
    yield data
    if data[:2] == b"\x1f\x8b":
        yield gzip.decompress(data)
    elif data[:1] == b"\x78":
        unpacker = zlib.decompressobj()
        try:
            yield unpacker.decompress(data)
        except zlib.error:
            return  # it only looked like one


def holders(folder, key):
    wanted = disguises(key)
    return [
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and any(word in data for data in contents(path) for word in wanted)
    ]


def test_the_search_finds_a_key_in_every_disguise(tmp_path):
    key = PLANTED_KEY.encode()
    (tmp_path / "plain").write_bytes(b"url?key=" + key)
    for offset in range(3):
        (tmp_path / f"b64_{offset}").write_bytes(base64.b64encode(b"x" * offset + key + b"yyy"))
    (tmp_path / "gz").write_bytes(gzip.compress(b"say " + key))
    (tmp_path / "none").write_bytes(base64.b64encode(b"nothing"))
    names = {"plain", "b64_0", "b64_1", "b64_2", "gz"}
    assert set(holders(tmp_path, PLANTED_KEY)) == names


def test_no_file_of_a_whole_run_holds_the_key(demo):
    written = [path for path in demo.folder.rglob("*") if path.is_file()]
    assert any(path.suffix == ".mbtiles" for path in written)
    assert {"report.html", "workflow.html"} <= {path.name for path in written}
    assert holders(demo.folder, PLANTED_KEY) == []


def test_the_key_is_needed_and_in_no_process_list(tmp_path):
    workspace = Workspace(tmp_path / "w")
    workspace.configure("demo", SMALL)
    words = ["-m", "croplayer.demo", "--cores", "1", "--", "tiles"]
    refused = workspace.run(words, **{PLANTED_VARIABLE: ""})
    assert refused.returncode != 0 and PLANTED_VARIABLE in refused.stdout
    run = workspace.start(words)
    with ThreadPoolExecutor(1) as pool:
        talk = pool.submit(run.communicate)
        seen = set()
        while not talk.done():
            seen |= command_lines()
            time.sleep(0.02)
    assert run.returncode == 0 and any(b"fetch_tiles" in line for line in seen)
    assert not any(PLANTED_KEY.encode() in line for line in seen)
    assert PLANTED_KEY not in talk.result()[0]


def command_lines():
    """The command lines of all processes of this machine."""
    found = set()
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with contextlib.suppress(OSError):  # it ended in between
                found.add((process / "cmdline").read_bytes())
    return found
