# The labels of a run: which files they are, which round, and what a round's record rests on.

from cropbase.errors import ConfigError
from croplayer.active.readers import label_files
from croplayer.active.refresh import current_round, refresh_labels
from croplayer.active.rounds.records import recorded_rounds
from croplayer.active.rounds.store import labels_of_run
from croplayer.active.tables import TABLES
from croplayer.settings.digest import settings_digest
from croplayer.settings.labels import KEYS

# The keys of `labels` that say where labels are and not how they are checked.
LABEL_PATHS = [*KEYS, "rounds", "round"]


@cache
def labels_of(province):
    """The label settings with the files that the run uses: those of a round, or as they are now."""
    return readable(lambda: labels_of_run(settings_of(province).labels))


def label_file(name):
    """Input function: the label files of a key (those of a folder one by one), [] without any."""

    def paths(wildcards):
        value = getattr(labels_of(wildcards.province), name)
        if value is None:
            return []
        return readable(lambda: [str(path) for path in label_files(value)])

    return paths


def label_table(name):
    """Input function: the settled table of block labels that a model learns from."""

    def path(wildcards):
        if getattr(labels_of(wildcards.province), name) is None:
            readable(lambda: refuse_missing_labels(wildcards.province, name))
        return f"results/{wildcards.province}/labels/{name}.csv"

    return path


def refuse_missing_labels(province, name):
    """Raise the error of a table that is needed and not configured."""
    raise ConfigError(
        f"province {province!r} has no labels.{name}, which a model learns from",
        remedy=f"set labels.{name}, or take the model of another province (key models)",
    )


def label_tables(*names):
    """Input function: the settled tables of block labels of these keys, less those without any."""

    def paths(wildcards):
        labels = labels_of(wildcards.province)
        return [
            f"results/{wildcards.province}/labels/{name}.csv"
            for name in names
            if getattr(labels, name) is not None
        ]

    return paths


def round_of(province):
    """The number of the round that the labels of this run are, as the workflow's start found it."""
    return current_round(Path("results", province, "labels"))


def other_rounds(wildcards):
    """Params function: the decisions of other rounds, with their content's digest."""
    folder = Path("results", wildcards.province, "rounds")
    return recorded_rounds(folder, other_than=round_of(wildcards.province))


def earlier_rounds(wildcards):
    """Params function: the decisions of the rounds before this one."""
    now = round_of(wildcards.province)
    return [record for record in other_rounds(wildcards) if record["round"] < now]


def models_of_run(wildcards):
    """Input function: the weights of every model behind the maps of a province."""
    files = {
        "coverage": "model.safetensors",
        "segmentation": "model.safetensors",
        "semantic": "model.json",
        "integration": "model.json",
    }
    return [model_file(stage, name)(wildcards) for stage, name in files.items()]


# What a decision record's hash of the configuration leaves out: words, paths, the manners of a
# download, and what comes after the decision.
OUTSIDE_THE_DECISION = {
    "province": True,
    "plan": True,
    "export": True,
    "report": True,
    "demo": True,
    "data_root": True,
    "terrain": {"dem"},
    "labels": set(LABEL_PATHS),
    "sources": {"__all__": {*DOWNLOAD_MANNERS, "url", "path", "paths", "attribution"}},
}


# Locks and rounds are looked at here and not by a rule: a lock is rewritten only if the CONTENT of a
# label changed, so opening a GeoPackage in QGIS reruns nothing. Jobs never do this: they read what
# the start of the workflow wrote.
if workflow.is_main_process:
    for province in with_lenders(PROVINCES):
        folder = Path("results", province, "labels")
        readable(lambda: refresh_labels(settings_of(province).labels, folder))

config["report"] = {province: report_facts(province) for province in PROVINCES}
