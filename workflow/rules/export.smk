# County files: polygons with shared edges, every hectare accounted for.


rule export_counties:
    input:
        blocks="results/{province}/plan/blocks.parquet",
        counties=lambda wildcards: settings_of(wildcards.province).province.counties,
        boundary=lambda wildcards: settings_of(wildcards.province).province.boundary,
        maps=all_shards("map"),
    output:
        parquet="results/{province}/export/counties.parquet",
        archive="results/{province}/export/{province}.tar.gz",
        table=report(
            "results/{province}/export/areas.csv",
            caption="../report/areas.rst",
            category="7 County files",
            labels={"what": "Cropland area of each county, hectares"},
        ),
    log:
        "logs/{province}/export_counties.log",
    benchmark:
        "results/{province}/benchmarks/export_counties.tsv"
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(8000),
    params:
        province=section("province", leave_out=NO_GEOMETRY),
        grid=section("grid"),
        export=section("export"),
    script:
        "../../scripts/export_counties.py"
