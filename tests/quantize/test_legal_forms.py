"""One operator in an unusual but legal form never costs the network its recipe.

Each form stands in a small net next to an ordinary convolution or product, which has to be quantized whatever the form
is; the form itself is quantized too, or named with a reason. What the files compute is compared with float here, not
by edgeq's own figures.
"""

from dataclasses import dataclass

import numpy as np
import onnx
import pytest
from onnx import numpy_helper, parser

from edgeq.bundle import read_bundle
from edgeq.graphs.ort_session import ort_session
from edgeq.nouns.project import Gates
from edgeq.workflow.convert import convert

RNG = np.random.default_rng(5)


def normal(*shape, scale=1.0):
    return (RNG.standard_normal(shape) * scale).astype("f")


@dataclass(frozen=True)
class Form:
    """`body` makes u of r; both are [8, 16], or [1, 8, 6, 6] for an image."""

    body: str
    stored: dict
    image: bool = False
    opset: int = 17


def rows(body, **stored):
    return Form(body, stored)


def image(body, **stored):
    return Form(body, stored, image=True)


K = normal(16, 16, scale=0.25)
C8 = normal(8, 8, scale=0.3)
FORMS = {
    "Gemm, C [N]": rows("u = Gemm (r, k, c)", k=K, c=normal(16)),
    "Gemm, C [1, N]": rows("u = Gemm (r, k, c)", k=K, c=normal(1, 16)),
    "Gemm, C [1]": rows("u = Gemm (r, k, c)", k=K, c=normal(1)),
    "Gemm, C [1, 1]": rows("u = Gemm (r, k, c)", k=K, c=normal(1, 1)),
    "Gemm, C scalar": rows("u = Gemm (r, k, c)", k=K, c=np.float32(0.7).reshape(())),
    "Gemm, C [M, N]": rows("u = Gemm (r, k, c)", k=K, c=normal(8, 16)),
    "Gemm, C [M, 1]": rows("u = Gemm (r, k, c)", k=K, c=normal(8, 1)),
    "Gemm, no C": rows("u = Gemm (r, k)", k=K),
    "Gemm, C left out": rows('u = Gemm (r, k, "")', k=K),
    "Gemm, C computed": rows("m = ReduceMean <axes = [0]> (r) u = Gemm (r, k, m)", k=K),
    "Gemm, transA": rows("t = Transpose (r) u = Gemm <transA = 1> (t, k, c)", k=K, c=normal(16)),
    "Gemm, transB": rows("u = Gemm <transB = 1> (r, k, c)", k=K, c=normal(16)),
    "Gemm, transA and transB": rows("t = Transpose (r) u = Gemm <transA = 1, transB = 1> (t, k)", k=K),
    "Gemm, alpha and beta": rows("u = Gemm <alpha = 0.5, beta = 2.0> (r, k, c)", k=K, c=normal(16)),
    "Gemm, beta and C [1, N]": rows("u = Gemm <beta = 0.5> (r, k, c)", k=K, c=normal(1, 16)),
    "Gemm, beta and C [M, N]": rows("u = Gemm <beta = 0.5> (r, k, c)", k=K, c=normal(8, 16)),
    "Gemm, beta 0": rows("u = Gemm <beta = 0.0> (r, k, c)", k=K, c=normal(16)),
    "Gemm, constant on the left": rows("u = Gemm (k, r)", k=normal(8, 8, scale=0.3)),
    "Gemm, constant on the left, transA": rows("u = Gemm <transA = 1> (k, r, c)", k=normal(8, 8, scale=0.3), c=normal(16)),
    "Gemm, both constant": rows("p = Gemm (a, b) u = Add (r, p)", a=normal(8, 4), b=normal(4, 16)),
    "Gemm, weight and C shared": rows("h = Gemm (r, k, c) u = Gemm (h, k, c)", k=K, c=normal(16)),
    "Gemm, C is the weight of another": rows("h = Gemm (s, k, s) u = Gemm (r, h)", k=K, s=normal(16, 16, scale=.2)),
    "MatMul, constant on the left": rows("u = MatMul (k, r)", k=normal(8, 8, scale=0.3)),
    "MatMul, both sides": rows("h = MatMul (l, r) u = MatMul (h, k)", l=normal(8, 8, scale=0.3), k=K),
    "MatMul, stacked weights": rows("s = Reshape (r, to) p = MatMul (s, k) u = Reshape (p, back)", k=normal(4, 16, 16, scale=.25), to=np.array([4, 2, 16]), back=np.array([8, 16])),
    "MatMul, stacked weights, four axes": rows("s = Reshape (r, to) p = MatMul (s, k) u = Reshape (p, back)", k=normal(2, 2, 16, 16, scale=.25), to=np.array([2, 2, 2, 16]), back=np.array([8, 16])),
    "MatMul, a stack of one": rows("p = MatMul (r, k) u = Reshape (p, back)", k=normal(1, 16, 16, scale=.25), back=np.array([8, 16])),
    "MatMul, a stack on the left": rows("s = Reshape (r, to) p = MatMul (k, s) u = Reshape (p, back)", k=normal(4, 2, 2), to=np.array([4, 2, 16]), back=np.array([8, 16])),
    "MatMul, a vector": rows("p = MatMul (r, k) q = Unsqueeze (p, one) u = Mul (r, q)", k=normal(16), one=np.array([1])),
    "MatMul, a vector on the left": rows("p = MatMul (k, r) u = Add (r, p)", k=normal(8)),
    "MatMul, both run": rows("t = Transpose (r) p = MatMul (r, t) u = MatMul (p, r)"),
    "MatMul, one weight of two": rows("h = MatMul (r, k) u = MatMul (h, k)", k=K),
    "MatMul, weight also added": rows("h = MatMul (r, k) a = ReduceMean <axes = [0], keepdims = 1> (k) u = Add (h, a)", k=K),
    "MatMul, weight is an output of a Constant": rows("k = Constant <value = float[16, 16] {" + ", ".join(f"{v:.4f}" for v in K.ravel()) + "}> () u = MatMul (r, k)"),
    "MatMul, weights behind Cast": rows("k = Cast <to = 1> (h) u = MatMul (r, k)", h=K.astype(np.float16)),
    "MatMul, weights of double": rows("d = Cast <to = 11> (r) p = MatMul (d, k) u = Cast <to = 1> (p)", k=K.astype(np.float64)),
    "MatMul, zeros": rows("u = MatMul (r, k)", k=np.zeros((16, 16), "f")),
    "MatMul, a channel of zeros": rows("h = MatMul (r, k) u = Add (h, c)", k=K * (np.arange(16) != 3), c=normal(16)),
    "Add, scalar": rows("u = Add (r, c)", c=np.float32(0.5).reshape(())),
    "Mul, scalar on the left": rows("u = Mul (c, r)", c=np.float32(0.5).reshape(())),
    "Mul, [1]": rows("u = Mul (r, c)", c=normal(1)),
    "Div, scalar": rows("u = Div (r, c)", c=np.float32(3).reshape(())),
    "PRelu, scalar": rows("u = PRelu (r, c)", c=np.float32(0.2).reshape(())),
    "Clip, no ends": rows("u = Clip (r)"),
    "Clip, min left out": rows('u = Clip (r, "", c)', c=np.float32(1).reshape(())),
    "Clip, max left out": rows("u = Clip (r, c)", c=np.float32(-1).reshape(())),
    "Clip, ends computed": rows("c = ReduceMax <keepdims = 0> (r) z = Neg (c) u = Clip (r, z, c)"),
    "Pad, value left out": rows("p = Pad (r, by) u = Slice (p, from, to)", by=np.array([1, 1, 1, 1]), **{"from": np.array([1, 1]), "to": np.array([9, 17])}),
    "Slice, axes left out, steps given": rows('s = Slice (r, from, to, "", by) u = Concat <axis = 1> (s, s)', by=np.array([1, 2]), **{"from": np.array([0, 0]), "to": np.array([8, 16])}),
    "Where, constants": rows("b = Greater (r, c) u = Where (b, r, c)", c=np.float32(0).reshape(())),
    "Split, sizes given": rows("a, b = Split <axis = 1> (r, by) u = Concat <axis = 1> (b, a)", by=np.array([4, 12])),
    "Gather, scalar index": rows("g = Gather <axis = 0> (r, at) u = Add (r, g)", at=np.array(2)),
    "Einsum, weights": rows('u = Einsum <equation = "ij,jk->ik"> (r, k)', k=K),
    "Dropout, unused mask": rows("u, mask = Dropout (r)"),
    "BatchNormalization of rows": rows("u = BatchNormalization (r, a, b, c, d)", a=normal(16), b=normal(16), c=normal(16), d=np.abs(normal(16)) + .5),
    "LSTM, inputs left out": rows('s = Unsqueeze (r, one) o, h, "" = LSTM <hidden_size = 16> (s, w, q, "", "", "", "") p = Squeeze (o, one) u = Squeeze (p, one)', one=np.array([1]), w=normal(1, 64, 16, scale=.2), q=normal(1, 64, 16, scale=.2)),
    "GRU, inputs left out": rows('s = Unsqueeze (r, one) o, "" = GRU <hidden_size = 16> (s, w, q, b) p = Squeeze (o, one) u = Squeeze (p, one)', one=np.array([1]), w=normal(1, 48, 16, scale=.2), q=normal(1, 48, 16, scale=.2), b=normal(1, 96, scale=.1)),
    "Conv, no bias": image("u = Conv (r, k)", k=normal(8, 8, 1, 1, scale=0.3)),
    "Conv, bias left out": image('u = Conv (r, k, "")', k=normal(8, 8, 1, 1, scale=0.3)),
    "Conv, bias computed": image("m = ReduceMean <axes = [0, 2, 3], keepdims = 0> (r) u = Conv (r, k, m)", k=normal(8, 8, 1, 1, scale=0.3)),
    "Conv, bias shared": image("h = Conv (r, k, c) u = Conv (h, l, c)", k=normal(8, 8, 1, 1, scale=0.3), l=normal(8, 8, 1, 1, scale=0.3), c=normal(8)),
    "Conv, bias shared with an Add": image("h = Conv (r, k, c) q = Reshape (c, to) u = Add (h, q)", k=normal(8, 8, 1, 1, scale=0.3), c=normal(8), to=np.array([8, 1, 1])),
    "Conv, weight shared": image("h = Conv (r, k, c) u = Conv (h, k)", k=normal(8, 8, 1, 1, scale=0.3), c=normal(8)),
    "Conv, weight computed": image("m = ReduceMean <keepdims = 0> (r) k = Mul (l, m) u = Conv (r, k)", l=normal(8, 8, 1, 1, scale=.3)),
    "Conv, both constant": image("p = Conv (a, k) u = Add (r, p)", a=normal(1, 4, 6, 6), k=normal(8, 4, 1, 1)),
    "Conv, constant image": image("f = Reshape (r, to) p = Conv (a, f) q = ReduceMean <keepdims = 0> (p) u = Add (r, q)", a=normal(1, 8, 8, 8), to=np.array([1, 8, 6, 6])),
    "Conv, grouped": image("u = Conv <group = 4, pads = [1, 1, 1, 1]> (r, k, c)", k=normal(8, 2, 3, 3, scale=0.3), c=normal(8)),
    "Conv, depthwise": image("u = Conv <group = 8, auto_pad = \"SAME_UPPER\"> (r, k)", k=normal(8, 1, 3, 3, scale=0.3)),
    "Conv, a channel without weights": image("u = Conv (r, k, c)", k=normal(8, 8, 1, 1, scale=0.3) * (np.arange(8) != 3)[:, None, None, None], c=normal(8)),
    "Conv, a channel of tiny weights": image("u = Conv (r, k, c)", k=normal(8, 8, 1, 1, scale=0.3) * np.where(np.arange(8) == 3, 1e-9, 1).astype("f")[:, None, None, None], c=normal(8)),
    "Conv of one axis": image("f = Reshape (r, to) p = Conv <pads = [1, 1]> (f, k, c) u = Reshape (p, back)", k=normal(8, 8, 3, scale=.3), c=normal(8), to=np.array([1, 8, 36]), back=np.array([1, 8, 6, 6])),
    "Conv of three axes": image("f = Reshape (r, to) p = Conv <pads = [1, 1, 1, 1, 1, 1]> (f, k) u = Reshape (p, back)", k=normal(8, 8, 3, 3, 3, scale=.1), to=np.array([1, 8, 4, 3, 3]), back=np.array([1, 8, 6, 6])),
    "ConvTranspose": image("u = ConvTranspose <pads = [1, 1, 1, 1]> (r, k, c)", k=normal(8, 8, 3, 3, scale=0.2), c=normal(8)),
    "ConvTranspose, no bias, grouped": image("u = ConvTranspose <pads = [1, 1, 1, 1], group = 2> (r, k)", k=normal(8, 4, 3, 3, scale=0.2)),
    "ConvTranspose, bias left out": image('u = ConvTranspose <pads = [1, 1, 1, 1]> (r, k, "")', k=normal(8, 8, 3, 3, scale=0.2)),
    "Resize, inputs left out": image('p = Resize <mode = "nearest"> (r, "", by) u = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (p)', by=np.array([1, 1, 2, 2], "f")),
    "Resize, sizes": image('p = Resize <mode = "linear"> (r, "", "", to) u = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (p)', to=np.array([1, 8, 12, 12])),
    "InstanceNormalization": image("u = InstanceNormalization (r, a, b)", a=normal(8), b=normal(8)),
    "If, a product inside": rows("""b = ReduceMax <keepdims = 0> (r) z = Constant <value = float {-9.0}> () yes = Greater (b, z)
        u = If (yes) <then_branch = t () => (float[8, 16] i) { i = MatMul (r, k) }, else_branch = e () => (float[8, 16] j) { j = Neg (r) }>""", k=K),
}  # fmt: skip


