"""What an ONNX file can be: each model is written here in a line or two of ONNX text."""

import re

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper, parser

from edgeq.errors import ModelRefused
from edgeq.ingest.open_model import open_model
from edgeq.ingest.request import Request

FLOAT = '<ir_version: 8, opset_import: ["" : 17]>'


def saved(tmp_path, text, **weights):
    model = parser.parse_model(text)
    model.graph.initializer.extend(numpy_helper.from_array(w, n) for n, w in weights.items())
    onnx.save(model, tmp_path / "m.onnx")
    return str(tmp_path / "m.onnx")


def clean(tmp_path, text, *, shapes=None, example=None, **weights):
    model = open_model(
        Request(
            saved(tmp_path, text, **weights), workdir=tmp_path / "w", shapes=shapes or {}, example=example
        )
    )
    return model, onnx.load(model.files["onnx"])


def refusal(source, tmp_path, **options):
    with pytest.raises(ModelRefused) as refused:
        open_model(Request(source, workdir=tmp_path / "w", **options))
    return refused.value


# ---- names


def test_nodes_of_one_name_are_told_apart(tmp_path):
    path = tmp_path / "m.onnx"
    proto = parser.parse_model(
        FLOAT + "g (float[2] x) => (float[2] y) { a = Relu(x) b = Neg(a) c = Exp(b) y = Sigmoid(c) }"
    )
    for node, name in zip(proto.graph.node, ("n", "n", "n_2", ""), strict=True):
        node.name = name
    onnx.save(proto, path)
    model = open_model(Request(str(path), workdir=tmp_path / "w"))
    names = [node.name for node in onnx.load(model.files["onnx"]).graph.node]
    assert [name for name in names if name] == ["n", "n_3", "n_2"]
    assert "1 node renamed: the name was not unique" in model.notes


