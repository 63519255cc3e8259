"""Untrusted models and data that would cost more than they hold: refused by edgeq, in seconds, by name."""

import contextlib
import io
import json
import struct
import zipfile

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgeq.errors import DataRefused, ModelRefused
from edgeq.ingest.image import read_pixels
from edgeq.ingest.npz import load_arrays
from edgeq.ingest.open_model import open_model
from edgeq.ingest.request import Request
from tests.fuzz.archives import bomb


def value(name, shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def saved(path, nodes, inputs, outputs, tensors=(), functions=()):
    graph = helper.make_graph(nodes, "g", inputs, outputs, tensors)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    model = helper.make_model(graph, opset_imports=opsets, functions=functions, ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def refused(path, words, error=ModelRefused):
    with pytest.raises(error, match=words) as caught:
        open_model(Request(str(path), workdir=path.parent / "work"))
    return caught.value


def functions(depth, calls, inner="Relu"):
    """f0 is one node; each next one calls the one before it `calls` times."""
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    for level in range(depth):
        names = [f"t{i}" for i in range(calls)]
        operator, domain = (inner, "") if level == 0 else (f"f{level - 1}", "own")
        nodes = [
            helper.make_node(operator, [a], [b], domain=domain)
            for a, b in zip(["x", *names[:-1]], [*names[:-1], "y"], strict=True)
        ]
        yield helper.make_function("own", f"f{level}", ["x"], ["y"], nodes, opsets)


@pytest.mark.parametrize(("depth", "calls"), [(30, 2), (60, 2), (8, 40), (3000, 2)])
def test_functions_that_call_each_other_twice(tmp_path, depth, calls):
    call = [helper.make_node(f"f{depth - 1}", ["x"], ["y"], domain="own")]
    path = saved(
        tmp_path / "m.onnx",
        call,
        [value("x", [1, 4])],
        [value("y", [1, 4])],
        functions=list(functions(depth, calls)),
    )
    refused(path, "expand to more than")


def test_functions_that_call_each_other_within_reason_are_opened(tmp_path):
    call = [helper.make_node("f4", ["x"], ["y"], domain="own")]
    path = saved(
        tmp_path / "m.onnx", call, [value("x", [1, 4])], [value("y", [1, 4])], functions=list(functions(5, 3))
    )
    assert open_model(Request(str(path), workdir=tmp_path / "work")).outputs[0].shape == (1, 4)


@pytest.mark.parametrize("length", [1, 2, 5])
def test_a_function_that_calls_itself(tmp_path, length):
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    circle = [
        helper.make_function(
            "own",
            f"f{i}",
            ["x"],
            ["y"],
            [helper.make_node(f"f{(i + 1) % length}", ["x"], ["y"], domain="own")],
            opsets,
        )
        for i in range(length)
    ]
    path = saved(
        tmp_path / "m.onnx",
        [helper.make_node("f0", ["x"], ["y"], domain="own")],
        [value("x", [1, 4])],
        [value("y", [1, 4])],
        functions=circle,
    )
    refused(path, "calls itself")


@pytest.mark.parametrize("shape", [[1, 2**62], [2**62], [2**31, 2**31], [2**21, 2**21, 1]])
def test_an_input_that_no_memory_holds(tmp_path, shape):
    path = saved(
        tmp_path / "m.onnx",
        [helper.make_node("Relu", ["x"], ["y"])],
        [value("x", shape)],
        [value("y", shape)],
    )
    refused(path, "the input 'x' has the shape")


@pytest.mark.parametrize("dims", [[2**62], [2**31, 2**31], [-4], [4, -1], [64]])
def test_weights_that_declare_more_than_they_hold(tmp_path, dims):
    weight = numpy_helper.from_array(np.ones(4, np.float32), "w")
    del weight.dims[:]
    weight.dims.extend(dims)
    path = saved(
        tmp_path / "m.onnx",
        [helper.make_node("Add", ["x", "w"], ["y"])],
        [value("x", [4])],
        [value("y", [4])],
        [weight],
    )
    refused(path, r"the tensor 'w' declares|m.onnx|[dD]imension|initializer|broadcast|size")


LOOP = helper.make_graph(
    [helper.make_node("Identity", ["c"], ["c2"]), helper.make_node("Add", ["v", "one"], ["v2"])],
    "body",
    [value("i", [], TensorProto.INT64), value("c", [], TensorProto.BOOL), value("v", [1])],
    [value("c2", [], TensorProto.BOOL), value("v2", [1])],
)


@pytest.mark.parametrize(
    "node",
    [
        helper.make_node("ConstantOfShape", ["huge"], ["big"]),
        helper.make_node("Expand", ["one", "huge"], ["big"]),
        helper.make_node("Tile", ["one", "huge"], ["big"]),
        helper.make_node("Loop", ["huge1", "true", "one"], ["big"], body=LOOP),
    ],
    ids=lambda node: node.op_type,
)
def test_work_without_end_inside_a_small_graph(tmp_path, monkeypatch, node):
    monkeypatch.setenv("EDGEQ_OPEN_MEMORY_MB", "500")
    monkeypatch.setenv("EDGEQ_OPEN_SECONDS", "6")
    tensors = [
        numpy_helper.from_array(np.array([2**40], np.int64), "huge"),
        numpy_helper.from_array(np.array(2**62, np.int64), "huge1"),
        numpy_helper.from_array(np.array([1], np.float32), "one"),
        numpy_helper.from_array(np.array(True), "true"),
    ]
    nodes = [
        node,
        helper.make_node("ReduceMax", ["big"], ["m"], keepdims=0),
        helper.make_node("Add", ["x", "m"], ["y"]),
    ]
    path = saved(tmp_path / "m.onnx", nodes, [value("x", [4])], [value("y", [4])], tensors)
    with contextlib.suppress(ModelRefused):
        open_model(Request(str(path), workdir=tmp_path / "work"))


def test_external_data_through_a_link_that_leaves_the_folder(tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(np.ones(4, np.float32).tobytes())
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "w.bin").symlink_to(secret)
    weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    for location in ("w.bin", "../secret", str(secret)):
        del weight.external_data[:]
        weight.external_data.add(key="location", value=location)
        path = saved(
            folder / "m.onnx",
            [helper.make_node("Add", ["x", "w"], ["y"])],
            [value("x", [4])],
            [value("y", [4])],
            [weight],
        )
        refused(path, "outside the model's folder")


# Arrays


def npz(path, header, data=b""):
    head = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", head + data)
    return path


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (
            b"{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 3)}",
            "its shape|declares",
        ),
        (
            b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000, 3)}",
            "declares 12,000,000,000 bytes",
        ),
        (b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 0)}", "holds no values"),
        (b"{'descr': '<U0', 'fortran_order': False, 'shape': (1099511627776,)}", "holds no values"),
        (b"{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 3)}", "its shape"),
        (b"{'descr': '|O', 'fortran_order': False, 'shape': (3,)}", "pickled"),
        (b"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,)}", "its type"),
        (b"{'descr': '|V8', 'fortran_order': False, 'shape': (3,)}", "its type"),
        (b"[" * 3000, "header is damaged"),
        (b"__import__('os')", "header is damaged"),
    ],
)
def test_an_array_that_declares_what_it_does_not_hold(tmp_path, header, words):
    with pytest.raises(DataRefused, match=words):
        load_arrays(npz(tmp_path / "x.npz", header, bytes(64)))


