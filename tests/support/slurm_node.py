"""A real Slurm of one node for tests: its own key, ports and state in a folder.

All that it leaves outside is a link to its configuration in /etc/slurm, and only while it runs: the
jobs of Snakemake hand no SLURM_CONF on to `srun`.

As a command: `python tests/support/slurm_node.py FOLDER` starts one, prints how to use it, and stops
it on Ctrl-C.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel")
PACKAGES = "slurm-wlm munge"
SYSTEM_CONF = Path("/etc/slurm/slurm.conf")

_CONF = """
ClusterName=onenode
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={daemon_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
ReturnToService=2
SchedulerType=sched/backfill
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
# Ended jobs stay visible to squeue long enough for their state to be read.
MinJobAge=300
KillWait=5
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} State=UNKNOWN
PartitionName=cpu Nodes={host} Default=YES MaxTime=INFINITE State=UP
PartitionName=gpu Nodes={host} MaxTime=INFINITE State=UP
PartitionName=download Nodes={host} MaxTime=INFINITE State=UP
"""


class SlurmError(RuntimeError):
    """The node did not come up; the message holds the end of the logs."""


def why_not() -> str:
    """Why no node can be started on this machine; empty if one can."""
    lacks = [name for name in PROGRAMS if _program(name) is None]
    if lacks:
        return f"{', '.join(lacks)} not found (apt-get install {PACKAGES})"
    if os.path.lexists(SYSTEM_CONF) and SYSTEM_CONF.exists():
        return f"this machine has a Slurm of its own ({SYSTEM_CONF})"
    if not os.access(SYSTEM_CONF.parent, os.W_OK):
        return f"{SYSTEM_CONF.parent} cannot be written"
    return ""


@contextlib.contextmanager
def slurm_node(folder: Path) -> Iterator[dict[str, str]]:
    """Run a node in `folder` until the block ends; yields the environment that finds it.

    Raises SlurmError if it does not come up within a minute.
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    for name in ("state", "spool"):
        (folder / name).mkdir(exist_ok=True)
    conf = folder / "slurm.conf"
    conf.write_text(_configuration(folder), encoding="utf-8")
    environment = {**os.environ, "SLURM_CONF": str(conf)}
    daemons: list[subprocess.Popen] = []

    def start(name: str, *words: str) -> None:
        log = (folder / f"{name}.out").open("wb")
        daemons.append(
            subprocess.Popen(
                [_program(name), *words],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_unblock_signals,
            )
        )

    SYSTEM_CONF.unlink(missing_ok=True)  # the link of a node that was killed
    SYSTEM_CONF.symlink_to(conf)
    try:
        _start_munge(folder, start)
        start("slurmctld", "-D", "-c")
        start("slurmd", "-D", "-c")
        _wait_until_idle(folder, environment)
        yield environment
    finally:
        SYSTEM_CONF.unlink(missing_ok=True)
        for daemon in reversed(daemons):
            daemon.send_signal(signal.SIGTERM)
        for daemon in reversed(daemons):
            with contextlib.suppress(subprocess.TimeoutExpired):
                daemon.wait(20)
            if daemon.poll() is None:
                daemon.kill()


def _unblock_signals() -> None:
    # A blocked signal stays blocked in a child, and the daemons end by signals.
    signal.pthread_sigmask(signal.SIG_SETMASK, set())


def _start_munge(folder: Path, start) -> None:
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    start(
        "munged",
        *("--foreground", "--force", "--num-threads=2", f"--socket={folder}/munge.socket"),
        *(f"--key-file={key}", f"--pid-file={folder}/munged.pid", f"--seed-file={folder}/seed"),
        f"--log-file={folder}/munged.log",
    )
    deadline = time.monotonic() + 20
    while not (folder / "munge.socket").exists():
        if time.monotonic() > deadline:
            raise SlurmError("munged did not start\n" + _logs(folder))
        time.sleep(0.1)


def _wait_until_idle(folder: Path, environment: dict[str, str]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        state = subprocess.run(
            ["sinfo", "-h", "-o", "%T"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if state.returncode == 0 and set(state.stdout.split()) == {"idle"}:
            return
        time.sleep(0.5)
    raise SlurmError("the node did not become idle\n" + _logs(folder))


def _configuration(folder: Path) -> str:
    import getpass

    return _CONF.format(
        folder=folder,
        host=socket.gethostname().split(".")[0],
        user=getpass.getuser(),
        controller_port=_free_port(),
        daemon_port=_free_port(),
        cpus=os.cpu_count(),
        memory=max(1000, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20 - 500),
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _program(name: str) -> str | None:
    # Debian keeps the daemons out of an ordinary user's path.
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    return shutil.which(name, path=path)


def _logs(folder: Path) -> str:
    parts = []
    for path in sorted([*folder.glob("*.log"), *folder.glob("*.out")]):
        lines = path.read_text(errors="replace").splitlines()[-8:]
        parts.append(f"{path.name}:\n  " + "\n  ".join(lines))
    return "\n".join(parts)


def main() -> None:
    """Run a node until Ctrl-C or SIGTERM."""
    ending = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, ending)
    with slurm_node(Path(sys.argv[1]).resolve()) as environment:
        sys.stdout.write(f"export SLURM_CONF={environment['SLURM_CONF']}\n")
        sys.stdout.flush()
        signal.sigwait(ending)


if __name__ == "__main__":
    if why_not():
        sys.exit(why_not())
    main()
