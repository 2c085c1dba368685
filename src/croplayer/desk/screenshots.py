"""`python -m croplayer.desk.screenshots PROVINCE`: the pictures of docs/desk.md, from a browser.

Needs playwright (it comes with the tests) and Chromium. The desk works on a database of its own, so
that pictures leave no answers behind.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cropbase.atomic import atomic_path
from cropbase.browser import headless_browser
from cropbase.jobs import run_command
from croplayer.desk.province import open_province
from croplayer.desk.server import in_background

if TYPE_CHECKING:
    from playwright.sync_api import Page


def take_screenshots(province: str, folder: Path, *, config_folder: Path) -> list[Path]:
    """Write `desk_coverage.jpg`, `desk_semantic.jpg` and `desk_options.jpg` into `folder`.

    Raises DependencyError where playwright or Chromium is not installed.
    """
    made = []
    with (
        tempfile.TemporaryDirectory() as scratch,
        _served(province, config_folder, Path(scratch) / "desk.sqlite") as address,
        headless_browser() as browser,
    ):
        for name, theme, steps in _PICTURES:
            size = {"width": 1280, "height": 720}
            page = browser.new_context(viewport=size, color_scheme=theme).new_page()
            page.goto(f"{address}#{name}")
            page.get_by_label("Your name").fill("Anna")
            page.get_by_role("button", name="Begin").click()
            steps(page)
            page.wait_for_load_state("networkidle")
            page.wait_for_selector("#message", state="hidden")
            made.append(folder / f"desk_{name}.jpg")
            with atomic_path(made[-1]) as path:
                page.screenshot(path=path, type="jpeg", quality=82)
    return made


def _press(page: Page, *keys: str) -> None:
    for key in keys:
        page.wait_for_selector("body:not([aria-busy])")
        page.wait_for_selector("#choices button:enabled")
        page.keyboard.press(key)


_PICTURES = (
    ("coverage", "light", lambda page: _press(page, "1", "2", "1", "2", "1")),
    ("semantic", "light", lambda page: _press(page, "1", "4", "1")),
    ("options", "dark", lambda page: _press(page, "2", "o", "]", "]", "]")),
)
"""Kind of interpretation, light or dark, and what is done before the picture is taken."""


@contextmanager
def _served(province: str, config_folder: Path, database: Path) -> Iterator[str]:
    """The desk with its answers in `database`; yields its address."""
    desk = open_province(province, config_folder=config_folder, database=database)
    try:
        with in_background(desk) as address:
            yield address
    finally:
        desk.store.close()


def main(arguments: list[str] | None = None) -> int:
    """Command line; a user's mistake is one message."""
    parser = argparse.ArgumentParser(
        prog="python -m croplayer.desk.screenshots",
        description="Pictures of the review desk for the documentation.",
    )
    parser.add_argument("province", help="name of the province's configuration")
    parser.add_argument("--folder", type=Path, default=Path("docs/img"), help="where they go")
    parser.add_argument(
        "--config-folder", type=Path, default=Path("config"), help="folder of default.yaml"
    )
    given = parser.parse_args(arguments)
    return run_command(
        lambda: print(
            *take_screenshots(given.province, given.folder, config_folder=given.config_folder),
            sep="\n",
        )
    )


if __name__ == "__main__":
    sys.exit(main())
