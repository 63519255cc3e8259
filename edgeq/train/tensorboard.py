"""Event files for TensorBoard, written by the `tensorboard` package: a folder of them is one run there."""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from edgeq.errors import EdgeqError
from edgeq.ingest.extras import needed


class EventFiles:
    """Scalars by step, in a file of its own in `folder`; close it, or use it in a `with`.

    `first_step`: where a training that is resumed begins again. What an earlier file has from there on is hidden by
    TensorBoard, so that the steps between its last checkpoint and its end are not shown twice.
    """

    def __init__(self, folder: Path, first_step: int = 0) -> None:
        """Raises ExtraMissing without the package, EdgeqError where the folder cannot be written."""
        needed("tensorboard", "train", "--tensorboard")
        from torch.utils.tensorboard import SummaryWriter

        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._writer: Any = SummaryWriter(str(folder), purge_step=first_step or None)
        except OSError as error:
            raise EdgeqError(
                f"cannot write event files in {folder}: {error.strerror}",
                "name another folder with --tensorboard",
            ) from None

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        """Names with a slash, "loss/train" and "loss/validation", are shown in one group."""
        for name, value in scalars.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """What was written is on the disk afterwards."""
        self._writer.close()

    def __enter__(self) -> "EventFiles":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
