"""The page of measured rows, and how benchmarks measure."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


def load(name: str):
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", FOLDER / f"{name}.py")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)  # dataclasses ask
    spec.loader.exec_module(module)
    return module


def write(path: Path, **changes) -> Path:
    row = {
        "case": "a case", "ours": 0.5, "peer": 3.0, "unit": "s", "ratio": 6.0, "bar": 3.0,
        "passed": True, "size": 9, "seed": 1, "versions": {"python": "3.11"}, "hardware": "2 cores",
    }  # fmt: skip
    path.write_text(json.dumps([row | changes]), encoding="utf-8")
    return path


def test_each_file_is_a_section_and_each_figure_has_its_unit(tmp_path):
    first = write(tmp_path / "first.json", note="half of it")
    second = write(tmp_path / "second.json", case="b", unit="MiB", peer=None, ratio=None)
    page = load("page").page([first, second])
    assert page.index("## first") < page.index("## second")
    assert "| a case | 0.5 s | 3 s | 6 | 3 | reached |" in page
    assert "| b | 0.5 MiB | - | - | 3 | reached |" in page
    assert "- a case: half of it." in page
    assert "With python 3.11." in page


def test_a_bar_that_was_not_reached_is_said(tmp_path):
    page = load("page").page([write(tmp_path / "x.json", passed=False)])
    assert "| **not reached** |" in page


def test_a_case_measured_again_stands_once(tmp_path):
    (tmp_path / "later").mkdir()
    old = write(tmp_path / "x.json")
    new = write(tmp_path / "later" / "x.json", ours=0.25, ratio=12.0)
    page = load("page").page([old, new])
    assert page.count("a case") == 1 and "| a case | 0.25 s | 3 s | 12 |" in page


def test_the_page_of_the_docs_is_made_of_the_rows_that_are_kept():
    page = load("page")
    assert page.PAGE.read_text(encoding="utf-8") == page.page(sorted(page.RESULTS.glob("*.json")))


def test_a_race_takes_the_least_of_interleaved_repeats():
    order, ticks = [], iter([0, 5, 5, 6, 6, 8, 8, 18])
    found = load("rows").race(
        lambda: order.append("ours"),
        lambda: order.append("peer") or "last",
        repeats=2,
        clock=lambda: next(ticks),
    )
    assert order == ["ours", "peer", "ours", "peer"]
    assert found == (2, 1, None, "last")


def test_without_rows_nothing_is_written(tmp_path, monkeypatch, capsys):
    page = load("page")
    monkeypatch.setattr(page, "RESULTS", tmp_path)
    monkeypatch.setattr(sys, "argv", ["page.py", "--output", str(tmp_path / "page.md")])
    with pytest.raises(SystemExit):
        page.main()
    assert "run a benchmark" in capsys.readouterr().err
    assert not (tmp_path / "page.md").exists()


def test_the_memory_benchmark_knows_what_each_rule_asks_for(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    benchmark = load("rules_memory")
    assert all(benchmark.memory_of(stage) > 500 for stage in benchmark.STAGES)
    with pytest.raises(LookupError):
        benchmark.memory_of("no_such_rule")


def test_the_memory_benchmark_has_every_rule_that_runs_a_shard(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    benchmark = load("rules_memory")
    rules = "\n".join(path.read_text("utf-8") for path in sorted(benchmark.RULES.glob("*.smk")))
    found = re.findall(r"^rule (\w+):.*?^    output:\n(.*?)^    \w", rules, re.S | re.M)
    of_shards = {name for name, output in found if "{shard}" in output}
    assert len(of_shards) >= 8 and of_shards <= set(benchmark.STAGES)
    stages = list(benchmark.NEEDS)
    for stage, needed in benchmark.NEEDS.items():
        assert all(stages.index(other) < stages.index(stage) for other in needed)
        assert hasattr(load("rule_shard").RuleShard, stage)


def test_a_killed_campaign_of_the_memory_benchmark_goes_on(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(FOLDER))
    benchmark = load("rules_memory")
    shard, run = benchmark.Shard(tmp_path, 2, 2, 256), []

    def peak(shard, stage):
        run.append(stage)
        if len(run) == 3:
            raise KeyboardInterrupt
        return json.dumps({"peak_mib": float(len(run))})

    monkeypatch.setattr(benchmark.Shard, "_run", peak)
    with pytest.raises(KeyboardInterrupt):
        shard.figures("segment_shard")
    assert shard.figures("segment_shard") == {"peak_mib": 5.0}
    assert run == ["prepare", "fetch_tiles", "build_mosaic", "build_mosaic", "segment_shard"]
    assert shard.figures("fetch_tiles") == {"peak_mib": 2.0}, "kept"
