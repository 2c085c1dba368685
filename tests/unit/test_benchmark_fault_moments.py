"""When the benchmark of faults kills: evenly over the run's time, counted in jobs that have ended."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
import fault_moments
import fault_stages
from fault_moments import Clock, Moment, Progress

CLOCK = Clock(began=10.0, ended=[20.0, 20.0, 50.0, 90.0], over=100.0)
FIRST = "Building DAG of jobs...\nJob stats:\njob    count\n-----  ---\ntotal    5\n"
ENDED = "[now]\nFinished jobid: 7 (Rule: a)\n{} of {} steps (9%) done\n"


def second_of(moment: Moment) -> float:
    """The second of the undisturbed run that a moment stands for."""
    if moment.jobs is None:
        return moment.seconds
    return moment.seconds + (CLOCK.ended[moment.jobs - 1] if moment.jobs else CLOCK.began)


def sleeper(seconds: float) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({seconds})"])


def write(folder: Path, name: str, text: str) -> None:
    path = folder / ".snakemake" / "log" / f"{name}.snakemake.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_every_part_of_the_run_gets_a_moment(monkeypatch):
    monkeypatch.setattr(fault_moments, "SHARE_AT_START", 0)
    moments = [fault_moments.draw(CLOCK, k, 50, random.Random(k)) for k in range(50)]
    assert [int(second_of(moment) // 2) for moment in moments] == list(range(50))
    counted = [moment.jobs for moment in moments if moment.jobs is not None]
    assert counted == sorted(counted) and set(counted) == {0, 2, 3, 4}


def test_some_moments_come_while_the_workflow_is_planned():
    dice = random.Random(1)
    moments = [fault_moments.draw(CLOCK, 40, 50, dice) for _ in range(1000)]
    at_start = [moment.seconds for moment in moments if moment.jobs is None]
    assert 70 < len(at_start) < 130
    assert 0 < min(at_start) < 1 and 9 < max(at_start) < CLOCK.began


def test_jobs_of_earlier_starts_are_counted(tmp_path):
    progress = Progress(tmp_path)
    assert progress.read() == (False, 0)
    write(tmp_path, "1", FIRST)
    assert progress.read() == (True, 0)
    write(tmp_path, "1", FIRST + ENDED.format(1, 5) + ENDED.format(2, 5))
    assert progress.read() == (True, 2)

    resumed = Progress(tmp_path, jobs=5)
    write(tmp_path, "2", "")
    assert resumed.read() == (False, 0)
    left = FIRST.replace("    5", "    4")
    write(tmp_path, "2", left)
    assert resumed.read() == (True, 1), "one of the two that ended is done again"
    write(tmp_path, "2", left + ENDED.format(3, 4))
    assert resumed.read() == (True, 4)
    write(tmp_path, "3", "the report is written")
    assert resumed.read() == (True, 4)

    last = Progress(tmp_path, jobs=5)
    write(tmp_path, "4", "Nothing to be done (all requested files are present).")
    assert last.read() == (True, 5)


def test_a_moment_waits_for_the_jobs_and_then_for_the_seconds(tmp_path):
    progress = Progress(tmp_path)
    write(tmp_path, "1", FIRST + ENDED.format(1, 5))
    process = sleeper(30)
    try:
        start = time.monotonic()
        assert Moment(0.3, jobs=1).wait(process, progress)
        assert time.monotonic() - start >= 0.3
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("moment", [Moment(20.0), Moment(20.0, jobs=1), Moment(0.0, jobs=2)])
def test_a_run_that_ends_before_its_moment_is_not_killed(tmp_path, moment):
    progress = Progress(tmp_path)
    write(tmp_path, "1", FIRST + ENDED.format(1, 5))
    assert not moment.wait(sleeper(0.2), progress)


def test_the_clock_of_a_run(tmp_path):
    progress = Progress(tmp_path)
    write(tmp_path, "1", FIRST + ENDED.format(2, 5))
    clock = Clock()
    assert clock.record(sleeper(0.3), progress) == 0
    assert len(clock.ended) == 2
    assert 0 <= clock.began <= clock.ended[0] <= clock.ended[1] < 0.3 <= clock.over


def test_kills_by_stage():
    kills = [["segment_shard", "plot_extents"], ["plot_slope", "plot_flow"], ["start-up"]]
    assert fault_stages.by_stage(kills) == Counter({"report": 2, "segmentation": 1, "start-up": 1})


def test_every_rule_of_a_province_and_of_a_case_has_a_stage():
    known = fault_stages.stages()
    for path in fault_stages.RULES.glob("*.smk"):
        # What the demo has not: several provinces, and models to compare.
        if path.stem not in ("provinces_report", "model_comparison"):
            assert set(fault_stages.rules_in(path)) <= set(known), path.name
    assert known["allocate"] == "crops" and known["choose_options"] == "integration"
