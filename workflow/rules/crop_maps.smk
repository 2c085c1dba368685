# From allocated areas to GeoTIFFs, and what they are judged by.


rule write_maps:
    """GeoTIFFs of harvested hectares, A = I + H + L, and the account of every hectare."""
    input:
        cells="results/{case}/grid/cells.parquet",
        areas=each_part("areas.parquet"),
        slack=each_part("slack.csv"),
        targets="results/{case}/statistics/targets.parquet",
        members="results/{case}/statistics/members.parquet",
        systems="results/{case}/systems/areas.parquet",
    output:
        folder=directory("results/{case}/maps/{year}"),
        account=report(
            "results/{case}/maps/account_{year}.csv",
            caption="../report/account.rst",
            category="9 Crop maps",
            labels={"what": "Account of hectares {year}"},
        ),
    log:
        "logs/{case}/write_maps/{year}.log",
    benchmark:
        "results/{case}/benchmarks/write_maps/{year}.tsv"
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000),
    params:
        maps=section("maps"),
        known_for=systems_known_for,
        note=case_note,
    script:
        "../../scripts/write_maps.py"


rule plot_crops:
    """The maps of the crops with the largest area."""
    input:
        folder="results/{case}/maps/{year}",
        account="results/{case}/maps/account_{year}.csv",
    output:
        figure=report(
            "results/{case}/figures/crops_{year}.png",
            caption="../report/crops.rst",
            category="9 Crop maps",
            labels={"what": "Crops {year}"},
        ),
    log:
        "logs/{case}/plot_crops/{year}.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
    params:
        maps=section("maps"),
        title=case_title,
        note=case_note,
    script:
        "../../scripts/plot_crops.py"


rule allocate_baseline:
    """The same statistics, placed in proportion: what the allocation must beat."""
    input:
        selected="results/{case}/allocation/{year}/cells.parquet",
        members="results/{case}/statistics/members.parquet",
        systems="results/{case}/systems/areas.parquet",
        scores="results/{case}/scores/{year}.parquet",
    output:
        areas="results/{case}/baselines/{year}/{baseline}.parquet",
    log:
        "logs/{case}/allocate_baseline/{year}_{baseline}.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
    params:
        capped=lambda wildcards: case_of(wildcards.case).validation.baseline_capped,
    script:
        "../../scripts/allocate_baseline.py"


rule validate_allocation:
    """Allocated against statistics of a level that was not used (Eq. 17-19)."""
    input:
        cells="results/{case}/grid/cells.parquet",
        areas=areas_of_contestant,
        reference="results/{case}/statistics/reference.parquet",
        units="results/{case}/statistics/units.parquet",
        files=case_files("validation"),
    output:
        metrics="results/{case}/validation/{year}/{contestant}.json",
        pairs="results/{case}/validation/{year}/{contestant}_pairs.parquet",
    log:
        "logs/{case}/validate_allocation/{year}_{contestant}.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
    params:
        validation=section("validation"),
    script:
        "../../scripts/validate_allocation.py"


rule compare_product:
    """Another gridded product against the same statistics, by the same units (as Fig. 7)."""
    input:
        cells="results/{case}/grid/cells.parquet",
        reference="results/{case}/statistics/reference.parquet",
        units="results/{case}/statistics/units.parquet",
        files=case_files("validation"),
    output:
        metrics="results/{case}/validation/{year}/products/{product}.json",
        pairs="results/{case}/validation/{year}/products/{product}_pairs.parquet",
    log:
        "logs/{case}/compare_product/{year}_{product}.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
    params:
        validation=section("validation"),
    script:
        "../../scripts/compare_product.py"


