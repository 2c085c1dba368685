"""When a run of the demo is killed: moments drawn evenly over the time of an undisturbed run.

A moment is a progress, so many jobs ended and so many seconds more, because a run that was killed
does some work again: seconds since a start would kill the slow jobs again and again.
"""

from __future__ import annotations

import bisect
import random
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen, TimeoutExpired

POLL_SECONDS = 0.1
SHARE_AT_START = 0.1
"""Share of the kills that come before the first job of a start, while the workflow is planned."""
_TOTAL = re.compile(r"^total +(\d+)$", re.MULTILINE)
_STEPS = re.compile(r"^(\d+) of (\d+) steps", re.MULTILINE)


@dataclass
class Clock:
    """How an undisturbed run went on, in seconds since its start."""

    began: float | None = None
    """When the jobs were known, just before the first of them began."""
    ended: list[float] = field(default_factory=list)
    """When so many jobs had ended: a number a job."""
    over: float = 0.0
    """When the run ended."""

    def record(self, process: Popen, progress: Progress) -> int:
        """Watch a run from its start to its end; returns its exit code."""
        start = time.monotonic()
        while True:
            code = process.poll()
            begun, done = progress.read()
            self.over = time.monotonic() - start
            if begun and self.began is None:
                self.began = self.over
            self.ended += [self.over] * (done - len(self.ended))
            if code is not None:
                return code
            time.sleep(POLL_SECONDS)


@dataclass
class Moment:
    """When to kill: `seconds` after the start, or after `jobs` have ended if that is a number."""

    seconds: float
    jobs: int | None = None

    def wait(self, process: Popen, progress: Progress) -> bool:
        """Wait until it comes; False if the process ended before."""
        while self.jobs is not None:
            begun, done = progress.read()
            if begun and done >= self.jobs:
                break
            if process.poll() is not None:
                return False
            time.sleep(POLL_SECONDS)
        try:
            process.wait(self.seconds)
        except TimeoutExpired:
            return True
        return False


def draw(clock: Clock, part: int, parts: int, dice: random.Random) -> Moment:
    """A moment in one of so many equal parts of the undisturbed run's time, or at a start."""
    if dice.random() < SHARE_AT_START:
        return Moment(dice.uniform(0, clock.began))
    second = dice.uniform(part, part + 1) / parts * clock.over
    if second < clock.began:
        return Moment(second)
    jobs = bisect.bisect_right(clock.ended, second)
    return Moment(second - (clock.ended[jobs - 1] if jobs else clock.began), jobs)


class Progress:
    """Jobs of a run that have ended, those of earlier starts among them, from Snakemake's logs.

    To be made before the run is started.

    Parameters
    ----------
    folder : where the run works.
    jobs : of the whole run; None if this is its first start.
    """

    def __init__(self, folder: Path, jobs: int | None = None) -> None:
        self._logs = folder / ".snakemake" / "log"
        self._old = set(self._listed())
        self._jobs = jobs

    def read(self) -> tuple[bool, int]:
        """Have the jobs of this start begun (or is none left)? How many of the run have ended?"""
        begun, done = False, 0
        for path in self._listed():
            if path in self._old:
                continue
            text = path.read_text(encoding="utf-8", errors="replace")
            if "Nothing to be done" in text:
                return True, self._jobs or 0
            if total := _TOTAL.search(text):
                steps = [int(count) for count, _ in _STEPS.findall(text)]
                before = (self._jobs or int(total[1])) - int(total[1])
                begun, done = True, before + max(steps, default=0)
        return begun, done

    def _listed(self) -> list[Path]:
        return sorted(self._logs.glob("*.snakemake.log"))
