# The final map beside existing products: pixels, blocks, province, reference sample (section 3.4).


rule fetch_product:
    """The tiles of a product that the province needs, from its open address; resumable."""
    input:
        boundary=lambda wildcards: settings_of(wildcards.province).province.boundary,
        checksums=lambda wildcards: (
            settings_of(wildcards.province)
            .comparison.products[wildcards.product]
            .checksums
            or []
        ),
    output:
        manifest="results/{province}/products/{product}/manifest.json",
    log:
        "logs/{province}/fetch_product/{product}.log",
    benchmark:
        "results/{province}/benchmarks/fetch_product/{product}.tsv"
    retries: 1
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
    params:
        # The manners of the download are no params: slowing down fetches nothing again.
        product=lambda wildcards: products_of(wildcards.province)[
            wildcards.product
        ].model_dump(mode="json", include={"download", "tiling"}),
        province=section("province", leave_out=NO_GEOMETRY),
        config_folder=CONFIG_FOLDER,
    script:
        "../../scripts/fetch_product.py"


rule compare_shard:
    """A shard of the final map beside one product, block by block, on the map's pixel grid."""
    input:
        blocks="results/{province}/plan/blocks.parquet",
        boundary=lambda wildcards: settings_of(wildcards.province).province.boundary,
        map=final_map,
        product=product_input,
    output:
        table="results/{province}/comparison/{product}/{shard}.parquet",
        classes="results/{province}/comparison/{product}/{shard}.json",
    log:
        "logs/{province}/compare_shard/{product}/{shard}.log",
    benchmark:
        "results/{province}/benchmarks/compare_shard/{product}/{shard}.tsv"
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(1500),
        runtime=minutes("blocks_per_second"),
    params:
        grid=section("grid"),
        province=section("province", leave_out=NO_GEOMETRY),
        product=lambda wildcards: products_of(wildcards.province)[
            wildcards.product
        ].raster(),
    script:
        "../../scripts/compare_shard.py"


rule assess_reference:
    """Design-based accuracy and area of the final map and every product (Olofsson et al. 2014)."""
    input:
        sample=reference_files,
        boundary=lambda wildcards: settings_of(wildcards.province).province.boundary,
        maps=final_maps,
        products=all_product_inputs,
    output:
        accuracy="results/{province}/comparison/accuracy.csv",
        groups="results/{province}/comparison/groups.csv",
    log:
        "logs/{province}/assess_reference.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(1500),
    params:
        grid=section("grid"),
        province=section("province", leave_out=NO_GEOMETRY),
        products=product_entries,
        files=files_by_product,
        own_definition=own_definition,
    script:
        "../../scripts/assess_reference.py"


rule summarise_comparison:
    """The tables of the comparison of a province: every planned block once for each product."""
    input:
        blocks="results/{province}/plan/blocks.parquet",
        tables=compared(".parquet"),
        classes=compared(".json"),
        terrain=all_shards("terrain", suffix=".parquet"),
        province="results/{province}/validation/province.json",
        groups=reference_results("groups.csv"),
    output:
        blocks="results/{province}/comparison/blocks.parquet",
        pixels="results/{province}/comparison/pixels.csv",
        classes="results/{province}/comparison/classes.csv",
        areas="results/{province}/comparison/areas.csv",
        slopes="results/{province}/comparison/slopes.csv",
        definitions="results/{province}/comparison/definitions.csv",
        findings="results/{province}/comparison/findings.csv",
        numbers="results/{province}/comparison/comparison.json",
    log:
        "logs/{province}/summarise_comparison.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
    params:
        products=product_entries,
        own_definition=own_definition,
        comparison=section(
            "comparison",
            only=["map_year", "least_coverage", "least_af", "slope_edges_degrees"],
        ),
    script:
        "../../scripts/summarise_comparison.py"


rule compare_provinces:
    """Products and scenarios against the official areas of all provinces of the run."""
    input:
        areas=lambda wildcards: [
            f"results/{p}/comparison/areas.csv" for p in PROVINCES if products_of(p)
        ],
    output:
        table=report(
            "results/provinces/areas.csv",
            caption="../report/provinces_areas.rst",
            category="7b Products",
            labels={"what": "Area of each province"},
        ),
        counts=report(
            "results/provinces/within.csv",
            caption="../report/provinces_areas.rst",
            category="7b Products",
            labels={"what": "Provinces within the tolerance"},
        ),
        figure=report(
            "results/provinces/areas.png",
            caption="../report/provinces_areas.rst",
            category="7b Products",
            labels={"what": "Percentage of official area, all provinces"},
        ),
    log:
        "logs/compare_provinces.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
    params:
        titles=lambda wildcards: {
            p: settings_of(p).province.title for p in PROVINCES if products_of(p)
        },
        generated=lambda wildcards: [
            p for p in PROVINCES if products_of(p) and is_generated(p)
        ],
    script:
        "../../scripts/compare_provinces.py"
