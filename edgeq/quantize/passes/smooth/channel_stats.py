"""Rows of activations and ranges of their channels, from a few calibration samples."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

_ROWS = 32  # of one sample: those of a picture or a sentence are much alike


@dataclass(frozen=True, eq=False)
class ChannelStats:
    """Of one sample: some of a tensor's `rows` [rows, channels], and the range of each channel over all, [channels]."""

    rows: Floats
    low: Floats
    high: Floats

    @staticmethod
    def of(values: Floats) -> "ChannelStats":
        rows = values.reshape(-1, values.shape[-1])
        some = rows[np.linspace(0, len(rows) - 1, min(len(rows), _ROWS)).astype(int)]
        return ChannelStats(some, rows.min(axis=0), rows.max(axis=0))
