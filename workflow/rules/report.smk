# What a person wants to see: figures, the accuracy table, the flat metrics of a run.


def figures_of(provinces):
    """Every figure of the given provinces."""
    return []


rule collect_metrics:
    """Flat numbers with units, each from the stage that measured it."""
    input:
        pixel="results/{province}/validation/pixel.json",
        stopping="results/{province}/validation/stopping.json",
        export="results/{province}/export/areas.csv",
    output:
        metrics="results/{province}/metrics.json",
    log:
        "logs/{province}/collect_metrics.log",
    threads: 1
    resources:
        mem_mb=1000,
    script:
        "../../scripts/collect_metrics.py"
