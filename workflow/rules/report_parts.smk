# What the rules of the standalone reports share: what a run has of the figures and tables, and the
# configuration as its readers see it.

from cropalloc.report.contents import case_contents
from croplayer.report.contents import CONTENTS


def report_parts(wildcards):
    """Params function: the parts of a run (croplayer.report.contents.WHEN) that this one has."""
    province = wildcards.province
    settings = settings_of(province)
    products = bool(products_of(province))
    # Models are compared on demand: their table is shown where there is one.
    compared = Path("results", province, "model_comparison", "models.csv").exists()
    has = {
        "products": products,
        "reference": products and settings.comparison.reference is not None,
        "model_comparison": compared,
        "choosing": province in choosing_provinces(),
        "own_coverage": settings.models.coverage is None,
        "own_segmentation": settings.models.segmentation is None,
        "own_semantic": settings.models.semantic is None,
        "own_integration": settings.models.integration is None,
    }
    return [part for part, there in has.items() if there]


def report_items(wildcards):
    """Input function: the figures and tables of a province's report."""
    parts = {"always", *report_parts(wildcards)}
    return [
        f"results/{wildcards.province}/{item.path}"
        for item in CONTENTS
        if item.when in parts
    ]


def cards_of_run(wildcards):
    """Input function: the cards of the models behind the maps, in the order of models_of_run."""
    return [
        model_file(stage, "card.json")(wildcards)
        for stage in ("coverage", "segmentation", "semantic", "integration")
    ]


def compared_blocks(wildcards):
    """Input function: the blocks beside products, [] without products."""
    if not products_of(wildcards.province):
        return []
    return f"results/{wildcards.province}/comparison/blocks.parquet"


def round_of_run(wildcards):
    """Params function: the number of the round that the labels of this run are."""
    return round_of(wildcards.province)


def report_configuration(wildcards):
    """Params function: the configuration, less what changes no result."""
    return settings_of(wildcards.province).model_dump(
        mode="json",
        exclude={
            "plan": True,
            "desk": True,
            "report": True,
            "sources": {"__all__": DOWNLOAD_MANNERS},
            "comparison": {"download"},
        },
    )


def report_note(wildcards):
    """Params function: what the whole report of a generated province must say."""
    if products_of(wildcards.province):
        return product_note(wildcards)
    return note_of(wildcards)


def report_minutes(wildcards, attempt):
    """Resources function: time limit of a province's report, from the blocks that it shows."""
    blocks = sum(len(blocks) for blocks in shards_of(wildcards.province).values())
    return round((15 + blocks / 200) * attempt)


def case_report_parts(wildcards):
    """Params function: the parts of a case (cropalloc.report.contents.WHEN) that it has."""
    case = wildcards.case
    maps = case_of(case).case.stages == "maps"
    has = {
        "maps": maps,
        "validated": maps and is_withheld(case),
        "change": maps and len(years_of(case)) > 1,
    }
    return [part for part, there in has.items() if there]


def case_report_items(wildcards):
    """Input function: the figures and tables of a case's report."""
    case = wildcards.case
    parts = {"always", *case_report_parts(wildcards)}
    return [
        f"results/{case}/{item.path}"
        for item in case_contents(years_of(case), parts_of(case))
        if item.when in parts
    ]


def case_maps(wildcards):
    """Input function: what the map of a case's report shows, [] where it makes no maps."""
    if case_of(wildcards.case).case.stages == "statistics":
        return []
    home = f"results/{wildcards.case}"
    return [
        f"{home}/grid/cells.parquet",
        f"{home}/statistics/units.parquet",
        *each_year("results/{case}/maps/{year}")(wildcards),
        *each_year("results/{case}/maps/account_{year}.csv")(wildcards),
    ]


def case_years(wildcards):
    """Params function: the node years of a case."""
    return years_of(wildcards.case)


def case_jobs(wildcards):
    """Params function: the parts that the allocation of a year is divided into."""
    return parts_of(wildcards.case)


def case_configuration(wildcards):
    """Params function: the whole configuration of a case."""
    return case_of(wildcards.case).model_dump(mode="json", exclude={"report"})
