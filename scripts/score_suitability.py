"""Rule score_suitability: scores of every crop and system (Eq. 8-10)."""

from cropalloc.settings.suitability import SuitabilitySettings
from cropalloc.suitability.score import score_suitability
from cropbase.jobs import run_job

run_job(
    snakemake,
    lambda: score_suitability(
        cells=snakemake.input.cells,
        synergy=snakemake.input.synergy,
        suitability=SuitabilitySettings(**snakemake.params.suitability),
        crops_file=snakemake.input.crops,
        areas=snakemake.input.areas,
        members=snakemake.input.members,
        year=int(snakemake.wildcards.year),
        scores_path=snakemake.output.scores,
        report_path=snakemake.output.activities,
    ),
)
