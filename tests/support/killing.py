"""SIGKILL for a running workflow with all its jobs."""

from __future__ import annotations

import os
import signal
import subprocess
import time

from workspaces import Workspace

PATIENCE_SECONDS = 30


def kill_all(process: subprocess.Popen, workspace: Workspace) -> None:
    """Kill a run that leads a process group, and wait until nothing works in its folder.

    What a kill leaves alive must not write during the resume.
    """
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        if not at_work(workspace):
            return
        time.sleep(0.1)
    raise AssertionError("jobs of the killed run are still at work")


def at_work(workspace: Workspace) -> list[str]:
    """Command lines of the processes that name the workspace."""
    listed = subprocess.run(
        ["pgrep", "-a", "-f", str(workspace.folder)], stdout=subprocess.PIPE, text=True, check=False
    )
    return listed.stdout.splitlines()
