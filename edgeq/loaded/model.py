"""A model that runs in this process: called like a function, measured and summarized by its methods."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgeq.application.edgeq_runtime import Model as RuntimeModel
from edgeq.errors import ModelCrashed
from edgeq.graphs.layer_bits import layer_bits
from edgeq.loaded.as_bundle import as_bundle
from edgeq.loaded.batch import samples_of, together
from edgeq.loaded.source import Source
from edgeq.loaded.tensors import as_array, as_tensor, device_of
from edgeq.nouns.model_summary import ModelSummary
from edgeq.nouns.report import Estimate
from edgeq.nouns.results import Benched
from edgeq.nouns.tensor import TensorSpec
from edgeq.workflow.bench import bench

_A_FEW_SECONDS = 3.0


class LoadedModel:
    """What `edgeq.load` and `edgeq.quantize` return. It keeps its files in a temporary folder, which goes with it, or by
    `close()` or at the end of a `with`.
    """

    def __init__(
        self, source: Source, runtime: RuntimeModel, folder: "tempfile.TemporaryDirectory[str]"
    ) -> None:
        self._source, self._folder = source, folder
        self._runtime: RuntimeModel | None = runtime
        self._bundle = source.bundle

    def __call__(self, /, *values: Any, **named: Any) -> Any:
        """Run it. One output is returned as an array, several as a dict by their names.

        Inputs are given in order, by keyword, or as one dict or tuple; each is an array (numpy, torch, nested lists) of the
        input's shape, with or without its first 1, or an image where the model was converted with --preprocess. Several
        samples in one array, N in place of that 1 or in front, run one after the other unless the file takes them at once;
        the outputs have N in the same place. Torch tensors in give tensors out, on the same device and without a gradient.
        Raises ValueError, which says what is expected.
        """
        runtime = self._running()
        given = self._by_name(values, named)
        if given is None:
            return self._shown(runtime(*map(as_array, values), **_arrays(named)), None)
        device = device_of(given.values())
        arrays = _arrays(given)
        samples = samples_of(arrays, self._source.contract.inputs, images=self._takes_images)
        if samples is None:
            return self._shown(runtime(arrays), device)
        return self._shown(together([runtime(sample) for sample in samples]), device)

    @property
    def path(self) -> Path:
        """What it was loaded from."""
        return self._source.path

    @property
    def candidate(self) -> str:
        return self._source.contract.candidate

    @property
    def candidates(self) -> tuple[str, ...]:
        """Those that could have been loaded from the same place."""
        return self._source.candidates

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        return self._source.inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        return self._source.outputs

    def benchmark(self, **options: Any) -> Benched:
        """Measure it as `edgeq.bench` does, and with the same keywords: by the agent, in a process of its own, on this machine
        unless `host` names another. `measurements[0]` has every inference. Raises DeviceError.
        """
        self._running()
        if self._bundle is None:
            self._bundle = as_bundle(self._source, Path(self._folder.name))
        return bench(self._bundle, candidate=self.candidate, **options)

    def inference_time(self, *, seconds: float = _A_FEW_SECONDS, **options: Any) -> Estimate:
        """The median of one inference in milliseconds, with its 95 % interval where there were enough rounds for one. Measured
        as by `benchmark`, with the same keywords; `limits` replace `seconds`. Raises ModelCrashed where it does not run there.
        """
        how_long = {} if "limits" in options else {"seconds": seconds}
        row = self.benchmark(**how_long, **options).reports[0].rows[0]
        if row.latency is None:
            raise ModelCrashed(f"{self.candidate} was not measured: {row.state}: {row.error or 'no message'}")
        return row.latency.p50_ms

    def summary(self) -> ModelSummary:
        """Its size, the bits of each layer, how close it is to float; `print` shows it, and so does a notebook."""
        self._running()
        source = self._source
        return ModelSummary(
            name=source.contract.app,
            candidate=self.candidate,
            runtime=source.contract.runtime,
            path=str(self.path),
            file_bytes=source.model.stat().st_size,
            inputs=self.inputs,
            outputs=self.outputs,
            layers=layer_bits(source.model),
            target=source.target,
            float_bytes=source.float_bytes,
            memory_bytes=source.memory_bytes,
            fidelity=source.fidelity,
            notes=source.notes,
        )

    def close(self) -> None:
        """Gives back memory and temporary files; the model cannot be used afterwards."""
        self._runtime = None
        self._folder.cleanup()

    def __enter__(self) -> "LoadedModel":
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._runtime is None else self.candidate
        takes = ", ".join(map(str, self.inputs))
        gives = ", ".join(map(str, self.outputs))
        return f"<LoadedModel {self._source.contract.app}: {state}, takes {takes}, gives {gives}>"

    def _repr_html_(self) -> str | None:
        """The summary with a row for each kind of layer."""
        return None if self._runtime is None else self.summary().by_kind()._repr_html_()

    def _running(self) -> RuntimeModel:
        if self._runtime is None:
            raise ValueError(f"{self.path} was closed: load it again")
        return self._runtime

    @property
    def _takes_images(self) -> bool:
        return self._source.contract.preprocessing is not None

    def _by_name(self, values: tuple[Any, ...], named: Mapping[str, Any]) -> dict[str, Any] | None:
        """What was given, by the inputs' names; None where it does not fit them, which the runtime says in words."""
        if len(values) == 1 and not named and isinstance(values[0], (Mapping, tuple)):
            given = values[0]
            values, named = ((), given) if isinstance(given, Mapping) else (given, {})
        names = [spec.name for spec in self.inputs]
        by_name = {**dict(zip(names, values, strict=False)), **named}
        fits = len(values) + len(named) == len(names) and set(by_name) == set(names)
        return by_name if fits else None

    def _shown(self, answer: Mapping[str, Any], device: Any) -> Any:
        given = answer if device is None else {name: as_tensor(a, device) for name, a in answer.items()}
        return next(iter(given.values())) if len(given) == 1 else dict(given)


def _arrays(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: as_array(value) for name, value in given.items()}
