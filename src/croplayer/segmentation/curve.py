"""The learning curve of a training, as a picture."""

from __future__ import annotations

from pathlib import Path

from cropbase.atomic import atomic_path


def draw_curve(history: list[dict[str, float]], path: Path) -> None:
    """Draw training loss and validation IoU against the step.

    `history` holds a row a validation: `step`, `loss` (absent in a model taken unchanged), `iou`
    and `iou_<source>`.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), dpi=120, constrained_layout=True)
    steps = [row["step"] for row in history]
    if any("loss" in row for row in history):
        left.plot(steps, [row.get("loss") for row in history], color="#444444", marker=".")
    left.set(xlabel="training step", ylabel="loss of the training chips", title="Training")
    right.plot(
        steps, [row["iou"] for row in history], color="black", marker=".", label="all sources"
    )
    for name in sorted({key for row in history for key in row if key.startswith("iou_")}):
        values = [row.get(name) for row in history]
        right.plot(steps, values, marker=".", linewidth=1, label=name.removeprefix("iou_"))
    right.set(xlabel="training step", ylabel="IoU", ylim=(0, 1), title="Validation extents")
    right.legend(frameon=False, loc="lower right")
    for axis in (left, right):
        axis.grid(alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, metadata={"Software": None})
    plt.close(figure)
