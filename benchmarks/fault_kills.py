"""A demo that is killed at random moments and resumed, and what it comes to in the end."""

from __future__ import annotations

import json
import math
import random
import re
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))
from fault_compare import Comparison, compared
from fault_moments import Clock, Progress, draw
from killing import at_work, kill_all
from small_demo import SMALL
from workspaces import Workspace

from cropbase.atomic import write_json

QUIET = "undisturbed"
DEMO = ["-m", "croplayer.demo", "--cores", "2"]
MOST_KILLS_A_RUN = 50
_RULE = re.compile(r"\.snakemake/scripts/\S+?\.(\w+)\.py")


@dataclass
class State:
    """How far a campaign has come; kept on disk, so that the campaign itself may be killed."""

    hits: list[list[str]] = field(default_factory=list)
    """The rules at work at each kill; what was going on where there was none."""
    of_this_run: int = 0
    """Kills of the run under way."""
    finished: list[str] = field(default_factory=list)
    under_way: str | None = None
    clock: Clock = field(default_factory=Clock)

    @classmethod
    def read(cls, path: Path) -> State:
        """The state at `path`, or a fresh one."""
        if not path.exists():
            return cls()
        values = json.loads(path.read_text(encoding="utf-8"))
        return cls(**values | {"clock": Clock(**values["clock"])})


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
        if QUIET not in self.state.finished:
            shutil.rmtree(self.folder / QUIET, ignore_errors=True)  # one that was cut short
        quiet = self._workspace(QUIET)
        if QUIET not in self.state.finished:
            progress = Progress(quiet.folder)
            self.state.clock = Clock()
            self._ended(self.state.clock.record(self._start(quiet), progress), quiet)
        while len(self.state.hits) < self.kills or self.state.under_way:
            workspace = self._workspace(f"run_{len(self.state.finished)}")
            while self._kills_left() and self._killed(workspace):
                continue
            if workspace.folder.name not in self.state.finished:
                self._ended(self._start(workspace).wait(), workspace)
        return {
            name: compared(quiet.folder / "results", self.folder / name / "results")
            for name in self.state.finished[1:]
        }

    def _kills_left(self) -> int:
        """Kills that the run under way has before it."""
        left = min(self._kills_a_run - self.state.of_this_run, self.kills - len(self.state.hits))
        return max(left, 0)

    @property
    def _kills_a_run(self) -> int:
        return math.ceil(self.kills / math.ceil(self.kills / MOST_KILLS_A_RUN))

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
        state = self.state
        dice = random.Random(f"{self.seed} {len(state.finished)} {state.of_this_run}")
        moment = draw(state.clock, state.of_this_run, self._kills_a_run, dice)
        progress = Progress(workspace.folder, len(state.clock.ended))
        process = self._start(workspace)
        if not moment.wait(process, progress):
            self._ended(process.wait(), workspace)
            return False
        rules = sorted(set(_RULE.findall("\n".join(at_work(workspace)))))
        kill_all(process, workspace)
        state.hits.append(rules or [self._between(progress)])
        state.of_this_run += 1
        state.under_way = workspace.folder.name
        self._keep()
        print(f"kill {len(state.hits)} at {moment}: {', '.join(state.hits[-1])}", flush=True)
        return True

    def _between(self, progress: Progress) -> str:
        """What goes on while no job is at work."""
        begun, done = progress.read()
        if not begun:
            return "start-up"
        return "report of the workflow" if done == len(self.state.clock.ended) else "between jobs"

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
        self.state.of_this_run = 0
        self._keep()

    def _keep(self) -> None:
        write_json(self._state_file, asdict(self.state))
