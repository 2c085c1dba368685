"""A user's mistake as a row of a table: how to make it, and what the one message must say.

A row is spoilt on a bench: a folder with inputs that work, and the function that the stage's script
calls. The function runs as a script runs it, so that message and exit code are the real ones.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from cropbase.jobs import run_command, run_job


class Fault(NamedTuple):
    """How a bench is spoilt, and fragments of the message: what was given, allowed, to be done."""

    spoil: Callable[[Any], object]
    words: Sequence[str]


class Bench:
    """Inputs below `folder`, outputs below `folder/out`, and the work of a stage."""

    def __init__(self, folder: Path, template: Path | None = None) -> None:
        """Write the inputs, or copy them from the folder of another bench of this class."""
        self.folder = folder
        self.out = folder / "out"
        if template is not None:
            shutil.copytree(template, folder)
            return
        folder.mkdir(parents=True)
        self.build()

    def build(self) -> None:
        """Write inputs that work."""

    def work(self) -> object:
        """What the stage's script calls."""
        raise NotImplementedError


class Ending(NamedTuple):
    """How a job ended: its exit code, the records of its log, what it wrote to standard error."""

    code: int
    records: list[str]
    shown: str


def end_of_job(bench: Bench) -> Ending:
    """Run a bench's work as the body of a script: its exit code and all that it said."""
    path = bench.folder / "job.log"
    shown, code = io.StringIO(), 0
    with _own_logging(), contextlib.redirect_stderr(shown):
        try:
            run_job(SimpleNamespace(log=[str(path)], rule="under_test"), bench.work)
        except SystemExit as end:
            code = end.code
    return Ending(code, _records(path.read_text("utf-8"), " ERROR "), shown.getvalue())


def end_of_command(work: Callable[[], object]) -> Ending:
    """Run the work of a command line: its exit code, and its message as the one record."""
    shown = io.StringIO()
    with _own_logging(), contextlib.redirect_stderr(shown):
        code = run_command(work)
    return Ending(code, [shown.getvalue()], shown.getvalue())


def refuse(ending: Ending, words: Sequence[str], *, out: Path | None = None) -> str:
    """Assert that a job ended with one message that helps, and left nothing; returns the message."""
    assert ending.code not in (0, None), "the fault was not noticed"
    assert "Traceback" not in ending.shown, ending.shown
    assert len(ending.records) == 1, ending.shown
    message = ending.records[0]
    for word in words:
        assert word in message, f"{word!r} is not in:\n{message}"
    # Whoever reads it must learn what would be accepted, or what to do.
    helps = ("allowed: ", "allowed are ", "what to do: ", "did you mean")
    assert any(text in message for text in helps), f"this helps nobody:\n{message}"
    left = sorted(path for path in out.rglob("*") if path.is_file()) if out else []
    assert not left, f"left behind: {left}"
    return message


@contextlib.contextmanager
def _own_logging() -> Iterator[None]:
    """Handlers and level of the root logger as they were, whatever a job sets."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    root.handlers = []
    try:
        yield
    finally:
        for handler in root.handlers:
            handler.close()
        root.handlers = handlers
        root.setLevel(level)
        logging.captureWarnings(False)


def _records(text: str, level: str) -> list[str]:
    """The records of a log of one level, each with the lines that belong to it."""
    records: list[list[str]] = []
    for line in text.splitlines():
        if line[:4].isdigit() and line[4:5] == "-":
            records.append([line])
        elif records:
            records[-1].append(line)
    return ["\n".join(lines) for lines in records if level in lines[0]]


# ------------------------------------------------------------------------ what befalls any file
def cut_short(name: str, share: float = 0.5) -> Callable[[Bench], None]:
    """The file ends after a share of its bytes: a download that broke off."""

    def spoil(bench: Bench) -> None:
        path = bench.folder / name
        os.truncate(path, int(path.stat().st_size * share))

    return spoil


def emptied(name: str) -> Callable[[Bench], None]:
    """The file has no bytes."""
    return lambda bench: (bench.folder / name).write_bytes(b"")


def removed(name: str) -> Callable[[Bench], None]:
    """The file is not there."""
    return lambda bench: (bench.folder / name).unlink()


def folder_instead(name: str) -> Callable[[Bench], None]:
    """A folder of the file's name."""

    def spoil(bench: Bench) -> None:
        (bench.folder / name).unlink()
        (bench.folder / name).mkdir()

    return spoil


def web_page_instead(name: str) -> Callable[[Bench], None]:
    """A web page of the file's name: what a browser saves from a page that asks for a login."""
    page = b"<!DOCTYPE html><html><body>Please log in</body></html>"
    return lambda bench: (bench.folder / name).write_bytes(page)


def unreadable(name: str) -> Callable[[Bench], None]:
    """A file without the permission to read it."""

    def spoil(bench: Bench) -> None:
        if os.geteuid() == 0:
            pytest.skip("root may read every file")
        (bench.folder / name).chmod(0)

    return spoil


def bytes_instead(name: str, data: bytes) -> Callable[[Bench], None]:
    """Other bytes in the file."""
    return lambda bench: (bench.folder / name).write_bytes(data)


def copied(name: str, other: str) -> Callable[[Bench], None]:
    """The content of another file in this one."""
    return lambda bench: shutil.copy(bench.folder / other, bench.folder / name)
