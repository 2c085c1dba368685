# The standalone report of a case: one page to open from a disk, its map's tiles beside it.


rule case_report:
    """Map to pan, every figure and table in the paper's order, and where it all comes from."""
    input:
        shown=case_report_items,
        maps=case_maps,
    output:
        page=report(
            "results/{case}/report.html",
            caption="../report/case_report.rst",
            category="0 Report",
            labels={"what": "The crop maps on one page"},
        ),
        tiles=directory("results/{case}/report_files"),
    log:
        "logs/{case}/case_report.log",
    benchmark:
        "results/{case}/benchmarks/case_report.tsv"
    conda:
        "../../envs/croplayer.yaml"
    threads: 2
    resources:
        mem_mb=memory(4000),
    params:
        years=case_years,
        jobs=case_jobs,
        parts=case_report_parts,
        maps=section("maps"),
        report=section("report"),
        configuration=case_configuration,
        title=case_title,
        note=case_note,
    script:
        "../../scripts/case_report.py"
