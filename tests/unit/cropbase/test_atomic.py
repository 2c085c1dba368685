"""A killed or failed write leaves nothing that looks finished."""

import signal
import subprocess
import sys

import pytest

from cropbase.atomic import atomic_path, write_json


def test_the_target_appears_only_at_the_end(tmp_path):
    target = tmp_path / "deep" / "x.txt"
    with atomic_path(target) as path:
        path.write_text("new")
        assert not target.exists()
        assert path.suffix == ".txt"
    assert target.read_text() == "new"
    assert list(target.parent.iterdir()) == [target]


def test_a_failure_keeps_the_old_file_and_leaves_no_rest(tmp_path):
    target = tmp_path / "x.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError), atomic_path(target) as path:
        path.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_nan_is_no_json(tmp_path):
    with pytest.raises(ValueError, match="Out of range"):
        write_json(tmp_path / "x.json", {"a": float("nan")})
    assert not (tmp_path / "x.json").exists()


def test_what_a_killed_writer_left_is_removed_by_the_next_one(tmp_path):
    target = tmp_path / "x.txt"
    code = (
        "import os, signal, sys; from cropbase.atomic import atomic_path\n"
        "with atomic_path(sys.argv[1]) as path:\n"
        "    path.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(target)], check=False)
    assert killed.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert left.name.endswith(".part")
    with atomic_path(target) as path:
        path.write_text("whole")
    assert list(tmp_path.iterdir()) == [target]


def test_a_living_writer_of_the_same_file_keeps_its_own(tmp_path):
    target = tmp_path / "x.txt"
    with atomic_path(target) as first:
        first.write_text("first")
        with atomic_path(target) as second:
            second.write_text("second")
        assert first.exists()
    assert target.read_text() == "first"
