"""Matrix products of a .tflite by a constant: LiteRT's integer kernel reads one scale, and takes some sides only."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from edgeq.graphs.tflite import read_model, read_tflite
from edgeq.nouns.plan import CandidatePlan
from edgeq.quantize.backends.litert import emit
from edgeq.quantize.backends.litert.emit import Form
from edgeq.quantize.backends.litert.kernels import without_kernel
from edgeq.quantize.calibration.calibrate import calibrate_tflite, ranges_of
from edgeq.quantize.evaluate.gate import Gate
from edgeq.quantize.evaluate.sqnr import sqnr_db
from edgeq.quantize.make import make
from edgeq.quantize.options import Options
from edgeq.quantize.run_model import load
from tests.quantize.networks import Rows
from tests.quantize.tflite_networks import model_of_file, write

pytest.importorskip("litert_quantizer")

OLDER = "tflite-runtime"
# By name: the shape of x, that of the constant, and adj_y; the constant is on the right.
RIGHT = {
    "a matrix": ((1, 10, 16), (16, 8), False),
    "a matrix for one row": ((1, 16), (16, 8), False),
    "a transposed matrix": ((1, 10, 16), (8, 16), True),
    "a stack of one": ((1, 10, 16), (1, 16, 8), False),
    "a stack": ((2, 10, 16), (2, 16, 8), False),
    "a transposed stack": ((2, 10, 16), (2, 8, 16), True),
    "a stack for one matrix": ((1, 10, 16), (4, 16, 8), False),
    "a stack for heads": ((1, 4, 10, 16), (4, 16, 8), False),
}
LEFT = {"a matrix": (8, 10), "a stack of one": (1, 8, 10), "a stack": (2, 8, 10)}


def product(transposed=False):
    options = schema.BatchMatMulOptionsT()
    options.adjY = transposed
    return options


def dense():
    options = schema.FullyConnectedOptionsT()
    options.keepNumDims = True
    return options


def values(seed, *shape):
    """Its columns differ in size."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=shape) * np.exp(rng.normal(size=shape[-1]) / 2)


def by_right_constant(path, x, constant, transposed):
    """h = x F, y = h W or h W^T."""
    weight = values(1, *constant)
    made = np.zeros(x) @ (np.swapaxes(weight, -1, -2) if transposed else weight)
    operators = [
        ("FULLY_CONNECTED", dense(), ["x", "f"], "h"),
        ("BATCH_MATMUL", product(transposed), ["h", "w"], "y"),
    ]
    constants = {"f": values(0, x[-1], x[-1]), "w": weight}
    return write(path, {"x": x, "h": x, "y": made.shape}, constants, operators, ("x",), ("y",))


def by_left_constant(path, constant):
    """h = x F, y = W h."""
    x, weight = (*constant[:-2], 10, 16) if len(constant) > 2 else (1, 10, 16), values(1, *constant)
    operators = [
        ("FULLY_CONNECTED", dense(), ["x", "f"], "h"),
        ("BATCH_MATMUL", product(), ["w", "h"], "y"),
    ]
    constants = {"f": values(0, 16, 16), "w": weight}
    shapes = {"x": x, "h": x, "y": (weight @ np.zeros(x)).shape}
    return write(path, shapes, constants, operators, ("x",), ("y",))


def samples(source, seed=2):
    graph = read_tflite(source)
    shape = graph.tensors[graph.inputs[0]].shape
    rows = np.random.default_rng(seed).normal(size=(16, *shape)).astype(np.float32)
    return Batches(rows, sha256=str(seed) * 64)


class Batches(Rows):
    """Samples that have the batch of the file, which may be more than one."""

    def __getitem__(self, i):
        return (self.rows[i],)


def emitted(source, bits, runtime="litert"):
    """`bits` None: dynamic int8."""
    path = source.with_name(f"{bits}.tflite")
    if bits is None:
        emit.emit_dynamic(source, path, runtime)
    else:
        seen = calibrate_tflite(source, samples(source), False)
        emit.emit(source, path, ranges_of(seen, "minmax"), frozenset(), Form(bits, runtime=runtime))
    return path


