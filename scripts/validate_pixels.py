"""Rule validate_pixels: the masks and the final map against held-out labels."""

from pathlib import Path

from cropbase.jobs import run_job
from croplayer.paths import by_source
from croplayer.settings.grid import GridSettings
from croplayer.settings.validation import ValidationSettings
from croplayer.validation.pixel import validate_pixels


def work():
    # The final map lies in `map/` itself, the masks in a folder a source.
    groups = by_source(snakemake.input.maps, [*snakemake.params.sources, "map"])
    integrated = groups.pop("map")
    validate_pixels(
        maps={**groups, "integrated": integrated} if integrated else groups,
        polygons=Path(snakemake.input.polygons),
        extents=Path(snakemake.input.extents),
        grid=GridSettings(**snakemake.params.grid).grid(),
        output=Path(snakemake.output.pixel),
        settings=ValidationSettings(**snakemake.params.validation),
    )


run_job(snakemake, work)