rule plot_validation:
    """Allocated and reported area, a crop a panel (as Fig. 5)."""
    input:
        metrics="results/{case}/validation/{year}/max_score.json",
        pairs="results/{case}/validation/{year}/max_score_pairs.parquet",
    output:
        figure=report(
            "results/{case}/figures/validation_{year}.png",
            caption="../report/crop_validation.rst",
            category="9b Crop accuracy",
            labels={"what": "Allocated and reported {year}"},
        ),
    log:
        "logs/{case}/plot_validation/{year}.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
    params:
        title=case_title,
        note=case_note,
    script:
        "../../scripts/plot_validation.py"


rule plot_comparison:
    """The allocation beside the baselines and other products: table and figure (as Fig. 7)."""
    input:
        metrics=contestant_files,
    output:
        figure=report(
            "results/{case}/figures/comparison_{year}.png",
            caption="../report/crop_comparison.rst",
            category="9b Crop accuracy",
            labels={"what": "Beside baselines and products {year}"},
        ),
        table="results/{case}/validation/accuracy_{year}.csv",
        page=report(
            "results/{case}/validation/accuracy_{year}.html",
            caption="../report/crop_comparison.rst",
            category="9b Crop accuracy",
            labels={"what": "Accuracy table {year}"},
        ),
    log:
        "logs/{case}/plot_comparison/{year}.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
    params:
        title=case_title,
        note=case_note,
    script:
        "../../scripts/plot_comparison.py"


rule plot_close_ups:
    """The allocation close up, beside the baselines and other products (as Fig. 6)."""
    input:
        unpack(areas_by_contestant),
        cells="results/{case}/grid/cells.parquet",
        selected="results/{case}/allocation/{year}/cells.parquet",
        files=case_files("validation"),
    output:
        figure=report(
            "results/{case}/figures/close_ups_{year}.png",
            caption="../report/close_ups.rst",
            category="9b Crop accuracy",
            labels={"what": "Close up, beside baselines {year}"},
        ),
    log:
        "logs/{case}/plot_close_ups/{year}.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
    params:
        validation=section("validation"),
        contestants=lambda wildcards: placed_by(wildcards.case),
        title=case_title,
        note=case_note,
    script:
        "../../scripts/plot_close_ups.py"


rule analyse_change:
    """Crop shares (Fig. 3), standard deviational ellipses (Eq. 20-23) and profiles."""
    input:
        folders=each_year("results/{case}/maps/{year}"),
    output:
        shares="results/{case}/change/shares.csv",
        ellipses="results/{case}/change/ellipses.csv",
        profiles="results/{case}/change/profiles.csv",
    log:
        "logs/{case}/analyse_change.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
    params:
        years=lambda wildcards: years_of(wildcards.case),
        maps=section("maps"),
        change=section("change"),
    script:
        "../../scripts/analyse_change.py"


rule plot_change:
    """Shares of the crops over the years, and how their ellipses moved."""
    input:
        shares="results/{case}/change/shares.csv",
        ellipses="results/{case}/change/ellipses.csv",
        profiles="results/{case}/change/profiles.csv",
        folders=each_year("results/{case}/maps/{year}"),
    output:
        shares=report(
            "results/{case}/figures/shares.png",
            caption="../report/change.rst",
            category="9c Crop change",
            labels={"what": "Shares of the crops"},
        ),
        change=report(
            "results/{case}/figures/change.png",
            caption="../report/change.rst",
            category="9c Crop change",
            labels={"what": "Ellipses and profiles"},
        ),
    log:
        "logs/{case}/plot_change.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
    params:
        years=lambda wildcards: years_of(wildcards.case),
        maps=section("maps"),
        title=case_title,
        note=case_note,
    script:
        "../../scripts/plot_change.py"


rule collect_case_metrics:
    """metrics.json of the case: flat names, each from the stage that measured it."""
    input:
        unpack(measured_of_case),
    output:
        metrics="results/{case}/metrics.json",
    log:
        "logs/{case}/collect_case_metrics.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
    params:
        years=lambda wildcards: years_of(wildcards.case),
        generated=lambda wildcards: case_of(wildcards.case).case.generated,
        benchmarks="results/{case}/benchmarks",
    script:
        "../../scripts/collect_case_metrics.py"
