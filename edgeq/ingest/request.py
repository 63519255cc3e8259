"""What `open_model` is asked for, handed unchanged to the source that claims it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgeq.code_inputs.watch import Watch
from edgeq.ingest.float_model import FloatModel
from edgeq.ingest.varied import Survey
from edgeq.nouns.tensor import TensorSpec

if TYPE_CHECKING:
    from torch import nn

    from edgeq.ingest.pytorch.traced import Program


@dataclass(frozen=True)
class Request:
    """`name` is by default that of the source. `formats` are the graph formats that the target's runtimes read. `example` is one sample as it is stored, used
    for shapes that the model leaves open and for checking conversions; `weights` belong to a torch factory, and
    `program` is what it built where that is known already. Converters that live in environments of their own are built
    on first use and kept below `cache`, never without one; `say` hears what takes long. `survey` looks at the shapes of all samples of a model with inputs that are
    open where --shape does not say more; it gives None where they have one shape, or there are none.
    `module` is the source itself where a Python program gave it; `source` then only names it. `look` is given the float model
    before anything is exported or converted, and may refuse the samples. `watch` notes what a factory depends on.
    """

    source: str
    workdir: Path
    name: str = ""
    weights: Path | None = None
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    formats: tuple[str, ...] = ("onnx",)
    example: tuple[np.ndarray, ...] | None = None
    program: "Program | None" = None
    cache: Path | None = None
    say: Callable[[str], None] = lambda _: None
    survey: Callable[[tuple[TensorSpec, ...]], Survey | None] = lambda _: None
    module: "nn.Module | None" = None
    look: Callable[[FloatModel], None] = lambda _: None
    watch: Watch | None = None

    def path(self, suffix: str) -> Path:
        """Where the clean graph is written; never over the source itself."""
        path = self.workdir / f"{self.name}{suffix}"
        source = Path(self.source)
        taken = path.exists() and source.exists() and path.samefile(source)
        return path.with_name(f"{self.name}.clean{suffix}") if taken else path
