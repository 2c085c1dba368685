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
        output=Path(snakemake.output.stopping),
    ),
)
