"""`python -m cropbase.atlas.screenshot PAGE PICTURE`: a report as a browser shows it (JPEG).

Needs playwright (it comes with the tests) and Chromium.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cropbase.atomic import atomic_path
from cropbase.browser import headless_browser
from cropbase.errors import InputError
from cropbase.jobs import run_command


def take_screenshot(page: Path, output: Path, *, blocks: str = "", theme: str = "light") -> None:
    """Write the upper part of a report's page, its map scrolled into view.

    Parameters
    ----------
    blocks : words of the list "Coloured by"; "" leaves the blocks alone.
    theme : light or dark.

    Raises InputError if there is no such page, DependencyError without a browser.
    """
    if not page.is_file():
        raise InputError(f"there is no page {page}", remedy="make the report first")
    with headless_browser() as browser:
        view = {"width": 1400, "height": 1240}
        tab = browser.new_context(viewport=view, color_scheme=theme).new_page()
        tab.goto(page.resolve().as_uri())
        if blocks:
            tab.get_by_label("Coloured by").select_option(label=blocks)
        tab.wait_for_function("document.querySelectorAll('.leaflet-tile-loaded').length > 0")
        tab.wait_for_load_state("networkidle")
        # Tiles fade in.
        tab.wait_for_timeout(600)
        with atomic_path(output) as path:
            tab.screenshot(path=path, type="jpeg", quality=82)


def main(arguments: list[str] | None = None) -> int:
    """Command line; a user's mistake is one message."""
    parser = argparse.ArgumentParser(
        prog="python -m cropbase.atlas.screenshot",
        description="A picture of a report for the documentation.",
    )
    parser.add_argument("page", type=Path, help="results/<name>/report.html")
    parser.add_argument("output", type=Path, help="JPEG to write")
    parser.add_argument("--blocks", default="", help="how blocks are coloured, as the list has it")
    parser.add_argument("--theme", choices=("light", "dark"), default="light", help="colours")
    given = parser.parse_args(arguments)
    return run_command(
        lambda: take_screenshot(given.page, given.output, blocks=given.blocks, theme=given.theme)
    )


if __name__ == "__main__":
    sys.exit(main())
