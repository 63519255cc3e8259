"""The operator corpus of shared/data: ONNX's own operator tests and small exported networks, inputs and outputs beside.

Each case is judged by what onnxruntime itself makes of it: what it runs has to open, convert and answer the same, or
be refused with a reason that names an operator or an input.
"""

import lzma
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

from edgeq.bundle import read_bundle
from edgeq.errors import DataRefused, EdgeqError, ModelRefused
from edgeq.graphs.ort_session import ort_session
from edgeq.ingest.open_model import open_model
from edgeq.ingest.request import Request
from edgeq.nouns.fidelity import Fidelity
from edgeq.nouns.model import Model
from edgeq.nouns.project import Gates
from edgeq.workflow.convert import convert

Arrays = dict[str, np.ndarray]
# Everything is to be converted and judged, nothing refused for being imprecise: a single operator on its own may be.
_NO_GATE = Gates(min_sqnr_db=-300)


@dataclass(frozen=True)
class Case:
    name: str
    model: Path

    @property
    def feed(self) -> Arrays | None:
        """None where an input is no array of numbers."""
        graph = onnx.load(self.model).graph
        files = sorted(self.model.parent.glob("test_data_set_0/input_*.pb"), key=_number)
        feed = {}
        for value, file in zip(graph.input, files, strict=False):
            tensor = onnx.TensorProto()
            if value.type.WhichOneof("value") != "tensor_type":
                return None
            tensor.ParseFromString(file.read_bytes())
            feed[value.name] = numpy_helper.to_array(tensor)
        return feed


def unpack(data: Path, into: Path) -> tuple[Case, ...]:
    """Every case of the corpus, sorted by name."""
    for archive in sorted((data / "onnx_corpus").glob("*.tar.xz")):
        with lzma.open(archive) as file, tarfile.open(fileobj=file) as tar:
            tar.extractall(into, filter="data")
    models = sorted(into.rglob("model.onnx"))
    return tuple(Case(str(m.parent.relative_to(into)), m) for m in models)


def complaints(case: Case) -> Iterator[str]:
    """What is wrong with what edgeq does to this case; nothing when all is well. Whatever is raised is no EdgeqError."""
    feed = case.feed
    expected = None if feed is None else _run(case.model, feed)
    with tempfile.TemporaryDirectory() as folder:
        try:
            model = open_model(Request(str(case.model), workdir=Path(folder), name="case"))
        except EdgeqError as refused:
            if expected is not None and not _names_something(refused, case):
                yield f"refused without naming an operator or an input: {refused.what}"
            return
        if feed is None or expected is None:
            return
        if not _fits(feed, model):
            return  # open dimensions were fixed for lack of samples
        if not _same(_run(Path(model.files["onnx"]), feed), expected):
            yield "the clean float graph answers otherwise"
        yield from _converted(case, model, feed, Path(folder))


def _converted(case: Case, model: Model, feed: Arrays, folder: Path) -> Iterator[str]:
    """Convert on the case's own inputs and hold each candidate's error there against the one that is stated."""
    samples = {s.name: feed[s.name] for s in model.inputs if s.name in feed}
    if not samples:
        return
    data = folder / "data.npz"
    np.savez(data, **{n: a if s.shape[:1] == (1,) else a[None] for (n, a), s in zip(samples.items(), model.inputs, strict=True)})  # fmt: skip
    try:
        done = convert(
            str(case.model),
            target="x86-64-vnni",
            data=str(data),
            name="case",
            gates=_NO_GATE,
            output=folder / "case.edgeq",
        )
    except ModelRefused as refused:
        if "draws random numbers" not in refused.what or not _names_something(refused, case):
            yield f"opened, and then refused: {refused.what}"
        return
    except DataRefused as refused:
        if "NaN or infinite" not in refused.what:
            yield f"the samples are refused: {refused.what}"
        return
    floats = _run(Path(model.files["onnx"]), feed)
    for fidelity in done.fidelity:
        if fidelity.quantized_nothing:
            continue  # float over again: left out of the bundle
        answers = _answers(done.path, fidelity, feed, folder)
        if answers is None or floats is None:
            yield f"{fidelity.candidate} does not run"
        elif not _within(answers, floats, fidelity):
            yield f"{fidelity.candidate} is further from float than stated"


def _answers(bundle: Path, fidelity: Fidelity, feed: Arrays, folder: Path) -> list[np.ndarray] | None:
    opened = read_bundle(bundle)
    candidate = next(c for c in opened.manifest.candidates if c.id == fidelity.candidate)
    file = folder / f"{fidelity.candidate}.onnx"
    file.write_bytes(opened.artifact(candidate.model))
    try:
        session = ort_session(file, threads=1)  # exact integer sums, as on the target, whatever this CPU has
        names = {i.name for i in session.get_inputs()}
        return session.run(None, {n: a for n, a in feed.items() if n in names})
    except Exception:
        return None


def _within(answers: list[np.ndarray], floats: list[np.ndarray], fidelity: Fidelity) -> bool:
    """Largest error at most the stated one, but for float32's own rounding."""
    stated = {o.output: o.largest_error for o in fidelity.outputs}
    pairs = zip(answers, floats, stated.values(), strict=True)
    return all(
        np.allclose(a.astype(np.float64), f.astype(np.float64), rtol=1e-5, atol=limit + 1e-6, equal_nan=True)
        for a, f, limit in pairs
    )


def _run(path: Path, feed: Arrays) -> list[np.ndarray] | None:
    """None where onnxruntime does not run it."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
        names = {i.name for i in (*session.get_inputs(), *session.get_overridable_initializers())}
        outputs: list[np.ndarray] = session.run(None, {n: a for n, a in feed.items() if n in names})
    except Exception:  # pybind's classes, without a common one below Exception; also types that numpy lacks
        return None
    return outputs


def _same(got: list[np.ndarray] | None, expected: list[np.ndarray]) -> bool:
    """By the tolerance of ONNX's own tests; sequences and strings by equality."""
    if got is None or len(got) != len(expected):
        return False
    for one, other in zip(got, expected, strict=True):
        a, b = np.asarray(one), np.asarray(other)
        if a.shape != b.shape or a.dtype != b.dtype:
            return False
        close = (
            np.allclose(a, b, rtol=1e-3, atol=1e-7, equal_nan=True)
            if a.dtype.kind in "fc"
            else (a == b).all()
        )
        if not close:
            return False
    return True


def _fits(feed: Arrays, model: Model) -> bool:
    return all(s.name not in feed or feed[s.name].shape == s.shape for s in model.inputs)


def _names_something(refused: EdgeqError, case: Case) -> bool:
    graph = onnx.load(case.model).graph
    names = {n.op_type for n in graph.node} | {i.name for i in graph.input} | {o.name for o in graph.output}
    return any(name in refused.what for name in names)


def _number(file: Path) -> int:
    return int(file.stem.rpartition("_")[2])