# Forms that a quantizer or kernel does not take as they are: tested each time, the others with what takes minutes.
REFUSED_ONCE = (
    "Gemm, C [1, N]", "Gemm, C [1]", "Gemm, C scalar", "Gemm, C [M, N]", "Gemm, C left out", "Gemm, beta and C [M, N]",
    "MatMul, constant on the left", "MatMul, stacked weights", "MatMul, a stack of one", "MatMul, a vector",
    "Conv, bias left out", "Conv, bias shared", "Conv, a channel of tiny weights", "Conv, constant image", "ConvTranspose",
)  # fmt: skip


def forms(*, images):
    """Names as parameters of a test."""
    named = [name for name, form in FORMS.items() if images or not form.image]
    return [n if n in REFUSED_ONCE else pytest.param(n, marks=pytest.mark.slow) for n in named]


def net(form):
    """An ordinary layer, the form, an ordinary layer."""
    shape = "1, 8, 6, 6" if form.image else "8, 16"
    layer = "Conv" if form.image else "Gemm"
    pads = " <pads = [1, 1, 1, 1]>" if form.image else ""
    model = parser.parse_model(
        f"""<ir_version: 8, opset_import: ["" : {form.opset}]> g (float[{shape}] x) => (float[{shape}] y) {{
        before = {layer}{pads} (x, w1, b1)
        r = Relu (before)
        {form.body}
        y = {layer}{pads} (u, w2, b2)
    }}"""
    )
    one = (8, 8, 3, 3) if form.image else (16, 16)
    own = {
        "w1": normal(*one, scale=0.2),
        "w2": normal(*one, scale=0.2),
        "b1": normal(one[0]),
        "b2": normal(one[0]),
    }
    for node, name in zip((model.graph.node[0], model.graph.node[-1]), ("first", "last"), strict=True):
        node.name = name
    stored = {name: numpy_helper.from_array(np.asarray(v), name) for name, v in (own | form.stored).items()}
    model.graph.initializer.extend(stored.values())
    return model


