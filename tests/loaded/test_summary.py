"""What a loaded model says of itself: size, bits, closeness to float."""

from pathlib import Path

import pytest

import edgeq
from edgeq.demo import demo_files
from edgeq.nouns.model_summary import LayerBits, ModelSummary
from tests.report.test_in_python import SCRIPT, page


def test_a_quantized_candidate(bundle: Path) -> None:
    found = edgeq.load(bundle).summary()
    assert (found.name, found.target, found.candidate) == (
        "digits_cnn",
        "x86-64-vnni",
        "onnxruntime-int8_static",
    )
    assert found.integer_layers + found.float_layers == 4 and found.integer_layers >= 3
    assert found.parameters == 65_824 and found.fidelity is not None
    assert found.float_bytes is not None and 2 < found.float_bytes / found.file_bytes < 4
    assert ModelSummary.from_dict(found.to_dict()) == found
    shown = str(found)
    for words in ("smaller than float", "SQNR", "top-1", "65,824 weights", "int8", "uint8", "Conv"):
        assert words in shown and words in page(found).text


def test_a_file_knows_no_accuracy() -> None:
    q = edgeq.load(demo_files()[0])
    found = q.summary()
    assert (found.fidelity, found.float_bytes, found.bits_per_weight) == (None, None, 32.0)
    assert "SQNR" not in str(found) and "4 in float" in str(found)


def test_in_a_notebook_layers_of_one_kind_are_one_row() -> None:
    q = edgeq.load(demo_files()[0])
    shown = page(q)
    assert "conv1 and 2 more" in shown.text and "conv3" not in shown.text
    q.close()
    assert q._repr_html_() is None


def layer(
    name: str, weights: str = "int8", bits: int = 8, activations: str = "uint8", used: int = 8
) -> LayerBits:
    return LayerBits(name, "Conv", 100, weights, bits, activations, used)


def summary(*layers: LayerBits) -> ModelSummary:
    return ModelSummary(SCRIPT, "c", "onnxruntime", "p", 1000, (), (), layers)


def test_bits_that_are_used_of_a_type() -> None:
    found = summary(
        layer("a", bits=4, used=4), layer("b", "int4", 4), layer("c", "float32", 32, "float32", 32)
    )
    assert found.bits_per_weight == pytest.approx(40 / 3)
    assert (found.integer_layers, found.float_layers) == (2, 1)
    assert "int8, 4 bits used" in str(found) and "uint8, 4 bits used" in str(found)
    assert "int4, " not in str(found)


def test_names_are_text() -> None:
    found = page(summary(layer("<b>")))
    assert SCRIPT in found.text and "<b>" in found.text


def test_layers_of_one_kind() -> None:
    kinds = summary(layer("a"), layer("b", bits=4), layer("c")).by_kind()
    assert [(k.layer, k.count, k.parameters) for k in kinds.layers] == [("a", 2, 200), ("b", 1, 100)]
    assert (kinds.parameters, kinds.integer_layers) == (300, 3)
