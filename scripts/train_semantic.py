"""Rule train_semantic: the model of semantic correctness."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.blocks.semantic import train_semantic
from croplayer.settings.semantic import SemanticSettings

run_job(
    snakemake,
    lambda: train_semantic(
        features=[Path(path) for path in snakemake.input.features],
        labels=Path(snakemake.input.labels),
        settings=SemanticSettings(**snakemake.params.semantic),
        model_dir=Path(snakemake.output.model).parent,
        importance_png=Path(snakemake.output.importance),
    ),
)