def converted(form, folder, recipe, **options):
    model = net(form)
    onnx.save(model, folder / "m.onnx")
    shape = (32, 1, 8, 6, 6) if form.image else (32, 8, 16)
    data = np.random.default_rng(1).standard_normal(shape).astype("f")
    np.savez(folder / "x.npz", x=data)
    done = convert(
        str(folder / "m.onnx"),
        target="x86-64-vnni",
        data=str(folder / "x.npz"),
        recipe=recipe,
        runtime="onnxruntime",
        gates=Gates(min_sqnr_db=12),
        output=folder / f"{recipe}.edgeq",
        **options,
    )
    candidates = read_bundle(done.path).manifest.candidates
    found = next(c for c in candidates if c.id == f"onnxruntime-{recipe}")
    content = read_bundle(done.path).artifact(found.model)
    return done, content, model, data[:16]


def sqnr(content, model, data):
    """Of the file against the model as it was written, on `data`."""
    whole, other = (ort_session(c, threads=1) for c in (model.SerializeToString(), content))
    pairs = [(whole.run(None, {"x": x})[0], other.run(None, {"x": x})[0]) for x in data]
    signal = sum(np.square(f.astype("d")).sum() for f, _ in pairs)
    return 10 * np.log10(signal / max(sum(np.square(f.astype("d") - q).sum() for f, q in pairs), 1e-30))


