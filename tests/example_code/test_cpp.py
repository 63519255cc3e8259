"""The C++ example compiles and does with a file what edgeq does with a sample.

include/ stands in for the runtimes' headers; it gives inputs back as outputs. The last test takes ONNX Runtime's own headers, from
the lab's Debian 13, and the wheel's library.
"""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeq.example_code import LANGUAGES, NoExample, Place, read_contract
from edgeq.ingest.image import preprocess
from edgeq.nouns.tensor import Preprocessing
from tests.conftest import missing
from tests.lab import images, machine

INCLUDE = Path(__file__).with_name("include")
IMAGENET = Preprocessing((6, 5), scale=1 / 255, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


def tensor(name: str, dtype: str, shape: list[int | None], **more: Any) -> dict[str, Any]:
    return {"name": name, "source_name": name, "dtype": dtype, "shape": shape, **more}


def contract(inputs: list[Any], outputs: list[Any], **more: Any) -> bytes:
    plain = {"schema": 1, "app": "net", "candidate": "onnxruntime-float", "model": "model.onnx", "threads": 2}
    plain |= {"runtime": "onnxruntime", "inputs": inputs, "outputs": outputs, "preprocessing": None}
    return json.dumps(plain | more).encode()


def built(folder: Path, content: bytes, include: Path = INCLUDE, *more: str) -> Path:
    """The example, compiled without a warning."""
    if shutil.which("g++") is None:
        missing("there is no C++ compiler (apt-get install g++)")
    terms = read_contract(content)
    source, program = folder / "example.cc", folder / "example"
    source.write_text(LANGUAGES["c++"](terms, Place(terms.model)))
    words = [
        "g++",
        "-std=c++17",
        "-Wall",
        "-Wextra",
        "-Werror",
        f"-I{include}",
        str(source),
        "-o",
        str(program),
        *more,
    ]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return program


def printed(program: Path, *files: str) -> list[str]:
    done = subprocess.run(
        [program, *(program.parent / f for f in files)], cwd="/", capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def numbers(line: str) -> list[float]:
    return [float(word) for word in line.rpartition("]:")[2].removesuffix(" ...").split()]


@pytest.mark.parametrize(
    ("runtime", "layout", "channels"),
    [
        ("onnxruntime", "NCHW", "RGB"),
        ("litert", "NHWC", "BGR"),
        ("onnxruntime", "NHWC", "GRAY"),
        ("litert", "NCHW", "GRAY"),
    ],
)
def test_an_image_is_prepared_as_edgeq_does(runtime: str, layout: str, channels: str, tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (6, 5, 3), np.uint8)
    one = channels == "GRAY"
    rules = Preprocessing(
        **{**vars(IMAGENET), "layout": layout, "channels": channels}
        | ({"mean": (0.5,), "std": (0.25,)} if one else {})
    )
    expected = preprocess(image, rules, "image")
    shape = [1, *expected.shape]
    content = contract(
        [tensor("x", "float32", shape)],
        [tensor("y", "float32", shape)],
        runtime=runtime,
        preprocessing=rules.to_dict(),
    )
    program = built(tmp_path, content)
    (tmp_path / "model.onnx").write_text(f"input x {expected.nbytes}\noutput y {expected.nbytes}\n")
    np.save(tmp_path / "image.npy", image)
    (line,) = printed(program, "image.npy")
    assert line.startswith(f"y [{', '.join(map(str, shape))}]:")
    np.testing.assert_allclose(numbers(line), expected.ravel()[:10], rtol=1e-5)
    assert numbers(printed(program)[0]) == [0.0] * 10


def test_each_type_of_element_arrives_and_open_dimensions_are_the_files(tmp_path: Path) -> None:
    types = ["float32", "float64", "int8", "uint8", "int16", "int32", "int64", "uint32", "bool"]
    content = contract(
        [tensor(f"in{i}", t, [None, 3]) for i, t in enumerate(types)],
        [tensor(f"out{i}", t, [None, 3]) for i, t in enumerate(types)],
    )
    program = built(tmp_path, content)
    (tmp_path / "model.onnx").write_text("")
    for i, dtype in enumerate(types):
        np.save(tmp_path / f"{i}.npy", np.array([[1, 0, 1], [0, 1, 0]], dtype))
    assert printed(program, *(f"{i}.npy" for i in range(len(types)))) == [
        f"out{i} [2, 3]: 1 0 1 0 1 0" for i in range(len(types))
    ]


def test_a_model_of_plain_integers_takes_arrays_though_images_were_prepared(tmp_path: Path) -> None:
    pixels = [tensor("x", "uint8", [1, 1, 2, 3])]
    content = contract(pixels, pixels, preprocessing=Preprocessing(layout="NHWC").to_dict())
    program = built(tmp_path, content)
    (tmp_path / "model.onnx").write_text("")
    np.save(tmp_path / "x.npy", np.arange(6, dtype=np.uint8).reshape(1, 1, 2, 3))
    assert printed(program, "x.npy") == ["x [1, 1, 2, 3]: 0 1 2 3 4 5"]


def test_integers_that_stand_for_reals_are_made_and_read(tmp_path: Path) -> None:
    affine = {"affine": {"scale": 0.5, "zero_point": -3}}
    content = contract(
        [tensor("x", "int8", [1, 4], **affine)], [tensor("y", "int8", [1, 4], **affine)], runtime="litert"
    )
    program = built(tmp_path, content)
    (tmp_path / "model.onnx").write_text("input x 4\noutput y 4\n")
    np.save(tmp_path / "x.npy", np.array([[0.0, 1.26, -1.0, 1000.0]], np.float32))
    assert printed(program, "x.npy") == ["y [1, 4]: 0 1.5 -1 65"]


def test_a_file_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    program = built(tmp_path, contract([tensor("x", "float32", [1, 4])], [tensor("y", "float32", [1, 4])]))
    (tmp_path / "model.onnx").write_text("")
    for array, words in (
        (np.zeros((1, 3), np.float32), "has not the shape of input x"),
        (np.zeros((1, 4), np.float64), "takes elements of type <f4"),
        (np.zeros((4, 1), np.float32).T, ""),
        (np.asfortranarray(np.zeros((2, 4), np.float32)), "not in C order"),
    ):
        np.save(tmp_path / "x.npy", array)
        done = subprocess.run([program, "x.npy"], cwd=tmp_path, capture_output=True, text=True)
        assert (done.returncode, words in done.stderr) == (1 if words else 0, True), done.stderr
    (tmp_path / "x.npy").write_bytes(b"no array")
    done = subprocess.run([program, "x.npy"], cwd=tmp_path, capture_output=True, text=True)
    assert "is no .npy file" in done.stderr


EVIL = 'x"; system("touch /tmp/x"); // \\ ?? \n*/ $(date) ${1} é\x00'


def test_names_stay_texts(tmp_path: Path) -> None:
    program = built(
        tmp_path,
        contract(
            [tensor(EVIL, "float32", [1])],
            [tensor(EVIL, "float32", [1])],
            app=EVIL,
            candidate=EVIL,
            model=EVIL,
        ),
    )
    done = subprocess.run([program], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "error: no model\n")


def test_a_type_without_a_name_in_cpp_is_said() -> None:
    half = [tensor("x", "float16", [1])]
    with pytest.raises(NoExample, match="float16"):
        LANGUAGES["c++"](read_contract(contract(half, half)), Place("model.onnx"))


@pytest.mark.lab
def test_onnxruntime_itself_answers_as_in_python(tmp_path: Path) -> None:
    import onnxruntime

    from edgeq.demo import demo_files

    debian13 = images.IMAGES["trixie-amd64"]
    if reason := machine.missing_for(debian13, systemd=False):
        missing(reason)
    include = images.tree_of(debian13) / "usr/include/onnxruntime"
    (library,) = (Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.so.*")
    model, _ = demo_files()
    (tmp_path / "model.onnx").write_bytes(model.read_bytes())
    (tmp_path / "libonnxruntime.so.1").symlink_to(library)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (taken,), (given,) = session.get_inputs(), session.get_outputs()
    content = contract(
        [tensor(taken.name, "float32", [None, *taken.shape[1:]])],
        [tensor(given.name, "float32", [None, *given.shape[1:]])],
    )
    linked = (f"-L{tmp_path}", f"-Wl,-rpath,{tmp_path}", "-l:libonnxruntime.so.1")
    program = built(tmp_path, content, include, *linked)
    image = np.random.default_rng(0).normal(size=(1, *taken.shape[1:])).astype(np.float32)
    np.save(tmp_path / "x.npy", image)
    expected = session.run(None, {taken.name: image})[0].ravel()[:10]
    np.testing.assert_allclose(numbers(printed(program, "x.npy")[0]), expected, rtol=1e-4)