def test_nodes_of_a_function_that_is_called_twice_are_no_two_of_one_name(tmp_path):
    path = tmp_path / "m.onnx"
    proto = parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17, "local" : 1]>
        g (float[2] x) => (float[2] y) { a = local.twice(x) y = local.twice(a) }
        <opset_import: ["" : 17], domain: "local">
        twice (v) => (w) { t = Exp(v) w = Neg(t) }"""
    )
    for node in proto.functions[0].node:
        node.name = "n"
    onnx.save(proto, path)
    model = open_model(Request(str(path), workdir=tmp_path / "w"))
    assert [n.op_type for n in onnx.load(model.files["onnx"]).graph.node] == ["Exp", "Neg", "Exp", "Neg"]


# ---- shapes


def test_an_open_batch_is_one_everywhere(tmp_path):
    text = FLOAT + "g (float[N,3] x, float[N,3] y) => (float[N,3] z) { z = Add(x, y) }"
    model, graph = clean(tmp_path, text)
    assert [i.shape for i in model.inputs] == [(1, 3), (1, 3)]
    assert model.outputs[0].shape == (1, 3)
    assert not any(d.dim_param for v in graph.graph.input for d in v.type.tensor_type.shape.dim)
    assert "shapes fixed: x 1x3, y 1x3 (2 open dimensions)" in model.notes


OPEN = FLOAT + "g (float[N,3,H,W] x) => (float[N,3,H,W] y) { y = Relu(x) }"


def test_open_sizes_come_from_the_flag_or_from_the_data(tmp_path):
    assert clean(tmp_path, OPEN, shapes={"x": (1, 3, 8, 9)})[0].inputs[0].shape == (1, 3, 8, 9)
    assert clean(tmp_path, OPEN, example=(np.zeros((3, 5, 6)),))[0].inputs[0].shape == (1, 3, 5, 6)


def test_the_flag_that_is_missing_or_wrong_is_named(tmp_path):
    source = saved(tmp_path, OPEN)
    assert "--shape x=1,3,?,?" in refusal(source, tmp_path).remedy
    assert refusal(source, tmp_path, shapes={"y": (1,)}).remedy == "its inputs are: x"
    assert (
        "contradicts the model, whose x is ?,3,?,?"
        in refusal(source, tmp_path, shapes={"x": (1, 4, 8, 8)}).what
    )


def test_an_input_without_a_rank_is_asked_for(tmp_path):
    source = saved(tmp_path, FLOAT + "g (float x) => (float[N] y) { y = Relu(x) }")
    model = onnx.load(source)
    model.graph.input[0].type.tensor_type.ClearField("shape")
    onnx.save(model, source)
    assert "--shape x=" in refusal(source, tmp_path).remedy
    assert open_model(Request(source, workdir=tmp_path / "w", shapes={"x": (3,)})).inputs[0].shape == (3,)


def test_the_source_is_never_overwritten(tmp_path):
    source = saved(tmp_path, OPEN)
    before = (tmp_path / "m.onnx").read_bytes()
    model = open_model(Request(source, workdir=tmp_path, shapes={"x": (1, 3, 4, 4)}))
    assert (tmp_path / "m.onnx").read_bytes() == before
    assert model.files["onnx"] == str(tmp_path / "m.clean.onnx")


def test_one_symbol_has_one_value(tmp_path):
    text = FLOAT + "g (float[N,L] x, float[L,N] y) => (float[N,N] z) { z = MatMul(x, y) }"
    assert clean(tmp_path, text, shapes={"x": (2, 5)})[0].inputs[1].shape == (5, 2)
    error = refusal(saved(tmp_path, text), tmp_path, shapes={"x": (2, 5), "y": (6, 2)})
    assert "'L' of the model cannot be both 5 and 6" in error.what


# ---- cleaning


def test_constants_and_batch_norms_are_folded(tmp_path):
    text = (
        FLOAT
        + """g (float[1,2,4,4] x) => (float[1,3,4,4] z) {
        y = Conv<pads=[1,1,1,1]>(x, w)
        z = BatchNormalization(y, scale, bias, mean, variance)
    }"""
    )
    rng = np.random.default_rng(0)
    vectors = {n: rng.random(3, dtype=np.float32) + 0.5 for n in ("scale", "bias", "mean", "variance")}
    model, graph = clean(tmp_path, text, w=rng.random((3, 2, 3, 3), dtype=np.float32), **vectors)
    assert [n.op_type for n in graph.graph.node] == ["Conv"]
    assert "constants and batch norms folded: 2 -> 1 nodes" in model.notes


def test_what_is_folded_leaves_onnxruntime_the_names_that_it_gives(tmp_path):
    """It writes a product of rows and a sum as Reshape and Gemm, with a shape of one and the same name each time."""
    text = (
        FLOAT
        + """g (float[1,5,4] x) => (float[1,5,4] y) {
        p = MatMul(x, w)
        y = Add(p, b)
    }"""
    )
    rng = np.random.default_rng(0)
    weights = {"w": rng.random((4, 4), dtype=np.float32), "b": rng.random(4, dtype=np.float32)}
    _, graph = clean(tmp_path, text, **weights)
    assert [n.op_type for n in graph.graph.node] == ["Reshape", "Gemm", "Reshape"]
    assert [o.name for o in graph.graph.output] == ["y"]

    graph.graph.output[0].name = "z"
    graph.graph.node.append(helper.make_node("MatMul", ["y", "w"], ["q"]))
    graph.graph.node.append(helper.make_node("Add", ["q", "b"], ["z"]))
    session = ort.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    x = rng.random((1, 5, 4), dtype=np.float32)
    once = x @ weights["w"] + weights["b"]
    np.testing.assert_allclose(session.run(None, {"x": x})[0], once @ weights["w"] + weights["b"], rtol=1e-5)


def test_an_old_opset_is_raised_and_means_the_same(tmp_path):
    """Opset 9: Upsample, and Slice and Squeeze with attributes; all are written differently since."""
    text = (
        '<ir_version: 3, opset_import: ["" : 9]>'
        + """g (float[1,2,4] x) => (float[4] y) {
        a = Slice<axes=[1], starts=[0], ends=[1]>(x)
        b = Squeeze<axes=[0, 1]>(a)
        y = Relu(b)
    }"""
    )
    model, graph = clean(tmp_path, text)
    assert graph.opset_import[0].version == 17
    assert "opset 9 changed to 17, outputs unchanged" in model.notes
    x = np.random.default_rng(0).standard_normal((1, 2, 4)).astype(np.float32)
    assert np.array_equal(
        ort.InferenceSession(model.files["onnx"]).run(None, {"x": x})[0], np.maximum(x[0, 0], 0)
    )


def test_attributes_that_become_initialisers_are_no_inputs(tmp_path):
    text = (
        '<ir_version: 3, opset_import: ["" : 9]>'
        "g (float[1,2] x) => (float[1,2] y) { y = Clip <min: float = 0.0, max: float = 6.0> (x) }"
    )
    model, graph = clean(tmp_path, text)
    assert graph.opset_import[0].version == 17
    assert [i.name for i in model.inputs] == ["x"]


def test_an_opset_that_only_the_newest_runtimes_read_is_lowered(tmp_path):
    text = '<ir_version: 11, opset_import: ["" : 23]>g (float[1,2] x) => (float[1,2] y) { y = Relu(x) }'
    model, graph = clean(tmp_path, text)
    assert (graph.opset_import[0].version, graph.ir_version) == (21, 10)
    assert "opset 23 changed to 21, outputs unchanged" in model.notes


def test_initialisers_listed_as_inputs_are_no_inputs(tmp_path):
    text = '<ir_version: 3, opset_import: ["" : 13]>g (float[1,2] x, float[2] w) => (float[1,2] y) { y = Add(x, w) }'
    model, graph = clean(tmp_path, text, w=np.ones(2, np.float32))
    assert [i.name for i in model.inputs] == ["x"]
    assert [i.name for i in graph.graph.input] == ["x"]


def test_a_newer_ir_version_than_onnxruntime_reads_is_no_reason_to_refuse(tmp_path):
    """onnx writes its newest into every model, whatever the model needs."""
    text = '<ir_version: 14, opset_import: ["" : 17]>g (float[1,2] x) => (float[1,2] y) { y = Relu(x) }'
    _, graph = clean(tmp_path, text)
    assert graph.ir_version == 8


def test_the_ir_version_is_the_oldest_that_serves_and_paths_are_forgotten(tmp_path):
    model = parser.parse_model(
        '<ir_version: 11, opset_import: ["" : 17, "com.microsoft" : 1]>g (float[1] x) => (float[1] y) { y = Relu(x) }'
    )
    model.graph.node[0].metadata_props.add(key="stack", value="/home/me/train.py")
    onnx.save(model, tmp_path / "m.onnx")
    cleaned = onnx.load(open_model(Request(str(tmp_path / "m.onnx"), workdir=tmp_path / "w")).files["onnx"])
    assert cleaned.ir_version == 8
    assert [o.domain for o in cleaned.opset_import] == [""]
    assert b"/home/me" not in cleaned.SerializeToString()


def test_a_constant_that_is_better_computed_than_stored_is_left(tmp_path):
    text = FLOAT + "g (float[1,500] x) => (float[500,500] y) { e = Expand(c, size) y = Add(x, e) }"
    model, graph = clean(tmp_path, text, c=np.ones((1, 1), np.float32), size=np.array([500, 500]))
    assert [n.op_type for n in graph.graph.node] == ["Expand", "Add"]
    assert any(note.startswith("not folded") and note.endswith(": e") for note in model.notes)


def test_subgraphs_and_functions_are_tolerated(tmp_path):
    text = (
        '<ir_version: 8, opset_import: ["" : 17, "my" : 1]>'
        + """g (float[1,2] x, bool c) => (float[1,2] z) {
        y = If (c) <
            then_branch = a () => (float[1,2] t) { t = Relu(x) },
            else_branch = b () => (float[1,2] e) { e = Neg(x) }
        >
        z = my.Twice(y)
    }
    <domain: "my", opset_import: ["" : 17]> Twice (p) => (q) { q = Add(p, p) }"""
    )
    model, _ = clean(tmp_path, text)
    assert [str(i) for i in model.inputs] == ["x 1x2 float32", "c scalar bool"]


# ---- already quantized


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("q = QuantizeLinear(x, s, z) y = DequantizeLinear(q, s, z)", "QDQ int8"),
        (
            "q, s2, z2 = DynamicQuantizeLinear(x) i = MatMulInteger(q, w, z2) y = Cast<to=1>(i)",
            "dynamic uint8",
        ),
        ("d = DequantizeLinear(w, s) y = MatMul(x, d)", "QDQ uint8 weights only"),
    ],
)
def test_a_quantized_model_is_recognised_and_left_as_it_is(body, words, tmp_path):
    weights = {"s": np.float32(0.1).reshape(()), "z": np.zeros((), np.int8), "w": np.ones((2, 2), np.uint8)}
    used = {name: value for name, value in weights.items() if re.search(rf"\b{name}\b", body)}
    source = saved(tmp_path, FLOAT + f"g (float[1,2] x) => (float[1,2] y) {{ {body} }}", **used)
    model = open_model(Request(source, workdir=tmp_path / "w"))
    assert model.quantized == words
    with (tmp_path / "m.onnx").open("rb") as given, (tmp_path / "w" / "m.onnx").open("rb") as kept:
        assert given.read() == kept.read()


# ---- refused


def test_a_custom_operator_is_named_with_its_node(tmp_path):
    text = '<ir_version: 8, opset_import: ["" : 17, "com.acme" : 1]>g (float[1] x) => (float[1] y) { y = com.acme.Magic(x) }'
    error = refusal(saved(tmp_path, text), tmp_path)
    assert "custom operator com.acme::Magic (node 'y')" in error.what


def test_a_custom_operator_inside_a_subgraph_is_found(tmp_path):
    text = (
        '<ir_version: 8, opset_import: ["" : 17, "com.acme" : 1]>'
        + """g (float[1] x, bool c) => (float[1] y) {
        y = If (c) <
            then_branch = a () => (float[1] t) { t = com.acme.Magic(x) },
            else_branch = b () => (float[1] e) { e = Neg(x) }
        >
    }"""
    )
    assert "com.acme::Magic" in refusal(saved(tmp_path, text), tmp_path).what


def test_strings_and_sequences_are_refused_by_the_inputs_name(tmp_path):
    text = helper.make_tensor_value_info("words", TensorProto.STRING, [1])
    out = helper.make_tensor_value_info("y", TensorProto.STRING, [1])
    graph = helper.make_graph([helper.make_node("Identity", ["words"], ["y"])], "g", [text], [out])
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
        tmp_path / "m.onnx",
    )
    assert "the input 'words' holds strings" in refusal(str(tmp_path / "m.onnx"), tmp_path).what


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04 and so on", "a zip archive"),
        (b"\x18\x00\x00\x00TFL3....", "a TFLite model"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a git-lfs pointer"),
        (b"\xff\xfe\xfd random bytes", "not an ONNX model, or it is truncated"),
        (b"\x08\x08", "the field graph is missing"),
    ],
)
def test_what_is_not_onnx_is_told_apart(content, words, tmp_path):
    (tmp_path / "m.onnx").write_bytes(content)
    assert words in refusal(str(tmp_path / "m.onnx"), tmp_path).what


def test_a_model_cut_anywhere_is_refused_without_a_traceback(tmp_path):
    text = FLOAT + "g (float[1,2] x) => (float[1,2] z) { y = MatMul(x, w) z = Relu(y) }"
    saved(tmp_path, text, w=np.ones((2, 2), np.float32))
    whole = (tmp_path / "m.onnx").read_bytes()
    for length in range(len(whole)):
        (tmp_path / "m.onnx").write_bytes(whole[:length])
        refusal(str(tmp_path / "m.onnx"), tmp_path)


# ---- external data


def external(tmp_path):
    text = FLOAT + "g (float[1,64] x) => (float[1,64] y) { y = MatMul(x, w) }"
    weights = np.random.default_rng(0).random((64, 64), dtype=np.float32)
    model = onnx.load(saved(tmp_path, text, w=weights))
    onnx.save(model, tmp_path / "m.onnx", save_as_external_data=True, location="m.data", size_threshold=0)
    return str(tmp_path / "m.onnx")


def test_external_data_is_taken_in(tmp_path):
    model = open_model(Request(external(tmp_path), workdir=tmp_path / "w"))
    (tmp_path / "m.data").unlink()
    assert ort.InferenceSession(model.files["onnx"]).run(None, {"x": np.ones((1, 64), np.float32)})[
        0
    ].shape == (1, 64)


def test_the_digest_covers_external_data(tmp_path):
    source = external(tmp_path)
    before = open_model(Request(source, workdir=tmp_path / "w")).sha256
    raw = bytearray((tmp_path / "m.data").read_bytes())
    raw[5] ^= 1
    (tmp_path / "m.data").write_bytes(raw)
    assert open_model(Request(source, workdir=tmp_path / "w")).sha256 != before


def test_missing_or_foreign_external_data_is_refused_by_name(tmp_path):
    source = external(tmp_path)
    (tmp_path / "m.data").unlink()
    assert "external data 'm.data' is missing" in refusal(source, tmp_path).what
    model = onnx.load(source, load_external_data=False)
    model.graph.initializer[0].external_data[0].value = "../../etc/passwd"
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    assert "outside the model's folder" in refusal(source, tmp_path).what


def test_a_source_of_no_known_kind_lists_what_is_taken(tmp_path):
    error = refusal(str(tmp_path / "model.h5"), tmp_path)
    assert "there is no model" in error.what
    assert "ONNX" in error.remedy and "--weights" in error.remedy


# ---- without ends


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("g () => (float[2] y) { y = Constant <value_floats = [1.0, 2.0]> () }", "no inputs: it takes nothing (Constant 'y')"),
        ("g () => (float[2] y) { y = RandomNormal <shape = [2]> () }", "no inputs: it takes nothing (RandomNormal 'y')"),
        ("g (float[2] x) => () { y = Relu (x) }", "no outputs: it gives nothing (Relu 'y')"),
    ],
)  # fmt: skip
def test_a_model_that_takes_or_gives_nothing_is_refused_with_its_operators(text, words, tmp_path):
    assert words in refusal(saved(tmp_path, FLOAT + text), tmp_path).what


def test_integers_of_another_width_are_the_same_only_where_formats_may_be_narrower():
    from edgeq.ingest.graph.trial import same, same_values

    classes, wide = np.array([3, 7]), np.array([3, 2**40])
    assert same_values([classes], [classes.astype(np.int32)]) and not same(
        [classes], [classes.astype(np.int32)]
    )
    assert not same_values([wide], [wide.astype(np.int32)])
    assert not same_values([classes], [np.array([3, 8], np.int32)])
    assert same_values([np.array([0.5])], [np.array([0.5], "f")])
    assert not same_values([np.array([1.0])], [np.array([1])])
    assert not same_values([np.array([1])], [np.array([True])])
