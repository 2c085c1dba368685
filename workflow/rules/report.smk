# What a person wants to see: figures, the accuracy table, the flat metrics of a run.


rule plot_overview:
    """Imagery, masks and the integrated map of the province, side by side."""
    input:
        boundary=lambda wildcards: settings_of(wildcards.province).province.boundary,
        counties=lambda wildcards: settings_of(wildcards.province).province.counties,
        mosaics=all_shards("mosaic", by_source=True),
        masks=all_shards("mask", by_source=True),
        maps=all_shards("map"),
    output:
        figure=report(
            "results/{province}/figures/overview.png",
            caption="../report/overview.rst",
            category="5 Map",
            labels={"what": "The province: imagery, masks, integrated map"},
        ),
    log:
        "logs/{province}/plot_overview.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
    params:
        sources=source_names,
        province=section("province", leave_out=OFFICIAL),
        note=note_of,
    script:
        "../../scripts/plot_overview.py"


rule plot_extents:
    """The validation extents close up: what was drawn, and where the masks agree with it."""
    input:
        mosaics=all_shards("mosaic", by_source=True),
        masks=all_shards("mask", by_source=True),
        polygons="results/{province}/labels/polygons.parquet",
        extents="results/{province}/labels/extents.parquet",
    output:
        figure=report(
            "results/{province}/figures/extents.png",
            caption="../report/extents.rst",
            category="6 Accuracy",
            labels={"what": "Validation extents: drawn and mapped"},
        ),
    log:
        "logs/{province}/plot_extents.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
    params:
        sources=source_names,
        title=key("province", "title"),
        note=note_of,
    script:
        "../../scripts/plot_extents.py"


rule plot_detail:
    """A few places at full resolution."""
    input:
        blocks="results/{province}/plan/blocks.parquet",
        mosaics=all_shards("mosaic", by_source=True),
        masks=all_shards("mask", by_source=True),
        maps=all_shards("map"),
        features=all_shards("features", suffix=".parquet"),
        options="results/{province}/integration/options.parquet",
    output:
        figure=report(
            "results/{province}/figures/detail.png",
            caption="../report/detail.rst",
            category="5 Map",
            labels={"what": "Places at full resolution"},
        ),
    log:
        "logs/{province}/plot_detail.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
    params:
        sources=source_names,
        grid=section("grid"),
        export=section("export"),
        title=key("province", "title"),
        note=note_of,
    script:
        "../../scripts/plot_detail.py"


rule plot_areas:
    """Cropland area of the four scenarios against the official figure (Fig. 12)."""
    input:
        province="results/{province}/validation/province.json",
    output:
        figure=report(
            "results/{province}/figures/areas.png",
            caption="../report/cropland_areas.rst",
            category="6 Accuracy",
            labels={"what": "Cropland area against the official figure"},
        ),
    log:
        "logs/{province}/plot_areas.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
    params:
        title=key("province", "title"),
        note=note_of,
    script:
        "../../scripts/plot_areas.py"


rule plot_rounds:
    """The three levels over the rounds of active learning, with their thresholds."""
    input:
        record=lambda wildcards: (
            f"results/{wildcards.province}/rounds/{round_of(wildcards.province)}/decision.json"
        ),
    output:
        figure=report(
            "results/{province}/figures/rounds.png",
            caption="../report/rounds.rst",
            category="6 Accuracy",
            labels={"what": "Rounds of active learning"},
        ),
        table="results/{province}/rounds/rounds.csv",
    log:
        "logs/{province}/plot_rounds.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
    params:
        others=other_rounds,
        title=key("province", "title"),
        note=note_of,
    script:
        "../../scripts/plot_rounds.py"


rule accuracy_table:
    """The three levels of validation in one table."""
    input:
        pixel="results/{province}/validation/pixel.json",
        block="results/{province}/validation/block.json",
        province="results/{province}/validation/province.json",
        stopping="results/{province}/validation/stopping.json",
    output:
        page=report(
            "results/{province}/validation/accuracy.html",
            caption="../report/accuracy.rst",
            category="6 Accuracy",
            labels={"what": "Accuracy at three levels"},
        ),
        table="results/{province}/validation/accuracy.csv",
    log:
        "logs/{province}/accuracy_table.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
    params:
        title=key("province", "title"),
        note=note_of,
    script:
        "../../scripts/accuracy_table.py"


rule collect_metrics:
    """Flat numbers with units, each from the stage that measured it."""
    input:
        pixel="results/{province}/validation/pixel.json",
        block="results/{province}/validation/block.json",
        province="results/{province}/validation/province.json",
        stopping="results/{province}/validation/stopping.json",
        coverage=model_file("coverage", "card.json"),
        segmentation=model_file("segmentation", "card.json"),
        semantic=model_file("semantic", "card.json"),
        integration=model_file("integration", "card.json"),
        areas="results/{province}/export/areas.csv",
        extra=extra_metrics,
    output:
        metrics=report(
            "results/{province}/metrics.json",
            caption="../report/metrics.rst",
            category="6 Accuracy",
            labels={"what": "All numbers of the run"},
        ),
    log:
        "logs/{province}/collect_metrics.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
    params:
        generated=key("province", "generated"),
        benchmarks="results/{province}/benchmarks",
    script:
        "../../scripts/collect_metrics.py"
