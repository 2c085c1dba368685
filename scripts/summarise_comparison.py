"""Rule summarise_comparison: the tables of the comparison of a province."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.comparison.summary import summarise_comparison
from croplayer.settings.comparison import ComparisonSettings
from croplayer.settings.products import Definition, Product

params = snakemake.params

run_job(
    snakemake,
    lambda: summarise_comparison(
        blocks=Path(snakemake.input.blocks),
        tables=[Path(path) for path in snakemake.input.tables],
        classes=[Path(path) for path in snakemake.input.classes],
        terrain=[Path(path) for path in snakemake.input.terrain],
        province_json=Path(snakemake.input.province),
        products={name: Product(**entry) for name, entry in params.products.items()},
        own_definition=Definition(**params.own_definition),
        settings=ComparisonSettings(**params.comparison),
        groups_csv=Path(snakemake.input.groups) if snakemake.input.groups else None,
        output=Path(snakemake.output.numbers).parent,
    ),
)
