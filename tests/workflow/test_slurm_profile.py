"""The profile for Slurm speaks of rules that there are, and its groups fit the workflow of the demo."""

from __future__ import annotations

import re

import pytest
import yaml
from small_demo import small_demo
from workspaces import REPOSITORY, Workspace

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("demo"), pytest.mark.timeout(900)]

PROFILE = "workflow/profiles/slurm"


@pytest.fixture(scope="module")
def demo(tmp_path_factory, request) -> Workspace:
    """A workspace in which the small demo has run."""
    return small_demo(tmp_path_factory, request)


@pytest.fixture(scope="module")
def profile() -> dict:
    return yaml.safe_load((REPOSITORY / PROFILE / "config.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def rules() -> dict[str, str]:
    """{rule: its text}."""
    text = "\n".join(
        path.read_text(encoding="utf-8") for path in (REPOSITORY / "workflow/rules").glob("*.smk")
    )
    parts = re.split(r"^(?:use rule \w+ as|rule) (\w+)", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_the_rules_that_it_names_exist(profile, rules):
    arrays = profile["slurm-array-jobs"].split(", ")
    assert {*profile["groups"], *profile["set-resources"], *arrays} <= set(rules)
    assert not set(profile["groups"]) & set(arrays)
    assert set(profile["group-components"]) <= set(profile["groups"].values())


def test_every_figure_and_table_shares_a_submission(profile, rules):
    drawn = {rule for rule in rules if rule.startswith(("plot_", "tabulate_"))}
    assert len(drawn) > 30
    assert drawn <= set(profile["groups"])


def test_who_asks_for_a_gpu_is_sent_to_one_and_shares_its_job_with_nobody(profile, rules):
    asking = {rule for rule, text in rules.items() if re.search(r"^ +gpu=", text, re.MULTILINE)}
    sent = {
        rule
        for rule, wanted in profile["set-resources"].items()
        if wanted["slurm_partition"] == "gpu"
    }
    assert asking == sent != set()
    assert not asking & set(profile["groups"])


def test_no_group_waits_for_itself(demo):
    planned = demo.run(
        [
            *("-m", "snakemake", "-n", "--forceall", "--quiet", "rules", "--cores", "2"),
            *("--workflow-profile", PROFILE),
            *("--config", "provinces=demo", "cases=demo_allocation"),
        ]
    )
    assert planned.returncode == 0, planned.stdout
    assert "province_report" in planned.stdout
