"""Rule validate_blocks: semantic correctness, solidity, Euler number."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.settings.grid import GridSettings
from croplayer.validation.block import validate_blocks

run_job(
    snakemake,
    lambda: validate_blocks(
        semantic=Path(snakemake.input.semantic),
        semantic_card=Path(snakemake.input.card),
        features=[Path(path) for path in snakemake.input.features],
        options=Path(snakemake.input.options),
        sources=list(snakemake.params.sources),
        maps=[Path(path) for path in snakemake.input.maps],
        grid=GridSettings(**snakemake.params.grid).grid(),
        output=Path(snakemake.output.block),
    ),
)