def with_reference_kernels(path, x):
    interpreter = Interpreter(str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def closeness(source, path):
    """The worse of XNNPACK's and the reference kernels', over all samples."""
    fed = samples(source).rows
    exact, run = load(source, "tflite"), load(path, "tflite")
    expected = np.stack([exact((x,))[0] for x in fed])
    xnnpack = np.stack([run((x,))[0] for x in fed])
    reference = np.stack([with_reference_kernels(path, x) for x in fed])
    return min(sqnr_db(expected, xnnpack), sqnr_db(expected, reference))


def stored(path):
    """(type, number of scales) of each constant."""
    tensors = (t for t in read_model(path).subgraphs[0].tensors if t.name in (b"f", b"w"))
    return {
        t.name.decode(): ("int8", len(t.quantization.scale)) if t.type == schema.TensorType.INT8 else "float"
        for t in tensors
    }


@pytest.mark.parametrize("bits", [8, 16, None])
@pytest.mark.parametrize("form", RIGHT)
def test_a_constant_on_the_right_is_quantized_and_right(form, bits, tmp_path):
    path = emitted(source := by_right_constant(tmp_path / "float.tflite", *RIGHT[form]), bits)
    assert closeness(source, path) > 25
    assert stored(path) == {"f": ("int8", 16), "w": ("int8", 8 if bits is None else 1)}


@pytest.mark.parametrize("bits", [8, 16, None])
@pytest.mark.parametrize("form", LEFT)
def test_a_constant_on_the_left_stays_in_float_where_no_kernel_takes_it(form, bits, tmp_path):
    source = by_left_constant(tmp_path / "float.tflite", LEFT[form])
    path = emitted(source, bits)
    assert closeness(source, path) > 25
    assert stored(path) == {"f": ("int8", 16), "w": ("int8", 1) if bits == 8 else "float"}


def test_what_stays_in_float_is_named_with_the_reason(tmp_path):
    left = by_left_constant(tmp_path / "left.tflite", (8, 10))
    right = by_right_constant(tmp_path / "right.tflite", (1, 10, 16), (16, 8), False)
    why = "LiteRT has no dynamic int8 kernel for a matrix product with a constant left operand"
    assert without_kernel(left, "litert", None) == {"y": why}
    assert without_kernel(left, "litert", 8) == without_kernel(right, "litert", 16) == {}
    why = "tflite-runtime has no 16-bit kernel for a matrix product with a constant right operand"
    assert without_kernel(right, OLDER, 16) == {"y": why}


def test_the_older_runtime_gets_one_scale_in_dynamic_int8(tmp_path):
    source = by_right_constant(tmp_path / "float.tflite", (1, 10, 16), (16, 8), False)
    assert stored(emitted(source, None, OLDER)) == {"f": ("int8", 1), "w": ("int8", 1)}


TABLES = {
    "a dense layer, then its transpose": [
        ("FULLY_CONNECTED", dense(), ["x", "w"], "h"),
        ("BATCH_MATMUL", product(), ["h", "w"], "y"),
    ],
    "a product, then its transpose": [
        ("BATCH_MATMUL", product(True), ["x", "w"], "h"),
        ("BATCH_MATMUL", product(), ["h", "w"], "y"),
    ],
}


@pytest.mark.parametrize("bits", [8, 16, None])
@pytest.mark.parametrize("form", TABLES)
def test_a_table_read_along_both_axes_is_right_along_both(form, bits, tmp_path):
    """8 rows and 16 columns: the scales of one axis are too few for the other."""
    shapes = {"x": (1, 10, 16), "h": (1, 10, 8), "y": (1, 10, 16)}
    weight = values(1, 8, 16) * np.logspace(-1, 0, 8)[:, None]
    source = write(tmp_path / "float.tflite", shapes, {"w": weight}, TABLES[form], ("x",), ("y",))
    assert closeness(source, emitted(source, bits)) > 25


def test_a_table_read_along_one_axis_is_stored_once_with_a_scale_per_channel(tmp_path):
    operators = [
        ("FULLY_CONNECTED", dense(), ["x", "w"], "h"),
        ("BATCH_MATMUL", product(True), ["h", "w"], "y"),
    ]
    shapes = dict.fromkeys("xhy", (1, 10, 16))
    source = write(tmp_path / "float.tflite", shapes, {"w": values(1, 16, 16)}, operators, ("x",), ("y",))
    path = emitted(source, None)
    assert stored(path) == {"w": ("int8", 16)}
    assert len([t for t in read_tflite(path).tensors if t.constant]) == 1


@pytest.mark.parametrize("recipe", ["int8_static", "int8_dynamic"])
@pytest.mark.parametrize("build", [by_right_constant, by_left_constant])
def test_a_network_with_a_product_keeps_its_recipe(build, recipe, tmp_path):
    form = ((1, 10, 16), (16, 8), False) if build is by_right_constant else ((8, 10),)
    source = build(tmp_path / "net.tflite", *form)
    candidate = CandidatePlan(f"litert-{recipe}", "litert", recipe, "tflite", "a test")
    found = make(
        candidate,
        model_of_file(source),
        samples(source),
        samples(source, seed=3),
        same_samples=False,
        gate=Gate(),
        workdir=tmp_path / "work",
        options=Options(calibrator="minmax"),
    )
    assert found.fidelity.outputs[0].sqnr_db > 25
    in_float = {"y"} if build is by_left_constant and recipe == "int8_dynamic" else set()
    assert {layer.what for layer in found.fidelity.float_layers} == in_float
