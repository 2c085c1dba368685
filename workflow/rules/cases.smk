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
    """What is asked of a case: tables alone, or maps with all that judges them."""
    files = []
    for name in cases:
        home = f"results/{name}"
        files += [
            f"{home}/{file}"
            for file in ["metrics.json", "report.html", "figures/harmonisation.png"]
        ]
        if case_of(name).case.stages == "statistics":
            continue
        files += [
            f"{home}/figures/{figure}_{year}.png"
            for figure in ("crops", "close_ups")
            for year in years_of(name)
        ]
        if is_withheld(name):
            files += [
                f"{home}/figures/{figure}_{year}.png"
                for figure in ("validation", "comparison")
                for year in years_of(name)
            ]
        if len(years_of(name)) > 1:
            files += [f"{home}/figures/{figure}.png" for figure in ("shares", "change")]
    return files


def systems_known_for(wildcards):
    """Params function: whether the totals of the systems hold in every target."""
    return case_of(wildcards.case).systems.known_for


def contestants(case, year):
    """The measures of the allocation, of the baselines and of other products."""
    validation = case_of(case).validation
    home = f"results/{case}/validation/{year}"
    names = ["max_score", *validation.baselines]
    return [f"{home}/{name}.json" for name in names] + [
        f"{home}/products/{name}.json" for name in validation.products
    ]


def contestant_files(wildcards):
    """Input function: see `contestants`."""
    return contestants(wildcards.case, wildcards.year)


def areas_of_contestant(wildcards):
    """The areas that a contestant placed: the allocation's parts, or a baseline's."""
    if wildcards.contestant == "max_score":
        return each_part("areas.parquet")(wildcards)
    return [
        f"results/{wildcards.case}/baselines/{wildcards.year}/{wildcards.contestant}.parquet"
    ]


def contestant_names(wildcards):
    """Params function: the allocation and the baselines beside it."""
    return ["max_score", *case_of(wildcards.case).validation.baselines]


def areas_by_contestant(wildcards):
    """Input function: the areas that each contestant placed, by its name."""
    home = f"results/{wildcards.case}/baselines/{wildcards.year}"
    placed = {"max_score": each_part("areas.parquet")(wildcards)}
    return placed | {
        name: f"{home}/{name}.parquet" for name in contestant_names(wildcards)[1:]
    }


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
