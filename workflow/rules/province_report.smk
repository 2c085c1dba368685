# The standalone report of a province: one page to open from a disk, its map's tiles beside it.


rule province_report:
    """Map to pan, every figure and table in the paper's order, and where it all comes from."""
    input:
        shown=report_items,
        boundary=lambda wildcards: settings_of(wildcards.province).province.boundary,
        counties=lambda wildcards: settings_of(wildcards.province).province.counties,
        blocks="results/{province}/plan/blocks.parquet",
        known="results/{province}/report/blocks.parquet",
        mosaics=all_shards("mosaic", by_source=True),
        masks=all_shards("mask", by_source=True),
        maps=all_shards("map"),
        quality=all_shards("quality", by_source=True, suffix=".parquet"),
        features=all_shards("features", suffix=".parquet"),
        semantic="results/{province}/semantic/classes.parquet",
        options="results/{province}/integration/options.parquet",
        extents="results/{province}/labels/extents.parquet",
        lock="results/{province}/labels/labels.lock",
        validated="results/{province}/validation/province.json",
        stopping="results/{province}/validation/stopping.json",
        cards=cards_of_run,
        weights=models_of_run,
        compared=compared_blocks,
        products=all_product_inputs,
    output:
        page=report(
            "results/{province}/report.html",
            caption="../report/province_report.rst",
            category="0 Report",
            labels={"what": "The province on one page"},
        ),
        tiles=directory("results/{province}/report_files"),
    log:
        "logs/{province}/province_report.log",
    benchmark:
        "results/{province}/benchmarks/province_report.tsv"
    conda:
        "../../envs/croplayer.yaml"
    threads: 2
    resources:
        mem_mb=memory(4000),
        runtime=report_minutes,
    params:
        sources=source_names,
        province=section("province"),
        grid=section("grid"),
        report=section("report"),
        products=product_entries,
        files=files_by_product,
        parts=report_parts,
        label_round=round_of_run,
        configuration=report_configuration,
        note=report_note,
    script:
        "../../scripts/province_report.py"
