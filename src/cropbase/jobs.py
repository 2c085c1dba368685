"""How one workflow job runs: its log, its progress, and how it fails.

Scripts call `run_job(snakemake, function)`: logging goes to the job's log file and, from WARNING
on, to standard error; a `CropError` ends the job with its message alone, anything else with a
traceback, because that is our mistake and not the user's.
"""

from __future__ import annotations

import logging
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from cropbase.disk import disk_full, free_bytes, is_disk_full
from cropbase.errors import CropError

Item = TypeVar("Item")

log = logging.getLogger("crop")


def configure_logging(log_file: str | Path | None = None, level: int = logging.INFO) -> None:
    """Send records to `log_file` (all from `level` on) and to standard error (warnings on)."""
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
    root.setLevel(level)
    form = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    console = logging.StreamHandler(sys.stderr)
    console.setLevel(logging.WARNING if log_file else level)
    console.setFormatter(form)
    root.addHandler(console)
    if log_file:
        Path(log_file).parent.mkdir(parents=True, exist_ok=True)
        file_handler = _LogFile(log_file, mode="w", encoding="utf-8")
        file_handler.setFormatter(form)
        root.addHandler(file_handler)
    logging.captureWarnings(True)
    # HTTP clients log whole addresses, and addresses carry API keys.
    for name in ("httpx", "httpcore", "urllib3"):
        logging.getLogger(name).setLevel(logging.WARNING)


class _LogFile(logging.FileHandler):
    """A log file whose full disk does not bury, under tracebacks, the message that says so."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        error = sys.exc_info()[1]
        if error is None or not is_disk_full(error):
            super().handleError(record)


def run_job(snakemake: Any, work: Callable[[], Any]) -> None:
    """Run `work` as the body of a Snakemake script."""
    log_file = snakemake.log[0] if snakemake.log else None
    configure_logging(log_file)
    try:
        work()
    except CropError as error:
        log.error("%s", error)
        sys.exit(1)
    except Exception as error:
        if is_disk_full(error):
            log.error("%s", disk_full(_written(error, snakemake), error))
            sys.exit(1)
        log.exception("unexpected failure of rule %s", snakemake.rule)
        sys.exit(1)


def _written(error: Exception, snakemake: Any) -> Path:
    """The file that an error of the system names, else that of the job on the fullest disk."""
    named = getattr(error, "filename", None)
    files = [named] if named else [*snakemake.output, *snakemake.log, tempfile.gettempdir()]
    return min(map(Path, files), key=free_bytes)


def progress(
    items: Iterable[Item], *, what: str, unit: str, total: int | None = None
) -> Iterator[Item]:
    """A progress bar on a terminal; in a batch job a line in the log every half minute or so."""
    if sys.stderr.isatty():
        yield from tqdm(items, desc=what, unit=unit, total=total, dynamic_ncols=True)
        return
    yield from _logged(items, what, unit, total)


def _logged(items: Iterable[Item], what: str, unit: str, total: int | None) -> Iterator[Item]:
    import time

    if total is None and hasattr(items, "__len__"):
        total = len(items)  # type: ignore[arg-type]
    start = last = time.monotonic()
    count = 0
    for item in items:
        yield item
        count += 1
        now = time.monotonic()
        if now - last > 20:
            rate = count / (now - start)
            left = f", {(total - count) / rate / 60:.1f} minutes left" if total else ""
            of = total if total is not None else "?"
            log.info("%s: %d of %s %s, %.3g a second%s", what, count, of, unit, rate, left)
            last = now
    log.info("%s: %d %s done", what, count, unit)


def run_command(work: Callable[[], None]) -> int:
    """Run the work of a command line; returns the exit code.

    A user's mistake is one message and exit code 1, without a traceback.
    """
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    try:
        work()
    except CropError as error:
        print(error, file=sys.stderr)
        return 1
    return 0
