"""Options of `edgeq finetune` that contradict each other are refused before anything takes its time."""

import pytest

import edgeq
from edgeq.errors import TargetRefused

pytest.importorskip("torch")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"sparsity": 0.5, "levels": "binary"}, "needs a level at zero"),
        ({"weight_bits": 3.5, "levels": "apot"}, "needs uniform levels"),
        ({"weight_bits": 1.5}, "2 to 8"),
        ({"importance": "activations"}, "says which channels --prune removes"),
        ({"float_epochs": 2.0}, "the network stays as it is"),
    ],
)
def test_contradictions_are_refused(given, why, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TargetRefused, match=why):
        edgeq.finetune("nowhere.onnx", data="nowhere.npz", target="rpi4", **given)
