"""--levels: int8 files whose weights are powers of two, codebooks, two or three values, without any training."""

from pathlib import Path

import numpy as np
import pytest
from onnx import numpy_helper

from edgeq.bundle import read_bundle
from edgeq.bundle.sidecar import read_fidelity
from edgeq.compress.pack import pack
from edgeq.demo import demo_files
from edgeq.errors import TargetRefused
from edgeq.graphs.onnx_io import read_onnx
from edgeq.workflow.convert import convert

TARGET = "x86-64-vnni"
MODEL = "candidates/onnxruntime-int8_static/model.onnx"
OUTER = ("conv1.weight", "classes.weight")


def converted(folder: Path, **options: object) -> tuple[bytes, dict[str, np.ndarray], str, tuple[str, ...]]:
    """The file, its weights by name, what the plan says of them, and what the bundle says of `fit`."""
    model, data = demo_files()
    made = convert(
        model, target=TARGET, data=data, runtime="onnxruntime", recipe="int8_static", max_drop=30, **options
    )
    assert made.plan is not None
    said = next(c.reason for c in made.plan.candidates if c.recipe == "int8_static")
    with read_bundle(made.path) as bundle:
        content = bundle.artifact(MODEL)
        judged = next(f for f in read_fidelity(bundle) if f.candidate == "onnxruntime-int8_static")
    (folder / "file.onnx").write_bytes(content)
    stored = {i.name: numpy_helper.to_array(i) for i in read_onnx(folder / "file.onnx").graph.initializer}
    weights = {n: w for n, w in stored.items() if w.dtype == np.int8 and w.ndim > 1}
    return content, weights, said, tuple(r.why for r in judged.repairs if r.repair == "fit")


@pytest.mark.parametrize(
    ("kind", "options", "bits", "most"),
    [
        ("apot", {"weight_bits": 3}, 3, 7),
        ("codebook", {"weight_bits": 3}, 3, 8),
        ("ternary", {}, 2, 3),
        ("binary", {}, 1, 2),
    ],
)
def test_inner_layers_have_the_levels_and_outer_ones_eight_bits(
    kind: str, options: dict[str, object], bits: int, most: int, tmp_path: Path
) -> None:
    _, weights, said, why = converted(tmp_path, levels=kind, **options)
    inner = [w for n, w in weights.items() if n.startswith("conv") and not n.startswith(OUTER)]
    assert len(inner) == 2
    assert all(len(np.unique(row)) <= most for w in inner for row in w)
    assert all(len(np.unique(w)) > 32 for n, w in weights.items() if n.startswith(OUTER))
    assert f"{bits}-bit weights ({kind}), which are int8 on the device: only smaller to send" in said
    assert f"weights of {bits} bits ({kind}); 1 layer has 8 (first and last ones, short rows)" in why[0]


def test_ternary_weights_are_smaller_to_send_than_three_bits(tmp_path: Path) -> None:
    ternary, three = (converted(tmp_path, **o)[0] for o in ({"levels": "ternary"}, {"weight_bits": 3}))
    assert len(pack(ternary)) < len(pack(three))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"levels": "apot", "weight_bits": 5}, "apot weights have 2 to 4 bits, not 5"),
        ({"levels": "codebook", "weight_bits": 2.5}, "codebook weights have 1 to 4 bits, not 2.5"),
        ({"levels": "binary", "weight_bits": 2}, "binary weights have 1 bits, not 2"),
        ({"weight_bits": 1}, "uniform weights have 2 to 8 bits, not 1"),
        ({"levels": "ternary", "recipe": "int8_dynamic"}, "is for static int8, which --recipe int8_dynamic"),
        ({"levels": "ternary", "recipe": "auto"}, "--recipe auto tries several numbers of bits"),
        ({"levels": "ternary", "passes": "-fit"}, "is the work of the pass `fit`"),
    ],
)
def test_what_contradicts_is_refused(options: dict[str, object], words: str) -> None:
    model, data = demo_files()
    told: list[object] = []
    with pytest.raises(TargetRefused, match=words):
        convert(model, target=TARGET, data=data, tell=told.append, **options)
    if "recipe" not in options or options["recipe"] == "auto":
        assert told == [], "before the model is opened"
