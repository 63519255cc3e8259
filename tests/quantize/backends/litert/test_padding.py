"""A maximum over windows with padding of its own is computed in int8, and its range is that of the values."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("litert_quantizer")

from ai_edge_litert import schema_py_generated as schema

from edgeq.graphs.tflite import read_tflite
from edgeq.graphs.tflite_session import feed, interpreter_of
from edgeq.quantize.backends.litert.emit import emit
from edgeq.quantize.calibration.calibrate import calibrate_tflite, ranges_of
from tests.quantize.networks import Rows
from tests.quantize.tflite_networks import write

LEAST = np.finfo(np.float32).min


def padded(path: Path) -> Path:
    """3x3 in steps of 2, a row and a column in front, as torch's MaxPool2d(3, 2, 1)."""
    pool = schema.Pool2DOptionsT()
    pool.filterHeight = pool.filterWidth = 3
    pool.strideH = pool.strideW = 2
    pool.padding = schema.Padding.VALID
    around = np.array([[0, 0], [1, 1], [1, 1], [0, 0]])
    return write(
        path,
        {"x": (1, 8, 8, 4), "p": (1, 10, 10, 4), "y": (1, 4, 4, 4)},
        {"around": around, "number": np.array([LEAST])},
        [
            ("PADV2", schema.PadV2OptionsT(), ["x", "around", "number"], "p"),
            ("MAX_POOL_2D", pool, ["p"], "y"),
        ],
        ("x",),
        ("y",),
    )


def outputs(path: Path, rows: np.ndarray) -> np.ndarray:
    interpreter, found = interpreter_of(path, 1), []
    for row in rows:
        feed(interpreter, (row[None],))
        interpreter.invoke()
        found.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).copy())
    return np.concatenate(found)


def test_in_int8(tmp_path: Path) -> None:
    source, made = padded(tmp_path / "float.tflite"), tmp_path / "int8.tflite"
    rows = np.random.default_rng(0).normal(size=(16, 8, 8, 4)).astype(np.float32)
    emit(source, made, ranges_of(calibrate_tflite(source, Rows(rows), False), "minmax"))
    graph = read_tflite(made)
    types = {o.kind: graph.tensors[o.outputs[0]].type for o in graph.operators}
    assert types["PADV2"] == types["MAX_POOL_2D"] == "INT8"
    step = float(np.ptp(rows)) / 255
    assert np.abs(outputs(made, rows) - outputs(source, rows)).max() <= 0.51 * step
