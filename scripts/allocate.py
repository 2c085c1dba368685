"""Rule allocate: place the statistics of one part of the units (Eq. 11-16)."""

from cropalloc.allocation.allocate import allocate
from cropalloc.settings.allocation import AllocationSettings
from cropbase.jobs import run_job

run_job(
    snakemake,
    lambda: allocate(
        selected=snakemake.input.selected,
        scores=snakemake.input.scores,
        areas=snakemake.input.areas,
        members=snakemake.input.members,
        allocation=AllocationSettings(**snakemake.params.allocation),
        known_for=snakemake.params.known_for,
        year=int(snakemake.wildcards.year),
        part=snakemake.params.part,
        areas_path=snakemake.output.areas,
        slack_path=snakemake.output.slack,
        certificate_path=snakemake.output.certificate,
    ),
)
