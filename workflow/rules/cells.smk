# Cells of a case: their units, their cropland, their scores, and the land that is offered.


rule prepare_cells:
    """The allocation grid: which unit a cell belongs to."""
    input:
        units="results/{case}/statistics/units.parquet",
        files=case_files("grid"),
    output:
        cells="results/{case}/grid/cells.parquet",
        findings="results/{case}/grid/findings.csv",
    log:
        "logs/{case}/prepare_cells.log",
    benchmark:
        "results/{case}/benchmarks/prepare_cells.tsv"
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000),
    params:
        grid=section("grid"),
    script:
        "../../scripts/prepare_cells.py"


rule combine_cropland:
    """Cropland and irrigated cropland from several sources: mean, maximum, agreement, rank."""
    input:
        cells="results/{case}/grid/cells.parquet",
        files=case_files("synergy"),
    output:
        synergy="results/{case}/synergy/{year}.parquet",
        sources="results/{case}/synergy/{year}_sources.csv",
    log:
        "logs/{case}/combine_cropland/{year}.log",
    benchmark:
        "results/{case}/benchmarks/combine_cropland/{year}.tsv"
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000),
    params:
        synergy=section("synergy"),
    script:
        "../../scripts/combine_cropland.py"


rule score_suitability:
    """Scores of every crop and system (Eq. 8-10)."""
    input:
        cells="results/{case}/grid/cells.parquet",
        synergy="results/{case}/synergy/{year}.parquet",
        areas="results/{case}/systems/areas.parquet",
        members="results/{case}/statistics/members.parquet",
        crops=lambda wildcards: case_of(wildcards.case).crops,
        files=case_files("suitability"),
    output:
        scores="results/{case}/scores/{year}.parquet",
        activities="results/{case}/scores/{year}_activities.csv",
    log:
        "logs/{case}/score_suitability/{year}.log",
    benchmark:
        "results/{case}/benchmarks/score_suitability/{year}.tsv"
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(6000),
    params:
        suitability=section("suitability"),
    script:
        "../../scripts/score_suitability.py"


rule select_cells:
    """Demand against land in every unit, and promotion to the maximum, before any solver runs."""
    input:
        cells="results/{case}/grid/cells.parquet",
        synergy="results/{case}/synergy/{year}.parquet",
        areas="results/{case}/systems/areas.parquet",
        members="results/{case}/statistics/members.parquet",
        units="results/{case}/statistics/units.parquet",
    output:
        selected="results/{case}/allocation/{year}/cells.parquet",
        consistency="results/{case}/allocation/{year}/consistency.csv",
    log:
        "logs/{case}/select_cells/{year}.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
    params:
        selection=section("selection"),
        known_for=systems_known_for,
    script:
        "../../scripts/select_cells.py"
