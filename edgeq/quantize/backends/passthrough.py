"""The source's own file: float, or quantized already."""

import shutil
from collections.abc import Collection
from pathlib import Path

from edgeq.quantize.quantization import Context, Quantization, Written


class Passthrough:
    """Copies the source."""

    def unsupported(self, q: Quantization) -> dict[str, str]:
        return {}

    def refused(self, q: Quantization, context: Context) -> dict[str, str]:
        return {}

    def write(
        self, q: Quantization, path: Path, leave: Collection[str] = (), *, fitted: bool = True
    ) -> Written:
        shutil.copyfile(q.source, path)
        return Written(path)
