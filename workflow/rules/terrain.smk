# Terrain: block medians of elevation, slope, ruggedness and roughness, equal to gdaldem's.


rule measure_terrain:
    input:
        blocks="results/{province}/plan/blocks.parquet",
        dem=lambda wildcards: [
            str(path)
            for path in readable(
                lambda: find_dem_files(settings_of(wildcards.province).terrain.dem)
            )
        ],
    output:
        terrain="results/{province}/terrain/{shard}.parquet",
    log:
        "logs/{province}/measure_terrain/{shard}.log",
    benchmark:
        "results/{province}/benchmarks/measure_terrain/{shard}.tsv"
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
    params:
        grid=section("grid"),
        terrain=section("terrain"),
    script:
        "../../scripts/measure_terrain.py"
