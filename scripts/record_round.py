"""Rule record_round: decision, metrics and model card of a round."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.active.rounds.records import record_round

run_job(
    snakemake,
    lambda: record_round(
        number=int(snakemake.wildcards.round),
        decision=Path(snakemake.input.decision),
        metrics=Path(snakemake.input.metrics),
        card=Path(snakemake.input.card),
        folder=Path(snakemake.output.decision).parent,
    ),
)
