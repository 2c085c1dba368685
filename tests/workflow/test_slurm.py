"""The workflow on a real Slurm of one node: jobs, arrays, groups, and a job that is cancelled.

Up to the masks, or, where CROPLAYER_WHOLE_DEMO_ON_SLURM is set, to the reports, as in .ci/run.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from pathlib import Path

import pytest
import slurm_node
import yaml
from small_demo import SMALL
from workspaces import Workspace

pytestmark = [
    pytest.mark.timeout(3600),
    pytest.mark.skipif(bool(slurm_node.why_not()), reason=f"no Slurm: {slurm_node.why_not()}"),
]

PROFILE = "workflow/profiles/slurm"
SOURCES = ("summer", "winter")
WHOLE = bool(os.environ.get("CROPLAYER_WHOLE_DEMO_ON_SLURM"))


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    """The small demo in one shard, and the cluster's profile, fitted to one node without GPUs."""
    made = Workspace(tmp_path / "w")
    made.configure("demo", {**SMALL, "grid": {"shard_degrees": 0.2}})
    path = made.folder / PROFILE / "config.yaml"
    profile = yaml.safe_load(path.read_text(encoding="utf-8"))
    for wanted in profile["set-resources"].values():
        if wanted["slurm_partition"] == "gpu":
            wanted |= {"gpu": 0, "mem_mb": 2000}
    profile |= {
        "latency-wait": 20,
        "seconds-between-status-checks": 1,
        "max-status-checks-per-second": 2,
        "slurm-init-seconds-before-status-checks": 1,
        "slurm-status-command": "squeue",  # this Slurm keeps no accounts
        "slurm-no-account": True,
    }
    path.write_text(yaml.safe_dump(profile), encoding="utf-8")
    return made


@pytest.fixture
def cluster(tmp_path):
    with slurm_node.slurm_node(tmp_path / "node") as environment:
        yield environment


def cancel(cluster, run, rule):
    """Cancel the job of `rule` soon after it began; returns its id."""
    deadline = time.monotonic() + 900
    while time.monotonic() < deadline:
        assert run.poll() is None, run.stdout.read()[-6000:]
        listed = subprocess.run(
            ["squeue", "-h", "-t", "RUNNING", "-o", "%A %k"],
            env=cluster, capture_output=True, text=True, check=True,
        )  # fmt: skip
        for line in listed.stdout.splitlines():
            number, comment = line.split(maxsplit=1)
            if rule in comment:
                time.sleep(3)
                subprocess.run(["scancel", number], env=cluster, check=True)
                return number
        time.sleep(0.5)
    raise AssertionError(f"{rule} never ran")


def submissions(output: str) -> list[str]:
    """`rule_<name>` or `group_<name>_<rules>` of each submission, from what Snakemake said."""
    return re.findall(r"submitted with SLURM jobid \d+ \(log: \S*?slurm_logs/(\w+)", output)


def check_masks(results: Path) -> None:
    for source in SOURCES:
        planned = {path.stem for path in (results / "mosaic" / source).glob("*.tif")}
        assert {path.stem for path in (results / "mask" / source).glob("*.tif")} == planned != set()


def check_reports(results: Path) -> None:
    for case in ("demo", "demo_allocation"):
        assert 'id="atlas-data"' in (results / case / "report.html").read_text(encoding="utf-8")
        assert json.loads((results / case / "metrics.json").read_text(encoding="utf-8"))
    assert (results / "demo" / "workflow.html").stat().st_size > 100_000


def test_a_cancelled_job_is_submitted_again_and_the_maps_are_made(workspace, cluster):
    until = [] if WHOLE else ["--", "--until", "segment_shard"]
    run = workspace.start(
        ["-m", "croplayer.demo", "--profile", PROFILE, *until], SLURM_CONF=cluster["SLURM_CONF"]
    )
    number = cancel(cluster, run, "train_segmentation")
    output, _ = run.communicate()
    assert run.returncode == 0, output[-6000:]
    assert "submitted with SLURM jobid" in output
    trained = re.findall(r"rule_train_segmentation/\S*?(\d+)\.log", output)
    assert trained[0] == number and len(set(trained)) == 2, trained
    check_masks(workspace.folder / "results" / "demo")
    if WHOLE:
        check_reports(workspace.folder / "results")
        pages = [name for name in submissions(output) if "report" in name]
        assert [name.split("_report")[0] for name in sorted(pages)] == ["group_crop", "group"]
