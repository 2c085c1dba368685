# Statistics of a case: read, averaged at the node years, harmonised, split by production system.


rule generate_allocation:
    """The inputs of the built-in case. They are generated: no real statistics, no real place."""
    input:
        files=case_files("demo"),
    output:
        stamp="results/{case}/generated/README.txt",
    log:
        "logs/{case}/generate_allocation.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
    params:
        demo=section("demo"),
    script:
        "../../scripts/generate_allocation.py"


rule read_statistics:
    """Tables as people have them, in one tidy table of hectares; findings say what was noticed."""
    input:
        files=case_files("statistics"),
        crops=lambda wildcards: case_of(wildcards.case).crops,
    output:
        units="results/{case}/statistics/units.parquet",
        reported="results/{case}/statistics/reported.parquet",
        findings="results/{case}/statistics/findings.csv",
    log:
        "logs/{case}/read_statistics.log",
    benchmark:
        "results/{case}/benchmarks/read_statistics.tsv"
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
    params:
        statistics=section("statistics"),
    script:
        "../../scripts/read_statistics.py"


rule average_statistics:
    """Five-year means at the node years, interpolated inside a unit's series."""
    input:
        reported="results/{case}/statistics/reported.parquet",
        units="results/{case}/statistics/units.parquet",
    output:
        nodes="results/{case}/statistics/nodes.parquet",
    log:
        "logs/{case}/average_statistics.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
    params:
        statistics=section("statistics"),
    script:
        "../../scripts/average_statistics.py"


rule harmonise_statistics:
    """All levels agree with the nation (Eq. 1-2); every change is in the audit."""
    input:
        nodes="results/{case}/statistics/nodes.parquet",
        units="results/{case}/statistics/units.parquet",
        cells=lambda wildcards: (
            "results/{case}/grid/cells.parquet" if case_of(wildcards.case).grid else []
        ),
    output:
        targets="results/{case}/statistics/targets.parquet",
        members="results/{case}/statistics/members.parquet",
        audit="results/{case}/statistics/audit.csv",
        reference="results/{case}/statistics/reference.parquet",
    log:
        "logs/{case}/harmonise_statistics.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
    params:
        statistics=section("statistics"),
    script:
        "../../scripts/harmonise_statistics.py"


rule plot_harmonisation:
    """How far the levels were from each other, before and after (as Fig. S5 and S6)."""
    input:
        audit="results/{case}/statistics/audit.csv",
        nodes="results/{case}/statistics/nodes.parquet",
        targets="results/{case}/statistics/targets.parquet",
    output:
        figure=report(
            "results/{case}/figures/harmonisation.png",
            caption="../report/harmonisation.rst",
            category="8 Statistics",
            labels={"what": "Harmonisation of the levels"},
        ),
    log:
        "logs/{case}/plot_harmonisation.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
    params:
        title=case_title,
        note=case_note,
    script:
        "../../scripts/plot_harmonisation.py"


rule classify_systems:
    """Irrigated, rainfed high-input and rainfed low-input area of every target (Eq. 3-7)."""
    input:
        targets="results/{case}/statistics/targets.parquet",
        members="results/{case}/statistics/members.parquet",
        units="results/{case}/statistics/units.parquet",
        cells="results/{case}/grid/cells.parquet",
        crops=lambda wildcards: case_of(wildcards.case).crops,
        files=case_files("systems"),
    output:
        areas="results/{case}/systems/areas.parquet",
        clips="results/{case}/systems/clips.csv",
    log:
        "logs/{case}/classify_systems.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
    params:
        systems=section("systems"),
    script:
        "../../scripts/classify_systems.py"
