"""The plan of a province of China from its real boundary, as the benchmark of nations makes it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
ROOT = Path(os.environ.get("CROPLAYER_DATA_ROOT", REPOSITORY / "../shared/data"))

pytestmark = pytest.mark.skipif(
    not (ROOT / "china").is_dir(),
    reason="the boundaries of China are not there (see CROPLAYER_DATA_ROOT)",
)


def test_a_province_is_planned_in_a_folder_without_a_configuration_of_its_own(tmp_path):
    rows = tmp_path / "rows.json"
    script = REPOSITORY / "benchmarks" / "nation.py"
    command = [sys.executable, script, "--quick", "--json", rows, "--data-root", ROOT]
    subprocess.run(command, check=True)
    seconds, memory = json.loads(rows.read_text(encoding="utf-8"))
    assert seconds["size"] > 50  # jobs
    assert seconds["unit"] == "s" and memory["passed"]
