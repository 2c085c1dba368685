"""The demo, made small for tests, and what to compare of two runs of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from workspaces import PLANTED_VARIABLE, Workspace, made_once

SMALL = {
    "demo": {
        "blocks_wide": 4,
        "blocks_high": 3,
        "cloudy_blocks": [1, 0],
        "snow_blocks": 1,
        "nodata_blocks": [0, 1],
        "train_extents": 5,
        "validation_extents": 2,
        "extent_pixels": 192,
    },
    "grid": {"shard_degrees": 0.1},
    # One provider wants a key, so that tests can look where it goes.
    "sources": {
        "summer": {
            "url": "{server}/summer/{z}/{x}/{y}.png?access_token={key}",
            "api_key_env": PLANTED_VARIABLE,
        }
    },
    "quality": {"epochs": 2},
    "segmentation": {"max_steps": 20, "validate_every_steps": 10, "early_stopping_patience": None},
}
"""Small enough for a test; the model is hardly trained, so nothing is said of its accuracy here."""

RASTERS_AND_TABLES = ("mosaic", "probability", "mask", "map", "quality", "terrain", "features")


def small_demo(tmp_path_factory, request) -> Workspace:
    """A workspace in which the small demo has run, once for all workers of the test run."""

    def build(workspace: Workspace) -> None:
        workspace.configure("demo", SMALL)
        result = workspace.run(["-m", "croplayer.demo", "--cores", "2"])
        assert result.returncode == 0, result.stdout[-6000:]

    return made_once(tmp_path_factory, request, "small_demo", build)


def results(workspace: Workspace) -> Path:
    """The folder of the demo's results."""
    return workspace.folder / "results" / "demo"


def digests(workspace: Workspace) -> dict[str, str]:
    """sha256 of every raster and table of the shards."""
    root = results(workspace)
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for stage in RASTERS_AND_TABLES
        for path in sorted((root / stage).rglob("*.*"))
    }
