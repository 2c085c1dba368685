"""Rule train_integration: the model of the integration option."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.blocks.integration import train_integration
from croplayer.settings.integration import IntegrationSettings

run_job(
    snakemake,
    lambda: train_integration(
        features=[Path(path) for path in snakemake.input.features],
        semantic=Path(snakemake.input.semantic),
        labels=Path(snakemake.input.labels),
        sources=list(snakemake.params.sources),
        settings=IntegrationSettings(**snakemake.params.integration),
        model_dir=Path(snakemake.output.model).parent,
        importance_png=Path(snakemake.output.importance),
    ),
)