def ordinary(content):
    """Names of the ordinary layers that read a quantized weight."""
    graph = onnx.load_from_string(content).graph
    integers = {t.name for t in graph.initializer if t.data_type in (2, 3) and t.dims and len(t.dims) > 1}
    made = {n.output[0]: n for n in graph.node}
    found = set()
    for node in graph.node:
        for read in node.input:
            by = made.get(read)
            if by is not None and by.op_type == "DequantizeLinear" and by.input[0] in integers:
                found.add(node.name)
            if read in integers and node.op_type != "DequantizeLinear":
                found.add(node.name.removesuffix("_quant").removesuffix("_MatMul"))
    return found


@pytest.mark.parametrize("name", forms(images=True))
def test_what_stands_next_to_it_is_quantized_in_static_int8(name, tmp_path):
    done, content, model, data = converted(FORMS[name], tmp_path, "int8_static")
    (judged,) = (f for f in done.fidelity if f.candidate.endswith("int8_static"))
    assert {"first", "last"} <= ordinary(content), judged.float_layers
    assert sqnr(content, model, data) > (judged.outputs[0].sqnr_db or 99) - 3
    # None: it gives the same for every input. In a product of three activations one sample beyond their ranges counts for all.
    assert (judged.outputs[0].typical_db or 99) > 18
    assert (judged.outputs[0].sqnr_db or 99) > 15


@pytest.mark.parametrize("name", forms(images=False))
def test_what_stands_next_to_it_is_quantized_in_dynamic_int8(name, tmp_path):
    done, content, model, data = converted(FORMS[name], tmp_path, "int8_dynamic")
    (judged,) = (f for f in done.fidelity if f.candidate.endswith("int8_dynamic"))
    assert {"first", "last"} <= ordinary(content), judged.float_layers
    assert sqnr(content, model, data) > (judged.outputs[0].sqnr_db or 99) - 3
    assert (judged.outputs[0].sqnr_db or 99) > 18  # None: it gives the same for every input
