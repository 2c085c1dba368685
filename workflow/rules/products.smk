# What the rules of the comparison share: the products that a province names, and their files.

from croplayer.comparison.catalogue import chosen_products, read_catalogue
from croplayer.comparison.files import find_files


@cache
def catalogue_of(province):
    """The catalogue that a province's configuration names (read once a run)."""
    return readable(lambda: read_catalogue(settings_of(province).comparison.catalogue))


@cache
def products_of(province):
    """{short name: entry of the catalogue} of the products that a province is compared with."""
    chosen = settings_of(province).comparison.products
    return (
        readable(lambda: chosen_products(catalogue_of(province), chosen))
        if chosen
        else {}
    )


def product_files(province, name):
    """The files of a product as the user has them, or the manifest of what was downloaded."""
    chosen = settings_of(province).comparison.products[name]
    if chosen.download:
        return [f"results/{province}/products/{name}/manifest.json"]
    entry = products_of(province)[name]
    return [str(p) for p in readable(lambda: find_files(name, entry, chosen.files))]


def product_input(wildcards):
    """Input function: the files of the product of the job."""
    return product_files(wildcards.province, wildcards.product)


def all_product_inputs(wildcards):
    """Input function: the files of every product, in order."""
    return [
        path
        for name in products_of(wildcards.province)
        for path in product_files(wildcards.province, name)
    ]


def files_by_product(wildcards):
    """Params function: {product: its files or manifest}."""
    names = products_of(wildcards.province)
    return {name: product_files(wildcards.province, name) for name in names}


def product_entries(wildcards):
    """Params function: {product: its entry of the catalogue}."""
    entries = products_of(wildcards.province)
    return {name: entry.model_dump(mode="json") for name, entry in entries.items()}


def product_rasters(wildcards):
    """Params function: {product: what the codes of its files mean}."""
    entries = products_of(wildcards.province)
    return {name: entry.raster() for name, entry in entries.items()}


def product_titles(wildcards):
    """Params function: {product: its name on figures}."""
    entries = products_of(wildcards.province)
    return {name: entry.title for name, entry in entries.items()}


def product_note(wildcards):
    """Params function: what every figure beside the products of a generated province must say."""
    note = note_of(wildcards)
    return note and f"{note}; the products are made stand-ins, not the real ones"


def own_definition(wildcards):
    """Params function: what this project's map calls cropland."""
    return catalogue_of(wildcards.province).own_definition.model_dump(mode="json")


def final_maps(wildcards):
    """Input function: the final map of all shards; with a single source, its mask."""
    sources = sources_of(wildcards.province)
    if len(sources) > 1:
        return shard_files("map", wildcards.province)
    return shard_files("mask", wildcards.province, sources[0])


def final_map(wildcards):
    """Input function: the final map of one shard; with a single source, its mask."""
    (path,) = [p for p in final_maps(wildcards) if Path(p).stem == wildcards.shard]
    return path


def compared(suffix):
    """Input function: what `compare_shard` wrote, of all products and shards."""

    def files(wildcards):
        return [
            path
            for name in products_of(wildcards.province)
            for path in shard_files("comparison", wildcards.province, name, suffix)
        ]

    return files


def reference_files(wildcards):
    """Input function: the reference sample and its strata, [] where there is none."""
    sample = settings_of(wildcards.province).comparison.reference
    return [] if sample is None else [str(sample.points), str(sample.strata)]


def reference_results(name):
    """Input function: a table of `assess_reference`, [] without a reference sample."""

    def path(wildcards):
        sample = settings_of(wildcards.province).comparison.reference
        folder = f"results/{wildcards.province}/comparison"
        return [] if sample is None else f"{folder}/{name}"

    return path


def comparison_targets(provinces):
    """The page of the comparison, whose figures are those of the report, and what several
    provinces show together."""
    compared_ones = [p for p in provinces if products_of(p)]
    files = [f"results/{p}/comparison/comparison.html" for p in compared_ones]
    if len(compared_ones) > 1:
        files += ["results/provinces/areas.csv", "results/provinces/areas.png"]
        files += ["results/provinces/iou.png"]
    return files
