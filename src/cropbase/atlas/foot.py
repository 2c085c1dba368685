"""The foot of a report: what every one of them says of where it comes from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from cropbase.atlas.page import definitions, folded
from cropbase.provenance import PACKAGE, code_version, newest, package_versions


def origin(
    *, subject: tuple[str, str], note: str, inputs: Iterable[Path], packages: Iterable[str]
) -> str:
    """Of what the report is, its data, code, newest input and packages, as HTML.

    Parameters
    ----------
    subject : what kind of thing it is about, and which.
    note : what must be said of generated data; "" for nothing.
    inputs : files that the report was made from. packages : names of distributions.
    """
    latest = newest(inputs)
    return definitions(
        [
            subject,
            ("Data", note or "as configured; nothing generated"),
            ("Code", f"{PACKAGE} {code_version()}"),
            ("Newest input", "" if latest is None else f"{latest[1]}, {latest[0].as_posix()}"),
            ("Packages", ", ".join(f"{k} {v}" for k, v in package_versions(packages).items())),
        ]
    )


def closing(configuration: Mapping[str, Any], *, less: str, with_map: bool = True) -> str:
    """The configuration, folded, and whose library draws the map, as HTML.

    `less` says what the configuration does not show.
    """
    text = yaml.safe_dump(dict(configuration), sort_keys=False, allow_unicode=True)
    parts = [folded(f"Configuration{less}", text)]
    if with_map:
        parts.append(
            '<p class="small">Map drawn with Leaflet 1.9.4 (BSD-2-Clause), © 2010-2023 Volodymyr '
            "Agafonkin, © 2010-2011 CloudMade; its licence is inside this page.</p>"
        )
    return "\n".join(parts)