def test_more_samples_than_anybody_looks_at(tmp_path):
    from edgeq.ingest.npz import of_arrays

    np.savez_compressed(tmp_path / "x.npz", x=np.zeros(20_000_000, np.int8))
    with pytest.raises(DataRefused, match="20,000,000 samples"):
        of_arrays(tmp_path / "x.npz", load_arrays(tmp_path / "x.npz"), {"x": (1, 4)})


def test_an_archive_that_unpacks_to_more_than_memory(tmp_path, monkeypatch):
    rows = 40_000_000
    header = (
        b"\x93NUMPY\x01\x00F\x00"
        + (b"{'descr': '<f4', 'fortran_order': False, 'shape': (%d, 3), }" % rows).ljust(69)
        + b"\n"
    )
    (tmp_path / "x.npz").write_bytes(bomb("x.npy", header, rows * 12))
    assert (tmp_path / "x.npz").stat().st_size < 1_000_000
    from edgeq.ingest import npz as reading

    monkeypatch.setattr(reading, "free_memory", lambda: 600_000_000)
    with pytest.raises(
        DataRefused, match=r"holds 0\.5 GB of arrays, and this machine has memory for 0\.3 GB"
    ):
        load_arrays(tmp_path / "x.npz")


@pytest.mark.parametrize("kind", ["overlapping", "twice", "text", "lzma"])
def test_an_archive_that_numpy_does_not_write(tmp_path, kind):
    path, array = tmp_path / "x.npz", io.BytesIO()
    np.save(array, np.zeros((4, 3), np.float32))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", array.getvalue(), zipfile.ZIP_LZMA if kind == "lzma" else None)
        if kind == "twice":
            with pytest.warns(UserWarning):
                archive.writestr("x.npy", array.getvalue())
        if kind == "text":
            archive.writestr("notes.txt", b"hello")
        if kind == "overlapping":
            info = zipfile.ZipInfo("y.npy")
            info.file_size = info.compress_size = len(array.getvalue())
            info.CRC, info.header_offset = archive.filelist[0].CRC, 0
            archive.filelist.append(info)
    with pytest.raises(DataRefused, match=str(path)):
        load_arrays(path)


