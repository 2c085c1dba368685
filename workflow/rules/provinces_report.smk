# The figures of blocks for all provinces of the run together, from the same scripts. Each province has
# its bar where the figure of a single one has its counties or sources.


use rule plot_slope as plot_slope_of_all with:
    input:
        blocks=all_block_tables,
    output:
        figure=report(
            "results/provinces/slope.png",
            caption="../report/slope.rst",
            category="1 Study area",
            labels={"what": "Figure 1: slope, all provinces"},
        ),
        table="results/provinces/slope.csv",
    log:
        "logs/plot_slope_of_all.log",
    resources:
        mem_mb=memory(3000),
    params:
        title=title_of_all,
        note=note_of_all,


use rule plot_samples as plot_samples_of_all with:
    input:
        blocks=all_block_tables,
    output:
        figure=report(
            "results/provinces/samples.png",
            caption="../report/samples.rst",
            category="7 Labels",
            labels={"what": "Figure 3: labelled blocks, all provinces"},
        ),
    log:
        "logs/plot_samples_of_all.log",
    resources:
        mem_mb=memory(3000),
    params:
        title=title_of_all,
        note=note_of_all,


use rule plot_coverage as plot_coverage_of_all with:
    input:
        blocks=all_block_tables,
    output:
        figure=report(
            "results/provinces/coverage.png",
            caption="../report/coverage.rst",
            category="4 Blocks",
            labels={"what": "Figure 6: coverage types, all provinces"},
        ),
        table="results/provinces/coverage.csv",
    log:
        "logs/plot_coverage_of_all.log",
    resources:
        mem_mb=memory(3000),
    params:
        sources=names_of_both,
        title=title_of_all,
        note=note_of_all,


use rule plot_density as plot_density_of_all with:
    input:
        blocks=all_block_tables,
    output:
        figure=report(
            "results/provinces/density.png",
            caption="../report/density.rst",
            category="7 Labels",
            labels={"what": "Figure 8: sampling density, all provinces"},
        ),
        table="results/provinces/density.csv",
    log:
        "logs/plot_density_of_all.log",
    resources:
        mem_mb=memory(3000),
    params:
        title=title_of_all,
        note=note_of_all,


use rule plot_semantic as plot_semantic_of_all with:
    input:
        blocks=all_block_tables,
    output:
        figure=report(
            "results/provinces/semantic.png",
            caption="../report/semantic.rst",
            category="4 Blocks",
            labels={"what": "Figure 9: semantic classes, all provinces"},
        ),
        table="results/provinces/semantic.csv",
    log:
        "logs/plot_semantic_of_all.log",
    resources:
        mem_mb=memory(3000),
    params:
        sources=names_of_both,
        title=title_of_all,
        note=note_of_all,


use rule plot_options as plot_options_of_all with:
    input:
        blocks=all_block_tables,
    output:
        figure=report(
            "results/provinces/options.png",
            caption="../report/options.rst",
            category="4 Blocks",
            labels={"what": "Figure 10: integration options, all provinces"},
        ),
        table="results/provinces/options.csv",
    log:
        "logs/plot_options_of_all.log",
    resources:
        mem_mb=memory(3000),
    params:
        sources=names_of_both,
        title=title_of_all,
        note=note_of_all,


use rule plot_fraction as plot_fraction_of_all with:
    input:
        blocks=all_block_tables,
    output:
        figure=report(
            "results/provinces/fraction.png",
            caption="../report/fraction.rst",
            category="5 Map",
            labels={"what": "Figure 17: area fraction, all provinces"},
        ),
        table="results/provinces/fraction.csv",
    log:
        "logs/plot_fraction_of_all.log",
    resources:
        mem_mb=memory(3000),
    params:
        title=title_of_all,
        note=note_of_all,


rule plot_province_iou:
    """IoU of the products with the map in every province of the run (Fig. 13)."""
    input:
        pixels=lambda wildcards: [
            f"results/{p}/comparison/pixels.csv" for p in PROVINCES if products_of(p)
        ],
    output:
        figure=report(
            "results/provinces/iou.png",
            caption="../report/provinces_iou.rst",
            category="7b Products",
            labels={"what": "Figure 13: IoU, all provinces"},
        ),
        table="results/provinces/iou.csv",
    log:
        "logs/plot_province_iou.log",
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
        "../../scripts/plot_province_iou.py"
