# The paper's figures and tables of blocks: all that is known of every block in one table, and what is
# drawn from it. `provinces_report.smk` draws the same of several provinces.


rule tabulate_blocks:
    """All that is known of every block: the table that the figures of blocks are drawn from."""
    input:
        blocks="results/{province}/plan/blocks.parquet",
        features=all_shards("features", suffix=".parquet"),
        semantic="results/{province}/semantic/classes.parquet",
        options="results/{province}/integration/options.parquet",
        areas="results/{province}/validation/block_areas.parquet",
        extents=extents_for_choosing,
    output:
        table="results/{province}/report/blocks.parquet",
    log:
        "logs/{province}/tabulate_blocks.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
    params:
        sources=source_names,
        title=key("province", "title"),
    script:
        "../../scripts/tabulate_blocks.py"


rule plot_slope:
    """Slope of the land and of the cropland (Fig. 1)."""
    input:
        blocks=["results/{province}/report/blocks.parquet"],
    output:
        figure=report(
            "results/{province}/figures/slope.png",
            caption="../report/slope.rst",
            category="1 Study area",
            labels={"what": "Figure 1: slope"},
        ),
        table="results/{province}/report/slope.csv",
    log:
        "logs/{province}/plot_slope.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
    params:
        title=key("province", "title"),
        note=note_of,
    script:
        "../../scripts/plot_slope.py"


rule plot_samples:
    """Blocks with labels, with and without cropland (Fig. 3)."""
    input:
        blocks=["results/{province}/report/blocks.parquet"],
    output:
        figure=report(
            "results/{province}/figures/samples.png",
            caption="../report/samples.rst",
            category="7 Labels",
            labels={"what": "Figure 3: labelled blocks"},
        ),
    log:
        "logs/{province}/plot_samples.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
    params:
        title=key("province", "title"),
        note=note_of,
    script:
        "../../scripts/plot_samples.py"


rule plot_flow:
    """How the map is made, with the models and counts of the run (Fig. 5)."""
    input:
        blocks=["results/{province}/report/blocks.parquet"],
    output:
        figure=report(
            "results/{province}/figures/flow.png",
            caption="../report/flow.rst",
            category="1 Study area",
            labels={"what": "Figure 5: how the map is made"},
        ),
    log:
        "logs/{province}/plot_flow.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
    params:
        sources=source_names,
        coverage_model=architecture("coverage", "quality"),
        segmentation_model=architecture("segmentation", "segmentation"),
        label_round=lambda wildcards: round_of(wildcards.province),
        products=lambda wildcards: len(products_of(wildcards.province)),
        title=key("province", "title"),
        note=note_of,
    script:
        "../../scripts/plot_flow.py"


rule plot_coverage:
    """Shares of the coverage types by source (Fig. 6)."""
    input:
        blocks=["results/{province}/report/blocks.parquet"],
    output:
        figure=report(
            "results/{province}/figures/coverage.png",
            caption="../report/coverage.rst",
            category="4 Blocks",
            labels={"what": "Figure 6: coverage types"},
        ),
        table="results/{province}/report/coverage.csv",
    log:
        "logs/{province}/plot_coverage.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
    params:
        sources=source_names,
        title=key("province", "title"),
        note=note_of,
    script:
        "../../scripts/plot_coverage.py"


rule plot_quality:
    """Imagery, coverage types, saturation and sharpness of each source (Fig. 7)."""
    input:
        blocks=["results/{province}/report/blocks.parquet"],
        mosaics=all_shards("mosaic", by_source=True),
    output:
        figure=report(
            "results/{province}/figures/quality.png",
            caption="../report/quality.rst",
            category="4 Blocks",
            labels={"what": "Figure 7: imagery and its quality"},
        ),
    log:
        "logs/{province}/plot_quality.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
    params:
        sources=source_names,
        title=key("province", "title"),
        note=note_of,
    script:
        "../../scripts/plot_quality.py"


rule plot_density:
    """Share of the blocks that have labels, by county (Fig. 8)."""
    input:
        blocks=["results/{province}/report/blocks.parquet"],
    output:
        figure=report(
            "results/{province}/figures/density.png",
            caption="../report/density.rst",
            category="7 Labels",
            labels={"what": "Figure 8: sampling density"},
        ),
        table="results/{province}/report/density.csv",
    log:
        "logs/{province}/plot_density.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
    params:
        title=key("province", "title"),
        note=note_of,
    script:
        "../../scripts/plot_density.py"


rule tabulate_features:
    """The options as chosen (Table 4), the features as measured (Table 5)."""
    input:
        blocks=["results/{province}/report/blocks.parquet"],
    output:
        options=report(
            "results/{province}/report/option_facts.csv",
            caption="../report/option_facts.rst",
            category="4 Blocks",
            labels={"what": "Table 4: options"},
        ),
        features=report(
            "results/{province}/report/feature_facts.csv",
            caption="../report/feature_facts.rst",
            category="4 Blocks",
            labels={"what": "Table 5: features"},
        ),
    log:
        "logs/{province}/tabulate_features.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
    params:
        sources=source_names,
    script:
        "../../scripts/tabulate_features.py"


rule plot_semantic:
    """Maps and shares of the semantic classes of each source (Fig. 9)."""
    input:
        blocks=["results/{province}/report/blocks.parquet"],
    output:
        figure=report(
            "results/{province}/figures/semantic.png",
            caption="../report/semantic.rst",
            category="4 Blocks",
            labels={"what": "Figure 9: semantic classes"},
        ),
        table="results/{province}/report/semantic.csv",
    log:
        "logs/{province}/plot_semantic.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
    params:
        sources=source_names,
        title=key("province", "title"),
        note=note_of,
    script:
        "../../scripts/plot_semantic.py"


rule plot_options:
    """Map and shares of the integration options (Fig. 10)."""
    input:
        blocks=["results/{province}/report/blocks.parquet"],
    output:
        figure=report(
            "results/{province}/figures/options.png",
            caption="../report/options.rst",
            category="4 Blocks",
            labels={"what": "Figure 10: integration options"},
        ),
        table="results/{province}/report/options.csv",
    log:
        "logs/{province}/plot_options.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
    params:
        sources=source_names,
        title=key("province", "title"),
        note=note_of,
    script:
        "../../scripts/plot_options.py"


rule plot_fraction:
    """Area fraction of cropland in every block of the final map (Fig. 17)."""
    input:
        blocks=["results/{province}/report/blocks.parquet"],
    output:
        figure=report(
            "results/{province}/figures/fraction.png",
            caption="../report/fraction.rst",
            category="5 Map",
            labels={"what": "Figure 17: area fraction"},
        ),
        table="results/{province}/report/fraction.csv",
    log:
        "logs/{province}/plot_fraction.log",
    conda:
        "../../envs/croplayer.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
    params:
        title=key("province", "title"),
        note=note_of,
    script:
        "../../scripts/plot_fraction.py"
