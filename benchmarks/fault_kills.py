"""A demo that is killed at random moments and resumed, and what it comes to in the end."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))
from fault_compare import Comparison, compared
from killing import at_work, kill_all
from small_demo import SMALL
from workspaces import Workspace

from cropbase.atomic import write_json

QUIET = "undisturbed"
DEMO = ["-m", "croplayer.demo", "--cores", "2"]
LONGEST_SECONDS = 45.0
"""A run is killed at a moment between its start and so many seconds later."""
_RULE = re.compile(r"\.snakemake/scripts/\S+?\.(\w+)\.py")


@dataclass
class State:
    """How far a campaign has come; kept on disk, so that the campaign itself may be killed."""

    kills: int = 0
    finished: list[str] = field(default_factory=list)
    under_way: str | None = None
    rules: Counter[str] = field(default_factory=Counter)

    @classmethod
    def read(cls, path: Path) -> State:
        """The state at `path`, or a fresh one."""
        if not path.exists():
            return cls()
        values = json.loads(path.read_text(encoding="utf-8"))
        return cls(**values | {"rules": Counter(values["rules"])})


class Campaign:
    """Kills of the demo in `folder`, each followed by the same command; resumable.

    Parameters
    ----------
    folder : holds the undisturbed run, the runs under way and the state.
    kills : how many.
    small : the small demo of the tests; else the one of config/demo.yaml.
    seed : of the moments.
    """

    def __init__(self, folder: Path, kills: int, *, small: bool, seed: int) -> None:
        self.folder = folder
        self.kills = kills
        self.small = small
        self.seed = seed
        self.state = State.read(self._state_file)

    @property
    def _state_file(self) -> Path:
        return self.folder / "state.json"

    def run(self) -> dict[str, Comparison]:
        """Kill and resume until the kills are made and the last run has ended; then compare.

        Returns {name of a run: how its outputs compare with those of the undisturbed one}. Raises
        SystemExit if a run fails by itself, with the end of what it said.
        """
        quiet = self._workspace(QUIET)
        if QUIET not in self.state.finished:
            self._finish(quiet)
        while self.state.kills < self.kills or self.state.under_way:
            workspace = self._workspace(f"run_{len(self.state.finished)}")
            while self.state.kills < self.kills and self._killed(workspace):
                continue
            if workspace.folder.name not in self.state.finished:
                self._finish(workspace)
        return {
            name: compared(quiet.folder / "results", self.folder / name / "results")
            for name in self.state.finished[1:]
        }

    def _workspace(self, name: str) -> Workspace:
        folder = self.folder / name
        if (folder / "Snakefile").exists():
            return Workspace.at(folder)
        workspace = Workspace(folder)
        if self.small:
            workspace.configure("demo", SMALL)
        return workspace

    def _killed(self, workspace: Workspace) -> bool:
        """Start the demo and kill it at a random moment; False if it ended before."""
        moment = random.Random(f"{self.seed} {self.state.kills}").uniform(0, LONGEST_SECONDS)
        process = self._start(workspace)
        try:
            code = process.wait(moment)
        except subprocess.TimeoutExpired:
            rules = set(_RULE.findall("\n".join(at_work(workspace))))
            kill_all(process, workspace)
        else:
            self._ended(code, workspace)
            return False
        self.state.kills += 1
        self.state.under_way = workspace.folder.name
        self.state.rules.update(rules or {"no job yet, or between two"})
        self._keep()
        print(f"kill {self.state.kills} after {moment:.1f} s: {', '.join(rules)}", flush=True)
        return True

    def _finish(self, workspace: Workspace) -> None:
        self._ended(self._start(workspace).wait(), workspace)

    def _start(self, workspace: Workspace) -> subprocess.Popen:
        with open(self._log(workspace), "a", encoding="utf-8") as log:
            log.write(f"--- {time.ctime()}\n")
            log.flush()
            return subprocess.Popen(
                [sys.executable, *DEMO],
                cwd=workspace.folder,
                env=workspace.environment(),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _log(self, workspace: Workspace) -> Path:
        return self.folder / f"{workspace.folder.name}.log"

    def _ended(self, code: int, workspace: Workspace) -> None:
        if code:
            log = self._log(workspace)
            said = log.read_text(encoding="utf-8", errors="replace")[-4000:]
            raise SystemExit(f"a resumed run failed (exit code {code}); see {log}:\n{said}")
        self.state.finished.append(workspace.folder.name)
        self.state.under_way = None
        self._keep()

    def _keep(self) -> None:
        write_json(self._state_file, vars(self.state))
