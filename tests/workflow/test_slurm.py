"""The workflow on a real Slurm of one node: jobs, arrays, groups, and a job that is cancelled."""

from __future__ import annotations

import re
import subprocess
import time

import pytest
import slurm_node
import yaml
from small_demo import SMALL
from workspaces import Workspace

pytestmark = [
    pytest.mark.timeout(1500),
    pytest.mark.skipif(bool(slurm_node.why_not()), reason=f"no Slurm: {slurm_node.why_not()}"),
]

PROFILE = "workflow/profiles/slurm"
SOURCES = ("summer", "winter")


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    """The small demo in two shards, and the cluster's profile, fitted to one node without GPUs."""
    made = Workspace(tmp_path / "w")
    made.configure("demo", {**SMALL, "grid": {"shard_degrees": 0.2}})
    path = made.folder / PROFILE / "config.yaml"
    profile = yaml.safe_load(path.read_text(encoding="utf-8"))
    for rule in ("train_segmentation", "train_coverage", "segment_shard"):
        profile["set-resources"][rule] |= {"gpu": 0, "mem_mb": 2000}
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


def cancel(cluster, rule):
    """Cancel the job of `rule` as soon as it runs; returns its id."""
    deadline = time.monotonic() + 900
    while time.monotonic() < deadline:
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


def test_a_cancelled_job_is_submitted_again_and_the_maps_are_made(workspace, cluster):
    run = workspace.start(
        ["-m", "croplayer.demo", "--profile", PROFILE, "--", "--until", "segment_shard"],
        SLURM_CONF=cluster["SLURM_CONF"],
    )
    number = cancel(cluster, "train_segmentation")
    output, _ = run.communicate()
    assert run.returncode == 0, output[-6000:]
    for source in SOURCES:
        folder = workspace.folder / "results" / "demo"
        planned = {path.stem for path in (folder / "mosaic" / source).glob("*.tif")}
        assert {path.stem for path in (folder / "mask" / source).glob("*.tif")} == planned != set()
    assert "submitted with SLURM jobid" in output
    submissions = re.findall(r"rule_train_segmentation/\S*?(\d+)\.log", output)
    assert submissions[0] == number and len(set(submissions)) == 2, submissions
