"""Networks of every kind compute on both runtimes what they compute in torch, integer by integer."""

import pytest

pytest.importorskip("torch")
pytest.importorskip("ai_edge_litert")

from tests.ingest.onnx_to_tflite.converter import debian13, onnx2tf_cache, python312  # noqa: F401
from tests.models.kinds import KINDS
from tests.train.kinds_runs import Equal, on_litert, on_onnxruntime

MOBILE = ("separable", "inverted")


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_on_onnxruntime(kind: str, tmp_path) -> None:
    _holds(on_onnxruntime(kind, tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_on_litert(kind: str, tmp_path, onnx2tf_cache) -> None:  # noqa: F811
    _holds(on_litert(kind, tmp_path, onnx2tf_cache))


@pytest.mark.slow
@pytest.mark.parametrize("kind", MOBILE)
def test_with_weights_of_four_bits(kind: str, tmp_path, onnx2tf_cache) -> None:  # noqa: F811
    _holds(on_litert(kind, tmp_path, onnx2tf_cache, bits=4))


def _holds(found: Equal) -> None:
    assert found.worst >= 0.999
    assert found.outputs >= 0.999
    assert found.most <= 1
