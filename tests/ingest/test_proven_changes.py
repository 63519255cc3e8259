"""Every change of a graph is proven: what an old operator means is kept, or the graph stays as it came and says why."""

import re
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import helper, numpy_helper, parser

from edgeq.bundle import read_bundle
from edgeq.graphs.ort_session import ort_session
from edgeq.ingest.graph import clean as cleaning
from edgeq.ingest.graph.trial import CannotRun
from edgeq.ingest.open_model import open_model
from edgeq.ingest.request import Request
from edgeq.workflow.convert import convert

RNG = np.random.default_rng(1)
W, V = ((RNG.standard_normal((8, 8, 3, 3)) / 8.5).astype("f") for _ in range(2))


def db(expected, got):
    return 10 * np.log10(np.square(expected).sum() / max(np.square(expected - got).sum(), 1e-30))


@pytest.fixture(autouse=True)
def same_numbers_for_each_test():
    RNG.bit_generator.state = np.random.default_rng(1).bit_generator.state


def run(model, x):
    content = model if isinstance(model, str) else model.SerializeToString()
    return ort.InferenceSession(content, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]


def smooth():
    """As images are, [1, 8, 16, 16]."""
    at, per_channel = np.linspace(0, 3, 16), lambda low, high: RNG.uniform(low, high, (8, 1, 1))
    waves = at[:, None] * per_channel(0.2, 1) + at * per_channel(0.2, 1) + per_channel(0, 6)
    return np.sin(waves)[None].astype("f")


def between_convolutions(opset, body, shape="1, 8, N, M", **tensors):
    """Conv, Relu, then `body` from r to u, then a Conv."""
    text = f"""<ir_version: 4, opset_import: ["" : {opset}]> g (float[1, 8, 16, 16] x) => (float[{shape}] y) {{
        c = Conv <pads = [1, 1, 1, 1]> (x, w)
        r = Relu (c)
        {body}
        y = Conv <pads = [1, 1, 1, 1]> (u, v)
    }}"""
    model = parser.parse_model(text)
    stored = {"w": W, "v": V, **tensors}
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in stored.items())
    return model


SCALES = np.array([1, 1, 2, 2], "f")
OLD_RESIZES = {
    "Upsample 7, linear": (7, 'u = Upsample <mode = "linear", scales = [1.0, 1.0, 2.0, 2.0]> (r)', {}),
    "Upsample 9, linear": (9, 'u = Upsample <mode = "linear"> (r, s)', {"s": SCALES}),
    "Upsample 9, nearest": (9, 'u = Upsample <mode = "nearest"> (r, s)', {"s": SCALES}),
    "Resize 10, linear": (10, 'u = Resize <mode = "linear"> (r, s)', {"s": SCALES}),
    "Resize 10, nearest, odd": (10, "u = Resize (r, s)", {"s": np.array([1, 1, 1.5, 1.75], "f")}),
    "Resize 10, linear, smaller": (10, 'u = Resize <mode = "linear"> (r, s)', {"s": np.array([1, 1, 0.6, 0.75], "f")}),
}  # fmt: skip


@pytest.mark.parametrize("name", OLD_RESIZES)
def test_an_old_resize_means_the_same_at_a_new_opset(name, tmp_path):
    opset, body, tensors = OLD_RESIZES[name]
    source = between_convolutions(opset, body, **tensors)
    onnx.save(source, tmp_path / "m.onnx")
    model = open_model(Request(str(tmp_path / "m.onnx"), workdir=tmp_path / "w"))
    assert f"opset {opset} changed to 17, outputs unchanged" in model.notes
    x = smooth()
    assert db(run(source, x), run(model.files["onnx"], x)) > 100


def test_int8_is_made_from_the_graph_that_float_is(tmp_path):
    source = between_convolutions(9, 'u = Upsample <mode = "linear"> (r, s)', s=SCALES)
    onnx.save(source, tmp_path / "m.onnx")
    np.savez(tmp_path / "x.npz", x=np.stack([smooth() for _ in range(32)]))
    done = convert(str(tmp_path / "m.onnx"), target="x86-64-vnni", data=str(tmp_path / "x.npz"), output=tmp_path / "m.edgeq")  # fmt: skip
    bundle = read_bundle(done.path)
    int8 = next(c for c in bundle.manifest.candidates if c.id.endswith("int8_static"))
    x = smooth()
    file = onnx.load_from_string(bundle.artifact(int8.model))
    assert db(run(source, x), ort_session(file, threads=1).run(None, {"x": x})[0]) > 30  # exact on any CPU


def _other_resizes(monkeypatch, *versions):
    """onnx's converter as it is: without the attributes that an old Resize means, at `versions`."""
    from edgeq.ingest.graph import older_resize, opset

    moved = opset.moved

    def worse(model, version):
        if version in versions:
            monkeypatch.setattr(older_resize, "say_asymmetric", lambda model: None)
        return moved(model, version)

    monkeypatch.setattr(cleaning, "moved", worse)


