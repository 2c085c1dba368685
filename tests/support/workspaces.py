"""A working directory of the workflow for a test: the rules, the scripts, a configuration to edit."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock

REPOSITORY = Path(__file__).parents[2]

PLANTED_KEY = "planted-7Qw9zKx2VnB4tRj8"
"""An API key that every run has in its environment: no file that a run writes may hold it."""
PLANTED_VARIABLE = "CROPLAYER_TEST_KEY"


class Workspace:
    """A folder with a copy of the Snakefile, rules, scripts and configuration."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / "Snakefile", folder)
        for name in ("workflow", "scripts", "config", "envs"):
            shutil.copytree(
                REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__")
            )

    @classmethod
    def at(cls, folder: Path) -> Workspace:
        """The workspace that `folder` already is."""
        workspace = cls.__new__(cls)
        workspace.folder = folder
        return workspace

    def configure(self, name: str, changes: dict[str, Any]) -> None:
        """Merge `changes` into config/<name>.yaml (null removes a key of a mapping)."""
        path = self.folder / "config" / f"{name}.yaml"
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        merge(values, changes)
        path.write_text(yaml.safe_dump(values, allow_unicode=True, sort_keys=False), "utf-8")

    def environment(self, **more: str) -> dict[str, str]:
        """The environment of a run: the package of this checkout, one thread a library."""
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        return {
            **os.environ,
            "PYTHONPATH": str(REPOSITORY / "src"),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            **threads,
            PLANTED_VARIABLE: PLANTED_KEY,
            **more,
        }

    def start(self, words: list[str], **environment: str) -> subprocess.Popen:
        """Start a command of the same Python here, in a process group of its own."""
        return subprocess.Popen(
            [sys.executable, *words],
            cwd=self.folder,
            env=self.environment(**environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, words: list[str], **environment: str) -> subprocess.CompletedProcess:
        """Run a command of the same Python here to its end; its output is in `stdout`."""
        return subprocess.run(
            [sys.executable, *words],
            cwd=self.folder,
            env=self.environment(**environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def snakemake(self, *words: str, province: str = "demo", **environment: str):
        """Run snakemake with the local profile on one core; targets and options first."""
        return self.run(
            [
                *("-m", "snakemake", *words),
                *("--workflow-profile", "workflow/profiles/local", "--cores", "1"),
                *("--config", f"provinces={province}"),
            ],
            **environment,
        )

    def planned_rules(self, *words: str, province: str = "demo") -> dict[str, int]:
        """{rule: number of jobs} that snakemake would run now, from a dry run's table of jobs."""
        result = self.snakemake("-n", "--quiet", "rules", *words, province=province)
        assert result.returncode == 0, result.stdout
        counts: dict[str, int] = {}
        for line in result.stdout.splitlines():
            parts = line.split()
            if len(parts) == 2 and parts[1].isdigit() and parts[0] != "total":
                counts[parts[0]] = int(parts[1])
        return counts


def made_once(
    tmp_path_factory, request, name: str, build: Callable[[Workspace], None]
) -> Workspace:
    """A workspace that one worker of the test run builds while the others wait for it.

    If building fails the half-made folder stays for a look, and the next worker fails at once.
    """
    root = tmp_path_factory.getbasetemp()
    if hasattr(request.config, "workerinput"):
        root = root.parent
    folder, done = root / name, root / f"{name}.done"
    with FileLock(f"{folder}.lock"):
        if done.exists():
            return Workspace.at(folder)
        assert not folder.exists(), f"another worker could not build {name}: see its failure"
        workspace = Workspace(folder)
        build(workspace)
        done.touch()
    return workspace


def merge(values: dict[str, Any], changes: dict[str, Any]) -> None:
    """Merge in place and in depth; a null removes the key."""
    for key, value in changes.items():
        if value is None:
            values.pop(key, None)
        elif isinstance(value, dict) and isinstance(values.get(key), dict):
            merge(values[key], value)
        else:
            values[key] = value
