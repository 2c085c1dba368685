"""Rule tabulate_features: options as chosen, features as measured."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.report.feature_tables import write_feature_tables

run_job(
    snakemake,
    lambda: write_feature_tables(
        blocks=[Path(path) for path in snakemake.input.blocks],
        sources=snakemake.params.sources,
        options_csv=Path(snakemake.output.options),
        features_csv=Path(snakemake.output.features),
    ),
)
