# What the rules of the allocation share: the configuration of a case and the files that it names.

from cropalloc.settings import load_case
from cropbase.config import files_named, texts_of

CASES = named("cases")


@cache
def case_of(case):
    """The checked configuration of a case (read once a run)."""
    return readable(lambda: load_case(case, CONFIG_FOLDER))


def case_files(*names):
    """Input function: every file that the named sections of a case speak of."""

    def files(wildcards):
        case = case_of(wildcards.case)
        found = set()
        for name in names:
            for text in texts_of(getattr(case, name)):
                found.update(made_here(text) or files_named(text))
        return sorted(found)

    return files


def made_here(text):
    """The files behind a path that this workflow itself makes, [] for any other text."""
    match Path(text).parts:
        case ("results", name, "map", _) if name in PROVINCES:
            return shard_files("map", name)
        case ("results", name, "generated", *_) if name in CASES and case_of(name).demo:
            return [f"results/{name}/generated/README.txt"]
        case ("results", *_):
            return [text]
    return []


def years_of(case):
    """The node years of a case."""
    return case_of(case).statistics.nodes


def parts_of(case):
    """Names of the jobs that the allocation of a year is divided into."""
    return [f"{n:03d}" for n in range(1, case_of(case).allocation.jobs + 1)]


def each_part(name):
    """Input function: a file of every part of the year's allocation."""

    def files(wildcards):
        return [
            f"results/{wildcards.case}/allocation/{wildcards.year}/{part}/{name}"
            for part in parts_of(wildcards.case)
        ]

    return files


def each_year(pattern):
    """Input function: a file of every node year of the case."""

    def files(wildcards):
        return [
            pattern.format(case=wildcards.case, year=year)
            for year in years_of(wildcards.case)
        ]

    return files


def case_title(wildcards):
    """Params function: the title of a case."""
    return case_of(wildcards.case).case.title


def case_note(wildcards):
    """Params function: what every figure of a generated case must say."""
    return (
        "Generated data: no real place"
        if case_of(wildcards.case).case.generated
        else ""
    )


def is_withheld(case):
    """True if some levels of the statistics are kept aside to validate against."""
    return case_of(case).statistics.use_levels is not None


def case_targets(cases):
    """What is asked of a case: its numbers, and its report with all that this shows."""
    return [
        f"results/{name}/{file}"
        for name in cases
        for file in ["metrics.json", "report.html"]
    ]


def systems_known_for(wildcards):
    """Params function: whether the totals of the systems hold in every target."""
    return case_of(wildcards.case).systems.known_for


def contestants(case, year):
    """The measures of the allocation, of the baselines and of other products."""
    home = f"results/{case}/validation/{year}"
    return [f"{home}/{name}.json" for name in placed_by(case)] + [
        f"{home}/products/{name}.json" for name in case_of(case).validation.products
    ]


def placed_by(case):
    """Who places the statistics of a case: the allocation, and the baselines beside it."""
    return ["max_score", *case_of(case).validation.baselines]


def contestant_files(wildcards):
    """Input function: see `contestants`."""
    return contestants(wildcards.case, wildcards.year)


def areas_placed(wildcards, contestant):
    """The areas that a contestant placed: the allocation's parts, or a baseline's."""
    if contestant == "max_score":
        return each_part("areas.parquet")(wildcards)
    return [f"results/{wildcards.case}/baselines/{wildcards.year}/{contestant}.parquet"]


def areas_of_contestant(wildcards):
    """Input function: the areas that the contestant of the job placed."""
    return areas_placed(wildcards, wildcards.contestant)


def areas_by_contestant(wildcards):
    """Input function: the areas that each contestant placed, by its name."""
    return {name: areas_placed(wildcards, name) for name in placed_by(wildcards.case)}


def measured_of_case(wildcards):
    """Input function: whatever the stages of this case measured."""
    case, home = wildcards.case, f"results/{wildcards.case}"
    found = {"audit": f"{home}/statistics/audit.csv"}
    if case_of(case).case.stages == "statistics":
        return found
    years = years_of(case)
    found["clips"] = f"{home}/systems/clips.csv"
    found["accounts"] = [f"{home}/maps/account_{year}.csv" for year in years]
    found["consistency"] = [
        f"{home}/allocation/{year}/consistency.csv" for year in years
    ]
    found["certificates"] = [
        f"{home}/allocation/{year}/{part}/certificate.json"
        for year in years
        for part in parts_of(case)
    ]
    if is_withheld(case):
        found["validations"] = [p for year in years for p in contestants(case, year)]
    if len(years) > 1:
        found["shares"] = f"{home}/change/shares.csv"
        found["ellipses"] = f"{home}/change/ellipses.csv"
    return found


config["report_cases"] = {
    case: {
        "title": case_of(case).case.title,
        "generated": case_of(case).case.generated,
        "years": years_of(case),
    }
    for case in CASES
}
