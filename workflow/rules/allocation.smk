# The maximum-score allocation (Eq. 11-16), in as many jobs as the case asks for.


rule allocate:
    """Place the statistics of one part of the units; slack and certificate go with it."""
    input:
        selected="results/{case}/allocation/{year}/cells.parquet",
        scores="results/{case}/scores/{year}.parquet",
        areas="results/{case}/systems/areas.parquet",
        members="results/{case}/statistics/members.parquet",
    output:
        areas="results/{case}/allocation/{year}/{part}/areas.parquet",
        slack="results/{case}/allocation/{year}/{part}/slack.csv",
        certificate="results/{case}/allocation/{year}/{part}/certificate.json",
    log:
        "logs/{case}/allocate/{year}_{part}.log",
    benchmark:
        "results/{case}/benchmarks/allocate/{year}_{part}.tsv"
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000),
    params:
        allocation=section("allocation"),
        known_for=systems_known_for,
        part=lambda wildcards: int(wildcards.part),
    script:
        "../../scripts/allocate.py"
