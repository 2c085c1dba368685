# What the rules share: the configuration of a province, its shards, and params that carry only
# the keys a rule uses, so that a changed value reruns what depends on it and nothing else.

import sys
from functools import cache
from importlib.metadata import version
from itertools import chain
from pathlib import Path

from cropbase.errors import CropError
from croplayer.grid.blocks import ID_PATTERN
from croplayer.settings.regions import region_of
from croplayer.terrain.dem import find_dem_files
from croplayer.tiles.checks import raster_paths
from croplayer.validation.official import official_area_ha
from croplayer.settings import NAME_PATTERN, Settings, load_settings, provinces_of

CONFIG_FOLDER = config.get("config_folder", "config")


def named(key):
    """The names that `--config key=a,b` gives, each once; [] if the key is not there."""
    given = str(config.get(key) or "")
    return list(
        dict.fromkeys(name.strip() for name in given.split(",") if name.strip())
    )


# The keys of `province` that say nothing of its polygons: figures and titles replan nothing.
OFFICIAL = ["official_area_ha", "official_area_table", "official_area_source"]
NO_GEOMETRY = [*OFFICIAL, "title", "generated"]


def readable(work):
    """Run `work`; a user's mistake ends snakemake with its message alone.

    An exception raised in an input function would come wrapped in a list of our own source lines.
    """
    try:
        return work()
    except CropError as error:
        print(f"\n{error}\n", file=sys.stderr)
        sys.exit(1)


# A nation stands for all provinces whose files extend it. A run of cases alone maps no province; a
# run of nothing at all maps the built-in one.
NATIONS = {
    nation: readable(lambda: provinces_of(nation, CONFIG_FOLDER))
    for nation in named("nations")
}
PROVINCES = list(dict.fromkeys([*named("provinces"), *chain(*NATIONS.values())]))
if not PROVINCES and not named("cases"):
    PROVINCES = ["demo"]


@cache
def settings_of(province):
    """The checked configuration of a province (read once a run)."""
    return readable(lambda: load_settings(province, CONFIG_FOLDER))


@cache
def shards_of(province):
    """{shard id: its planned blocks}, from the province's polygon: known before any job runs."""
    settings = settings_of(province)
    region = readable(lambda: region_of(settings.province.model_dump(mode="json")))
    grid = settings.grid.grid()
    return {
        shard.shard_id: shard.blocks
        for shard in grid.shards(grid.blocks_touching(region))
    }


def sources_of(province):
    """Names of the sources, A first."""
    return list(settings_of(province).sources)


def shard_files(stage, province, source=None, suffix=".tif"):
    """The files of a stage: one a shard (and source)."""
    folder = Path("results", province, stage, source or "")
    return [f"{folder / shard}{suffix}" for shard in shards_of(province)]


def all_shards(stage, *, by_source=False, suffix=".tif"):
    """Input function: the files of a stage over all shards (and, if so, all sources in order)."""

    def files(wildcards):
        sources = sources_of(wildcards.province) if by_source else [None]
        return [
            path
            for source in sources
            for path in shard_files(stage, wildcards.province, source, suffix)
        ]

    return files


def each_source(stage, suffix=".tif"):
    """Input function: a shard's file of every source, in order."""

    def files(wildcards):
        return [
            f"results/{wildcards.province}/{stage}/{source}/{wildcards.shard}{suffix}"
            for source in sources_of(wildcards.province)
        ]

    return files


def configuration(wildcards):
    """The configuration that a job belongs to: that of its case, or that of its province."""
    if hasattr(wildcards, "case"):
        return case_of(wildcards.case)
    return settings_of(wildcards.province)


def section(name, *, only=None, leave_out=()):
    """Params function: one section of the configuration, with the keys that a rule uses alone."""

    def values(wildcards):
        part = getattr(configuration(wildcards), name)
        wanted = None if only is None else set(only)
        return part.model_dump(mode="json", include=wanted, exclude=set(leave_out))

    return values


def key(name, field):
    """Params function: a single key of a section."""

    def value(wildcards):
        part = getattr(settings_of(wildcards.province), name)
        return part.model_dump(mode="json", include={field})[field]

    return value


def model_file(stage, name):
    """Input function: a file of a stage's model, trained here or in the province that lends it."""

    def path(wildcards):
        owner = (
            getattr(settings_of(wildcards.province).models, stage) or wildcards.province
        )
        return f"results/{owner}/{stage}/model/{name}"

    return path


def pretrained_files(wildcards):
    """Input function: the segmentation model that training starts from, [] where there is none."""
    folder = settings_of(wildcards.province).segmentation.pretrained_model
    return (
        []
        if folder is None
        else [f"{folder}/model.safetensors", f"{folder}/model.json"]
    )


def lenders_of(province):
    """The provinces whose models this one uses, or starts from."""
    settings = settings_of(province)
    names = set(settings.models.model_dump().values()) - {None}
    match settings.segmentation.pretrained_model and settings.segmentation.pretrained_model.parts:
        case ("results", name, "segmentation", "model"):
            names.add(name)
    return sorted(names)


def with_lenders(provinces):
    """The given provinces and those whose models they need, each once."""
    found = list(provinces)
    for province in found:  # grows while it is walked: a lender may borrow too
        found += [name for name in lenders_of(province) if name not in found]
    return found


def one_of(names):
    """A wildcard's pattern: these names alone, so that a province is never taken for a case."""
    return "|".join(names) or "none of this run"


def source_names(wildcards):
    """Params function: the names of the sources, A first."""
    return sources_of(wildcards.province)


