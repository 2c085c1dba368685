"""Rule classify_semantic: semantic class of every block and source."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.blocks.semantic import classify_semantic

run_job(
    snakemake,
    lambda: classify_semantic(
        features=[Path(path) for path in snakemake.input.features],
        model_dir=Path(snakemake.input.model).parent,
        sources=list(snakemake.params.sources),
        blocks=Path(snakemake.input.blocks),
        output=Path(snakemake.output.classes),
    ),
)
