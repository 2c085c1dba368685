"""The demo as one command: generated inputs, a tile server, the workflow, the report.

The workflow itself knows nothing of this module: it sees a province polygon, a DEM, labels and the
address of a tile server, as it would for any province.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cropbase.atomic import write_json
from cropbase.errors import ConfigError, InputError
from croplayer.demo.generate import GENERATOR, generate_province
from croplayer.demo.server import TileServer
from croplayer.settings import Settings, load_settings

SERVER_VARIABLE = "CROPLAYER_DEMO_SERVER"
RESULTS = Path("results/demo")
CROP_RESULTS = Path("results/demo_allocation")
PROFILE = Path("workflow/profiles/local")


def run_demo(
    *,
    cores: int,
    config_folder: Path = Path("config"),
    profile: Path = PROFILE,
    extra: list[str] = (),
) -> int:
    """Generate what is missing, serve the tiles, run Snakemake and make the report.

    Parameters
    ----------
    cores : cores for Snakemake.
    config_folder : folder with default.yaml and demo.yaml.
    profile : Snakemake's workflow profile.
    extra : further arguments for Snakemake, such as targets or -n.

    Returns Snakemake's exit code. Raises InputError if another demo runs in this folder.
    """
    start = time.monotonic()
    settings = load_settings("demo", config_folder)
    if settings.demo is None:
        raise ConfigError(f"{config_folder}/demo.yaml has no key `demo`")
    generated = RESULTS / "generated"
    with only_one(RESULTS / ".running"):
        make_inputs(settings, generated)
        with TileServer(generated) as server:
            code = run_snakemake(server.url, cores, config_folder, profile, extra)
    if code == 0 and not extra:
        print(summary(time.monotonic() - start))
    return code


def make_inputs(settings: Settings, folder: Path) -> None:
    """Generate the province unless it is there, made with the same settings."""
    stamp = folder / "settings.json"
    wanted = {
        "demo": settings.demo.model_dump(mode="json"),
        "grid": settings.grid.model_dump(mode="json"),
        "generator": GENERATOR,
    }
    if stamp.exists() and json.loads(stamp.read_text(encoding="utf-8")) == wanted:
        return
    print("Generating the demo province (no real place) ...", flush=True)
    generate_province(folder, settings=settings.demo, grid=settings.grid.grid())
    write_json(stamp, wanted)


@contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Hold a lock that the system releases when this process dies, however it dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(
                "another demo is running in this folder",
                remedy=f"wait for it to end (it holds {path})",
            ) from None
        yield


def run_snakemake(
    url: str, cores: int, config_folder: Path, profile: Path, extra: list[str]
) -> int:
    """Run the workflow, then its report if anything was done. Returns Snakemake's exit code."""
    snakemake = [sys.executable, "-m", "snakemake"]
    common = [
        *("--workflow-profile", str(profile)),
        *("--cores", str(cores)),
        *("--config", "provinces=demo", "cases=demo_allocation", f"config_folder={config_folder}"),
    ]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    environment = {**os.environ, SERVER_VARIABLE: url, "PATH": path}
    report = RESULTS / "workflow.html"
    metrics = [folder / "metrics.json" for folder in (RESULTS, CROP_RESULTS)]
    _unlock_after_a_kill([*snakemake, *common], environment)
    display = ["--logger", "rich"] if sys.stdout.isatty() else ["--quiet", "rules", "host"]
    # Targets come first: many of Snakemake's options take all words that follow.
    words = [*snakemake, *extra, *display, *common]
    code = subprocess.run(words, env=environment, check=False).returncode
    if code or extra:
        return code
    newest = max(path.stat().st_mtime for path in metrics)
    if report.exists() and report.stat().st_mtime >= newest:
        return code
    print("Writing the report of the workflow ...", flush=True)
    draft = report.with_name("draft.html")
    made = subprocess.run(
        [*snakemake, "--quiet", "all", "--report", str(draft), *common],
        env=environment,
        check=False,
    )
    if made.returncode == 0:
        os.replace(draft, report)
    return made.returncode


def _unlock_after_a_kill(common: list[str], environment: dict[str, str]) -> None:
    """Release Snakemake's lock if the demo that set it was killed.

    Snakemake's locks outlive a killed process. Ours (`only_one`) does not, so whoever holds ours
    knows that no other DEMO runs; a lock that another workflow of this folder set after ours
    would be younger than the process list shows, so any live snakemake here keeps the lock.
    """
    locks = Path(".snakemake/locks")
    if not locks.is_dir() or not any(locks.iterdir()) or _snakemake_alive():
        return
    print("The last run was killed; its lock is released and it goes on from there.", flush=True)
    subprocess.run([*common, "--quiet", "all", "--unlock"], env=environment, check=True)


def _snakemake_alive() -> bool:
    """True if a snakemake process works in this folder (or if that cannot be known)."""
    processes = Path("/proc")
    if not processes.is_dir():
        return True
    here = Path.cwd()
    for entry in processes.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            folder = (entry / "cwd").resolve()
        except OSError:
            continue  # it ended in between, or is another user's
        if folder == here and any(b"snakemake" in word for word in words[:4]):
            return True
    return False


def summary(seconds: float) -> str:
    """What came out and where to look, for the terminal."""
    metrics: dict[str, float | None] = {}
    for folder in (RESULTS, CROP_RESULTS):
        metrics |= json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    year = max(int(name.split("_")[1]) for name in metrics if name.startswith("statistics_2"))

    def value(name: str, form: str) -> str:
        number = metrics.get(name)
        return "-" if number is None else format(number, form)

    lines = [
        "",
        f"Done in {seconds:.0f} s. Everything below is of a GENERATED province.",
        f"  pixel IoU on held-out extents        {value('pixel_iou', '.3f')}",
        f"  pixel IoU against the truth, unseen  {value('truth_iou_unseen_blocks', '.3f')}",
        f"  semantic correctness of blocks       {value('block_semantic_correctness', '.3f')}",
        f"  area / official area                 {value('province_area_ratio', '.3f')}",
        f"  crops placed of the statistics, ha   {value(f'map_{year}_ha', ',.0f')} of "
        f"{value(f'statistics_{year}_ha', ',.0f')}",
        "",
        f"  county files     {RESULTS}/export/demo.tar.gz, counties.parquet, areas.csv",
        f"  final map        {RESULTS}/map/*.tif (open in QGIS)",
        f"  accuracy table   {RESULTS}/validation/accuracy.csv",
        f"  crop maps        {CROP_RESULTS}/maps/*/ha_*.tif, one a crop, system and year",
        f"  figures          {RESULTS}/figures/, {CROP_RESULTS}/figures/",
        f"  report           {RESULTS}/report.html (open in a browser)",
        f"  how it was made  {RESULTS}/workflow.html: every job, rule and result",
    ]
    return "\n".join(lines)
