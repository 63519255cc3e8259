"""Reads an array that a device wrote: a .npy file of plain numbers, as long as its header says."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeq.errors import RemoteFailed

LARGEST_ARRAY = (
    256 << 20
)  # bytes of one output; a job asks for 8 MB of all, but for its first sample, which always comes
_NUMBERS = "biuf"


def read_array(file: Path, rows: int, shown: str) -> NDArray[Any]:
    """The array in `file`, of shape [rows, ...]. Raises RemoteFailed, which calls the file `shown`."""
    try:
        # Mapped: a header that promises more than there is ends here and not in memory.
        mapped = np.load(file, mmap_mode="r", allow_pickle=False)
    except (
        Exception
    ) as error:  # numpy parses the header as Python: ValueError, SyntaxError, TypeError, OverflowError ...
        raise _refused(shown, f"{type(error).__name__}: {str(error)[:200]}") from None
    if not isinstance(mapped, np.ndarray) or mapped.dtype.kind not in _NUMBERS:
        raise _refused(shown, "it holds no numbers")
    if mapped.ndim == 0 or len(mapped) != rows:
        raise _refused(shown, f"its shape is {mapped.shape}, and {rows} samples were run")
    return np.array(mapped, dtype=mapped.dtype.newbyteorder("="))


def _refused(shown: str, why: str) -> RemoteFailed:
    return RemoteFailed(
        f"{shown} is not the array that the agent writes: {why}",
        "measure again; if it happens again, the device's memory or disk is failing",
    )
