"""What tests of pages share: the system's Chromium without a window."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from cropbase.browser import BROWSERS, headless_browser

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser for the tests of a module; they are skipped where there is none."""
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not any(shutil.which(name) for name in BROWSERS):
        pytest.skip("no Chromium on this machine (Debian: apt install chromium)")
    with headless_browser() as browser:
        yield browser
