"""TensorBoard event files of a training."""

from __future__ import annotations

from pathlib import Path

from cropbase.errors import DependencyError


class Monitor:
    """Writes the rows of the history as scalars; does nothing without a folder.

    Raises DependencyError if there is a folder and the package tensorboard is not installed.
    """

    def __init__(self, folder: Path | None) -> None:
        self._writer = None
        if folder is None:
            return
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise DependencyError(
                "segmentation.tensorboard is true, but the package tensorboard is not installed",
                remedy="pip install tensorboard, or set segmentation.tensorboard: false "
                "(history.csv holds the same figures)",
            ) from None
        self._writer = SummaryWriter(str(folder))

    def __enter__(self) -> Monitor:
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def write(self, row: dict[str, float]) -> None:
        """Write one validation; `step` is the place on the axis."""
        if self._writer is not None:
            for name, value in row.items():
                if name != "step":
                    self._writer.add_scalar(name, value, int(row["step"]))
            self._writer.flush()
