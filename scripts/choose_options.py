"""Rule choose_options: integration option of every block."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.blocks.integration import choose_options

corrections = snakemake.input.corrections

run_job(
    snakemake,
    lambda: choose_options(
        features=[Path(path) for path in snakemake.input.features],
        semantic=Path(snakemake.input.semantic),
        model_dir=Path(snakemake.input.model).parent,
        corrections=Path(corrections[0]) if corrections else None,
        sources=list(snakemake.params.sources),
        blocks=Path(snakemake.input.blocks),
        output=Path(snakemake.output.options),
    ),
)
