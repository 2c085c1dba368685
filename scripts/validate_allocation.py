"""Rule validate_allocation: allocated against statistics that were not used (Eq. 17-19)."""

from pathlib import Path

from cropalloc.settings.validation import ValidationSettings
from cropalloc.validation.compare import validate_allocation
from cropbase.jobs import run_job

run_job(
    snakemake,
    lambda: validate_allocation(
        cells=Path(snakemake.input.cells),
        areas=[Path(path) for path in snakemake.input.areas],
        reference=Path(snakemake.input.reference),
        validation=ValidationSettings(**snakemake.params.validation),
        metrics_path=Path(snakemake.output.metrics),
        pairs_path=Path(snakemake.output.pairs),
        units=Path(snakemake.input.units),
        year=int(snakemake.wildcards.year),
        name=snakemake.wildcards.contestant,
    ),
)