def test_a_step_that_changes_the_outputs_is_taken_back_and_its_operator_named(
    tmp_path, monkeypatch, opened_here
):
    _other_resizes(monkeypatch, 17, 13, 11)
    onnx.save(between_convolutions(10, 'u = Resize <mode = "linear"> (r, s)', s=SCALES), tmp_path / "m.onnx")
    np.savez(tmp_path / "x.npz", x=np.stack([smooth() for _ in range(32)]))
    done = convert(str(tmp_path / "m.onnx"), target="x86-64-vnni", data=str(tmp_path / "x.npz"), output=tmp_path / "m.edgeq")  # fmt: skip
    assert (
        "opset 10 kept: Resize 'u' would give other values; per-channel quantization needs 13"
        in done.model.notes
    )
    (static,) = (c for c in done.plan.candidates if c.recipe == "int8_static")
    assert str(static.scheme) == "U8S8 per tensor"
    assert "Resize 'u' would give other values" in static.reason
    (judged,) = (f for f in done.fidelity if f.candidate == static.id)
    assert judged.outputs[0].sqnr_db > 28
    assert {a.operator: (a.integer, a.total) for a in judged.fusion} == {"Conv": (2, 2)}


def test_an_opset_without_quantizelinear_leaves_int8_out_by_the_operators_name(
    tmp_path, monkeypatch, opened_here
):
    def refuses(model, version):
        if any(node.op_type == "Upsample" for node in model.graph.node):
            raise CannotRun("there is no adapter")
        return model

    monkeypatch.setattr(cleaning, "moved", refuses)
    onnx.save(between_convolutions(9, 'u = Upsample <mode = "linear"> (r, s)', s=SCALES), tmp_path / "m.onnx")
    np.savez(tmp_path / "x.npz", x=np.stack([smooth() for _ in range(16)]))
    done = convert(str(tmp_path / "m.onnx"), target="x86-64-vnni", data=str(tmp_path / "x.npz"), output=tmp_path / "m.edgeq")  # fmt: skip
    reasons = {s.what: s.reason for s in done.plan.skipped}
    assert reasons["onnxruntime int8_static"] == (
        "opset 9 has no QuantizeLinear; it cannot be raised: Upsample 'u': there is no adapter"
    )


def test_samples_count_besides_random_numbers(tmp_path, monkeypatch, opened_here):
    """Random numbers are small; the samples reach what the other graph cuts off."""
    from edgeq.ingest.graph import clean

    def cuts_at_six(model):
        copy = onnx.ModelProto()
        copy.CopyFrom(model)
        copy.graph.node[0].CopyFrom(helper.make_node("Clip", ["x", "", "six"], ["y"]))
        copy.graph.initializer.append(numpy_helper.from_array(np.float32(60), "six"))
        return copy, ()

    monkeypatch.setattr(clean, "folded", cuts_at_six)
    text = '<ir_version: 8, opset_import: ["" : 17]>g (float[1, 4] x) => (float[1, 4] y) { y = Identity(x) }'
    onnx.save(parser.parse_model(text), tmp_path / "m.onnx")
    large = (np.full((1, 4), 100, "f"),)
    model = open_model(Request(str(tmp_path / "m.onnx"), workdir=tmp_path / "w", example=large))
    assert "not simplified: its outputs would change" in model.notes
    model = open_model(Request(str(tmp_path / "m.onnx"), workdir=tmp_path / "w"))
    assert not any(note.startswith("not simplified") for note in model.notes)


# ---- what loads as it came


def through_branches(otherwise):
    """An If as exporters write squeeze() of an open dimension: one branch is impossible for any fixed shape but 1."""
    return f"""<ir_version: 8, opset_import: ["" : 17]> g (float[1, C, 4] x) => (float[N, M] y) {{
        r = Relu (x)
        shape = Shape (r)
        one = Constant <value_int: int = 1> ()
        size = Gather (shape, one)
        is_one = Equal (size, one)
        s = If (is_one) <
            then_branch = a () => (float[P, Q] t) {{ axes = Constant <value_ints = [1]> () t = Squeeze (r, axes) }},
            else_branch = b () => (float[P, Q] e) {{ {otherwise} }}
        >
        y = Relu (s)
    }}"""


