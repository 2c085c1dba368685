"""Which code made something."""

from __future__ import annotations

import os
import subprocess
from importlib.metadata import version

from cropbase import provenance


def git(folder, *words):
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    done = subprocess.run(
        ["git", "-C", folder, *who, *words], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_commit_and_changes_of_a_working_copy(tmp_path):
    folder = tmp_path / "src" / "cropbase"
    folder.mkdir(parents=True)
    (folder / "provenance.py").write_text("one")
    assert provenance._commit(folder) == "", "no working copy"
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    commit = git(tmp_path, "rev-parse", "--short=12", "HEAD")
    assert provenance._commit(folder) == commit
    (folder / "provenance.py").write_text("two")
    assert provenance._commit(folder) == f"{commit} with changes"


def test_somebody_elses_working_copy_is_not_ours(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "file").write_text("x")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    assert provenance._commit(tmp_path) == ""


def test_the_version_is_the_packages():
    assert provenance.code_version().startswith(version("croplayer"))
    found = provenance.package_versions(["numpy", "no-such-package"])
    assert found == {"numpy": version("numpy")}


def test_the_newest_file(tmp_path):
    for name, seconds in (("old", 1_000_000_000), ("new", 1_600_000_000)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (seconds, seconds))
    found = provenance.newest([tmp_path / "old", tmp_path / "new", tmp_path / "absent"])
    assert found == (tmp_path / "new", "2020-09-13 12:26 UTC")
    assert provenance.newest([tmp_path / "absent"]) is None