@pytest.mark.parametrize("order", "<>")
def test_text_beyond_unicode(tmp_path, order):
    codes = np.array([0x41, 0x110000], f"{order}u4")
    header = b"{'descr': '%sU1', 'fortran_order': False, 'shape': (2,)}" % order.encode()
    with pytest.raises(DataRefused, match="its text is damaged"):
        load_arrays(npz(tmp_path / "x.npz", header, codes.tobytes()))


# Images


def png(width, height):
    from zlib import compress, crc32

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(("width", "height"), [(8001, 8000), (2**31 - 1, 2**31 - 1), (65000, 65000)])
def test_an_image_that_declares_more_pixels_than_a_camera_has(tmp_path, width, height):
    (tmp_path / "a.png").write_bytes(png(width, height))
    with pytest.raises(DataRefused, match=r"the limit is 64,000,000|not a readable image"):
        read_pixels(tmp_path / "a.png")


@pytest.mark.parametrize("kind", ["EPS", "TIFF", "GIF", "PPM", "ICO"])
def test_formats_that_are_not_on_the_list_are_not_tried(tmp_path, kind):
    from PIL import Image

    Image.new("RGB", (32, 32)).save(tmp_path / "a", kind)
    (tmp_path / "a").rename(tmp_path / "a.png")
    with pytest.raises(DataRefused, match="none of PNG, JPEG, BMP, WEBP"):
        read_pixels(tmp_path / "a.png")


# TOML


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a = " + "[" * 100_000, "nested too deep|more than"),
        ("a = " + "{b=" * 20_000, "nested too deep|not TOML"),
        (".".join("a" * 100_000) + " = 1", "nested too deep|not TOML|unknown key|takes more"),
        ("a = 1\n" * 50_000, "not TOML|more than"),
        ("#" * 300_000, "more than 256,000 bytes"),
        ("name = 1979-05-27", "is a date or a time"),
        ('model = "a\\u0000b.onnx"', "u0000"),
        ("calibrate = 0x" + "f" * 60_000, "240,000 bits"),
    ],
)
def test_untrusted_toml(tmp_path, text, words):
    from edgeq.errors import TargetRefused
    from edgeq.request.project import read_project

    (tmp_path / "edgeq.toml").write_text(text)
    with pytest.raises(TargetRefused, match=words):
        read_project(tmp_path / "edgeq.toml")


# torch


@pytest.mark.parametrize("kind", ["view", "damaged", "safetensors"])
def test_untrusted_weights(tmp_path, kind):
    torch = pytest.importorskip("torch")
    path = tmp_path / ("w.safetensors" if kind == "safetensors" else "w.pt")
    if kind == "view":
        torch.save({"weight": torch.zeros(1).expand(1 << 40), "bias": torch.zeros(2)}, path)
    elif kind == "damaged":
        path.write_bytes(b"PK\x03\x04" + bytes(100))
    else:
        header = json.dumps(
            {"weight": {"dtype": "F32", "shape": [1 << 50], "data_offsets": [0, 1 << 52]}}
        ).encode()
        path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(16))
    (tmp_path / "net.py").write_text("import torch\ndef build(): return torch.nn.Linear(4, 2)\n")
    with pytest.raises(ModelRefused, match=r"w\.(pt|safetensors)"):
        open_model(
            Request(
                f"{tmp_path}/net.py:build", workdir=tmp_path / "work", weights=path, shapes={"input": (1, 4)}
            )
        )


def test_onnx_is_not_parsed_where_edgeq_runs(tmp_path, monkeypatch):
    """The clean copy is: it has loaded and run before."""
    path = saved(
        tmp_path / "m.onnx", [helper.make_node("Relu", ["x"], ["y"])], [value("x", [4])], [value("y", [4])]
    )

    def parsed(self, content):
        raise AssertionError("parsed here")

    from edgeq.ingest.graph import read

    monkeypatch.setattr(read, "read", parsed)
    model = open_model(Request(str(path), workdir=tmp_path / "work"))
    assert onnx.load(model.files["onnx"]).graph.node[0].op_type == "Relu"