IMPOSSIBLE = {
    "a Squeeze": "zero = Constant <value_ints = [0]> () e = Squeeze (r, zero)",
    "a Reshape": "to = Constant <value_ints = [3, 4]> () e = Reshape (r, to)",
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_shapes_stay_open_where_the_graph_does_not_load_with_them_fixed(name, tmp_path):
    onnx.save(parser.parse_model(through_branches(IMPOSSIBLE[name])), tmp_path / "m.onnx")
    x = RNG.standard_normal((1, 3, 4)).astype("f")
    model = open_model(Request(str(tmp_path / "m.onnx"), workdir=tmp_path / "w", example=(x,)))
    assert any(
        n.startswith("shapes left open: with x 1x3x4 onnxruntime does not load it") for n in model.notes
    )
    assert model.inputs[0].shape == (1, 3, 4)
    assert np.array_equal(run(model.files["onnx"], x), np.maximum(x[0], 0))


def test_such_a_model_is_converted(tmp_path):
    model = parser.parse_model(
        through_branches(IMPOSSIBLE["a Squeeze"]).replace("y = Relu (s)", "y = MatMul (s, w)")
    )
    model.graph.initializer.append(numpy_helper.from_array(RNG.standard_normal((4, 16)).astype("f"), "w"))
    onnx.save(model, tmp_path / "m.onnx")
    np.savez(tmp_path / "x.npz", x=RNG.standard_normal((40, 1, 3, 4)).astype("f"))
    done = convert(str(tmp_path / "m.onnx"), target="x86-64-vnni", data=str(tmp_path / "x.npz"), output=tmp_path / "m.edgeq")  # fmt: skip
    assert done.bundle.manifest.candidates
    static = next(f for f in done.fidelity if f.candidate.endswith("int8_static"))
    assert static.passed
    assert {a.operator: a.integer for a in static.fusion} == {"MatMul": 1}


# ---- folding, constant by constant


def language_model(tied):
    """A lookup, two products whose weights stand behind a Transpose, and a head: the table again, or one of its own."""
    text = f"""<ir_version: 8, opset_import: ["" : 17]> g (int64[1, 8] ids) => (float[1, 8, 3000] y) {{
        e = Gather (E, ids)
        at = Transpose <perm = [1, 0]> (A)
        u = MatMul (e, at)
        r = Relu (u)
        bt = Transpose <perm = [1, 0]> (B)
        d = MatMul (r, bt)
        Et = Transpose <perm = [1, 0]> ({"E" if tied else "O"})
        y = MatMul (d, Et)
    }}"""
    model = parser.parse_model(text)
    stored = {"E": (3000, 32), "A": (128, 32), "B": (32, 128)} | ({} if tied else {"O": (3000, 32)})
    for name, shape in stored.items():
        values = (RNG.standard_normal(shape) / np.sqrt(shape[1])).astype("f")
        model.graph.initializer.append(numpy_helper.from_array(values, name))
    return model


@pytest.mark.parametrize(("tied", "fixed"), [(False, 3), (True, 2)])
def test_only_the_constant_that_would_be_stored_twice_stays_computed(tied, fixed, tmp_path):
    onnx.save(language_model(tied), tmp_path / "m.onnx")
    model = open_model(Request(str(tmp_path / "m.onnx"), workdir=tmp_path / "w"))
    graph = onnx.load(model.files["onnx"]).graph
    stored = {t.name for t in graph.initializer}
    assert sum(node.input[1] in stored for node in graph.node if node.op_type == "MatMul") == fixed
    assert any("storing it would enlarge the file: Et" in note for note in model.notes) == tied
    assert Path(model.files["onnx"]).stat().st_size < 1.1 * (tmp_path / "m.onnx").stat().st_size


def test_what_is_computed_from_computed_constants_stays_whole(tmp_path):
    """The large one is at the end of a chain whose links are needed elsewhere too."""
    text = """<ir_version: 8, opset_import: ["" : 17]> g (float[1, 400] x) => (float[400, 400] y) {
        two = Add (one, one)
        row = Mul (c, two)
        wide = Expand (row, size)
        more = Add (x, two)
        y = Mul (more, wide)
    }"""
    model = parser.parse_model(text)
    for name, value in {
        "one": np.float32(1),
        "c": np.ones((400, 1), "f"),
        "size": np.array([400, 400]),
    }.items():
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    onnx.save(model, tmp_path / "m.onnx")
    opened = open_model(Request(str(tmp_path / "m.onnx"), workdir=tmp_path / "w"))
    graph = onnx.load(opened.files["onnx"]).graph
    assert "Expand" in [n.op_type for n in graph.node]
    assert any(note.endswith("enlarge the file: wide") for note in opened.notes)
    x = RNG.standard_normal((1, 400)).astype("f")
    assert np.array_equal(run(opened.files["onnx"], x), run(model, x))


# ---- one place


def test_onnxs_version_converter_is_called_in_one_place():
    package = Path(cleaning.__file__).parents[2]
    calls = [
        p.name for p in sorted(package.rglob("*.py")) for _ in re.findall(r"convert_version\(", p.read_text())
    ]
    assert calls == ["opset.py"]
