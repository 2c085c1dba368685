"""The system's Chromium, for the pictures of the documentation. Needs playwright."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cropbase.errors import DependencyError

if TYPE_CHECKING:
    from playwright.sync_api import Browser

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
"""Names of the browser's program, the first that there is."""


def browser_path() -> str:
    """The system's Chromium. Raises DependencyError if there is none."""
    for name in BROWSERS:
        if (path := shutil.which(name)) is not None:
            return path
    raise DependencyError(
        "no Chromium was found", given=", ".join(BROWSERS), remedy="Debian: apt install chromium"
    )


@contextmanager
def headless_browser() -> Iterator[Browser]:
    """Chromium without a window, closed at the end.

    Raises DependencyError where playwright or Chromium is not installed.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise DependencyError(
            "the package playwright is not installed", remedy="pip install playwright"
        ) from None
    with sync_playwright() as playwright:
        # No sandbox: in containers one runs as root, where Chromium refuses to start with one.
        browser = playwright.chromium.launch(executable_path=browser_path(), args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()
