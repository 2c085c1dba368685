"""Rule allocate_baseline: the statistics placed in proportion."""

from pathlib import Path

from cropalloc.validation.baselines import baseline_areas
from cropbase.jobs import run_job

run_job(
    snakemake,
    lambda: baseline_areas(
        kind=snakemake.wildcards.baseline,
        cells=Path(snakemake.input.selected),
        members=Path(snakemake.input.members),
        systems_areas=Path(snakemake.input.systems),
        scores=Path(snakemake.input.scores),
        year=int(snakemake.wildcards.year),
        capped=snakemake.params.capped,
        areas_path=Path(snakemake.output.areas),
    ),
)
