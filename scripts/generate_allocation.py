"""Rule generate_allocation: the generated inputs of the built-in case."""

from pathlib import Path

from cropalloc.demo.generate import generate_case
from cropalloc.settings.demo import AllocationDemoSettings
from cropbase.jobs import run_job

run_job(
    snakemake,
    lambda: generate_case(
        Path(snakemake.output.stamp).parent, AllocationDemoSettings(**snakemake.params.demo)
    ),
)
