"""What a model computes on the check samples, written down for the host to compare with its own.

Runs in the child. One array per output, a row per sample; stops at the first limit and says which.
"""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Optional

from .durable import NEW_FILE, temporary_beside
from .message import Message
from .runtimes import Session

if TYPE_CHECKING:
    import numpy as np

Say = Callable[[Message], None]


def check_outputs(
    session: Session, sample_at: "Callable[[int], list[np.ndarray]]", offered: int, check: Message, say: Say
) -> Message:
    """Run the check samples within `seconds` and `bytes` of outputs; write one .npy per output into `folder`."""
    import numpy

    rows: list[list[np.ndarray]] = []
    limited: Optional[str] = None
    finite, size, start = True, 0, time.monotonic()
    for index in range(offered):
        sample = sample_at(index)
        row = [numpy.array(a) for a in session.finish(session.run(session.prepare(sample)))]
        size += sum(a.nbytes for a in row)
        limited = _limit_reached(rows, row, size, time.monotonic() - start, check)
        if limited is not None:
            break
        rows.append(row)
        finite = finite and (_finite(row) or not _finite(sample))
        say({"at": f"sample {index + 1}"})
    files = _write(rows, Path(check["folder"]))
    return {
        "files": files,
        "count": len(rows),
        "offered": offered,
        "limited_by": limited,
        "finite": finite,
    }


def _limit_reached(
    rows: "list[list[np.ndarray]]", row: "list[np.ndarray]", size: int, seconds: float, check: Message
) -> Optional[str]:
    """Why `row` is not taken any more; the first one always is."""
    if not rows:
        return None
    if [a.shape for a in row] != [a.shape for a in rows[0]]:
        return f"the outputs change their shape at sample {len(rows) + 1}"
    if size > check["bytes"]:
        return f"the limit of {check['bytes']:,} bytes of outputs"
    if seconds > check["seconds"]:
        return f"the limit of {check['seconds']:g} s for the comparison"
    return None


def _write(rows: "list[list[np.ndarray]]", folder: Path) -> "list[str]":
    import numpy

    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for k in range(len(rows[0]) if rows else 0):
        path = folder / f"{k}.npy"
        beside = temporary_beside(path)
        with os.fdopen(os.open(beside, NEW_FILE, 0o664), "wb") as file:
            numpy.save(file, numpy.stack([row[k] for row in rows]), allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
        beside.rename(path)
        written.append(str(path))
    return written


def _finite(arrays: "Sequence[np.ndarray]") -> bool:
    import numpy

    return all(bool(numpy.isfinite(a).all()) for a in arrays if a.dtype.kind in "fc")
