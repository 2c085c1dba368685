"""Rule decide_stopping: whether active learning may stop in this province."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.settings.validation import ValidationSettings
from croplayer.validation.stopping import decide

run_job(
    snakemake,
    lambda: decide(
        pixel=Path(snakemake.input.pixel),
        block=Path(snakemake.input.block),
        province=Path(snakemake.input.province),
        settings=ValidationSettings(**snakemake.params.validation),
        round_number=snakemake.params.round_number,
        earlier=[Path(row["path"]) for row in snakemake.params.earlier],
        lock=Path(snakemake.input.lock),
        tables=[Path(path) for path in snakemake.input.tables],
        models=[Path(path) for path in snakemake.input.models],
        config_sha256=snakemake.params.config_sha256,
        output=Path(snakemake.output.stopping),
    ),
)
