"""Which code made something: version, commit, packages."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import cropbase

PACKAGE = "croplayer"
"""The distribution that all packages of this project are in."""


def code_version() -> str:
    """The package's version, and the commit of its working copy where it runs from one."""
    commit = _commit(Path(cropbase.__file__).parent)
    return version(PACKAGE) + (f", commit {commit}" if commit else "")


def _commit(folder: Path) -> str:
    """Commit of the working copy that holds `folder`, marked where files differ from it; "" if it
    is in none, or git is not installed."""
    try:
        root = _git(folder, "rev-parse", "--show-toplevel")
        # A virtual environment may lie in somebody else's working copy.
        if not (Path(root) / "src" / "cropbase" / "provenance.py").exists():
            return ""
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
        commit = _git(folder, "rev-parse", "--short=12", "HEAD")
    except (OSError, subprocess.SubprocessError):
        return ""
    return commit + (" with changes" if changed else "")


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *words], capture_output=True, text=True, check=True, timeout=20
    )
    return done.stdout.strip()


def package_versions(names: Iterable[str]) -> dict[str, str]:
    """Versions of those of the named packages that are installed."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def newest(paths: Iterable[Path]) -> tuple[Path, str] | None:
    """(file, when it was last changed, UTC, ISO 8601) of the newest file; None without any."""
    there = [path for path in paths if path.is_file()]
    if not there:
        return None
    path = max(there, key=lambda path: path.stat().st_mtime)
    moment = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return path, moment.strftime("%Y-%m-%d %H:%M UTC")