@cache
def megapixels(province, shard):
    """Megapixels of a shard's mosaic: what the time of its jobs is reckoned from."""
    settings = settings_of(province)
    window = settings.grid.grid().shard_window(shards_of(province)[shard])
    window = window.buffered(settings.mosaic.halo_pixels)
    return window.height * window.width / 1e6


def memory(megabytes):
    """Resources function: memory of a job in MB, half as much again at each further attempt.

    The size of the shard is not asked for: memory hardly hangs on it
    (benchmarks/rules_memory.py).
    """

    def mem_mb(wildcards, attempt):
        return round(megabytes * (1 + 0.5 * (attempt - 1)))

    return mem_mb


def minutes(rate):
    """Resources function: time limit of a shard's job, three times what it should take.

    `rate` is a rate of the section `plan`: megapixels or blocks a second.
    """

    def runtime(wildcards, attempt):
        speed = getattr(settings_of(wildcards.province).plan, rate)
        if rate == "blocks_per_second":
            amount = len(shards_of(wildcards.province)[wildcards.shard])
        else:
            amount = megapixels(wildcards.province, wildcards.shard)
        return round((10 + 3 * amount / speed / 60) * attempt)

    return runtime


def download_minutes(wildcards, attempt):
    """Resources function: time limit of a download, from the provider's rate.

    A daily quota makes it wait for days; what it has fetched by the limit is kept in any case.
    """
    source = settings_of(wildcards.province).sources[wildcards.source]
    tiles = megapixels(wildcards.province, wildcards.shard) * 1e6 / 256**2
    # Mosaic pixels are as wide as those of zoom 16 at the equator; tiles shrink towards the poles.
    tiles *= 2.5 * 4 ** (source.zoom - 16)
    return round((15 + 3 * tiles / source.requests_per_second / 60) * attempt)


def is_generated(province):
    """True if everything of the province is generated."""
    return settings_of(province).province.generated


def note_of(wildcards):
    """Params function: what every figure of a generated province must say."""
    return "Generated data: no real place" if is_generated(wildcards.province) else ""


# What changes neither a tile's address nor its content: slowing down fetches nothing again.
DOWNLOAD_MANNERS = {
    "requests_per_second",
    "daily_quota",
    "quota_reset_utc_hour",
    "concurrency",
    "timeout_seconds",
    "max_attempts",
    "initial_backoff_seconds",
    "max_backoff_seconds",
    "max_retry_after_seconds",
    "outage_seconds",
    "user_agent",
    "terms_url",
    "terms_accepted",
}


def source_section(wildcards):
    """Params function: one source's settings, less the manners of its download."""
    source = settings_of(wildcards.province).sources[wildcards.source]
    return source.model_dump(mode="json", exclude=DOWNLOAD_MANNERS)


def download_slot(position):
    """1 for the source that stands at `position`: one downloader at a time for each provider."""

    def slot(wildcards):
        sources = sources_of(wildcards.province)
        return int(sources.index(wildcards.source) == position)

    return slot


def mosaic_imagery(wildcards):
    """The imagery that a mosaic is made of: fetched tiles, or the user's own files."""
    source = settings_of(wildcards.province).sources[wildcards.source]
    if source.kind == "xyz":
        return f"results/{wildcards.province}/tiles/{wildcards.source}/{wildcards.shard}.mbtiles"
    if source.kind == "mbtiles":
        return source.path
    return readable(
        lambda: [str(path) for path in raster_paths(wildcards.source, source)]
    )


def official_area(wildcards):
    """The official cropland area of a province in hectares, None where none is known."""
    return readable(
        lambda: official_area_ha(
            wildcards.province,
            area_ha=settings_of(wildcards.province).province.official_area_ha,
            table=settings_of(wildcards.province).province.official_area_table,
        )
    )


def pixel_maps(wildcards):
    """The masks of every source and, where there are two, the final map."""
    sources = sources_of(wildcards.province)
    files = [p for s in sources for p in shard_files("mask", wildcards.province, s)]
    return files + (shard_files("map", wildcards.province) if len(sources) > 1 else [])


# The figures of blocks that are also drawn of all provinces of a run together.
BLOCK_FIGURES = ["slope", "samples", "coverage", "density", "semantic", "options"]
BLOCK_FIGURES += ["fraction"]


def figures_of(provinces):
    """Every figure and table for people, of the given provinces.

    Those of one province are what its report shows (croplayer.report.contents).
    """
    pages = [
        f"results/{p}/{page}"
        for p in provinces
        for page in ["report.html", "validation/accuracy.html", "plan/preview.html"]
    ]
    if len(provinces) > 1:
        pages += [f"results/provinces/{name}.png" for name in BLOCK_FIGURES]
    return pages


def extra_metrics(wildcards):
    """What only some provinces measure: the generated one its truth, others products."""
    province, extra = wildcards.province, []
    if settings_of(province).demo:
        extra.append(f"results/{province}/validation/truth.json")
    if settings_of(province).comparison.products:
        extra.append(f"results/{province}/comparison/comparison.json")
    return extra


def report_facts(province):
    """What the report's first page says of a province (workflow/report/workflow.rst)."""
    settings = settings_of(province)
    grid = settings.grid
    return {
        "title": settings.province.title,
        "generated": settings.province.generated,
        "sources": list(settings.sources),
        "grid": f"{grid.block_degrees} degree blocks of {grid.pixels_per_block} pixels",
        "label_round": round_of(province),
        "version": version("croplayer"),
    }
