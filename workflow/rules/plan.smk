# Provinces and blocks: province polygon -> blocks of the global grid -> shards, and what they cost.


rule plan_blocks:
    """Every block that shares area with the province, with its shard and county."""
    input:
        boundary=lambda wildcards: settings_of(wildcards.province).province.boundary,
        counties=lambda wildcards: settings_of(wildcards.province).province.counties,
    output:
        blocks="results/{province}/plan/blocks.parquet",
    log:
        "logs/{province}/plan_blocks.log",
    benchmark:
        "results/{province}/benchmarks/plan_blocks.tsv"
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
    params:
        province=section("province", leave_out=NO_GEOMETRY),
        grid=section("grid"),
    script:
        "../../scripts/plan_blocks.py"


rule preview_plan:
    """Tile requests, disk and hours, before anything is fetched."""
    input:
        blocks="results/{province}/plan/blocks.parquet",
    output:
        table="results/{province}/plan/preview.json",
        page=report(
            "results/{province}/plan/preview.html",
            caption="../report/preview.rst",
            category="1 Plan",
            labels={"what": "Preview of requests, disk and hours"},
        ),
    log:
        "logs/{province}/preview_plan.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
    params:
        title=key("province", "title"),
        grid=section("grid"),
        plan=section("plan"),
        halo_pixels=key("mosaic", "halo_pixels"),
        sources=lambda wildcards: settings_of(wildcards.province).model_dump(
            mode="json", include={"sources"}
        )["sources"],
    script:
        "../../scripts/preview_plan.py"


rule preview_nation:
    """The plans of a nation's provinces added up: requests, disk, jobs and hours a stage."""
    input:
        previews=lambda wildcards: [
            f"results/{province}/plan/preview.json"
            for province in NATIONS[wildcards.nation]
        ],
    output:
        table="results/nations/{nation}/plan.json",
        page=report(
            "results/nations/{nation}/plan.html",
            caption="../report/preview.rst",
            category="1 Plan",
            labels={"what": "All provinces: requests, disk, jobs and hours"},
        ),
    log:
        "logs/nations/{nation}/preview_nation.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
    script:
        "../../scripts/preview_nation.py"
