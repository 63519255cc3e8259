"""`edgeq.train.prepare`: the three calls for a training loop of one's own."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

import edgeq  # noqa: E402
import edgeq.train  # noqa: E402
from edgeq.errors import EdgeqError  # noqa: E402
from edgeq.graphs.ort_session import ort_session  # noqa: E402
from edgeq.train.tuned_file import read_tuned  # noqa: E402
from tests.train.residual_network import images, network  # noqa: E402

SAMPLES = images(128)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.norm = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.inner = nn.Conv2d(8, 8, 3, padding=1)
        self.dense = nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.stem(x)))
        return self.dense(torch.relu(self.inner(x)).mean((2, 3)))


def steps(net: "nn.Module", optimizer: torch.optim.Optimizer, count: int = 8) -> list[float]:
    x, labels = torch.from_numpy(SAMPLES.images), torch.from_numpy(SAMPLES.labels)
    losses = []
    for _ in range(count):
        optimizer.zero_grad()
        loss = functional.cross_entropy(net(x), labels)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


@pytest.mark.parametrize(
    ("own", "others"),
    [
        (True, {"weight_bits": 4}),
        (False, {"weight_bits": 4}),
        (True, {"weight_bits": 3, "levels": "codebook"}),
        (True, {"weight_bits": 4, "activation_ranges": "ema"}),
    ],
    ids=["edgeq's optimizer", "torch's", "codebooks", "observed ranges"],
)
def test_a_loop_of_ones_own_trains_what_is_exported(
    tmp_path: Path, own: bool, others: dict[str, object]
) -> None:
    net = edgeq.train.prepare(network(), "rpi4", SAMPLES.images, activation_bits=4, **others)
    losses = steps(net, net.optimizer(0.02) if own else torch.optim.SGD(net.parameters(), 0.01))
    assert losses[-1] < losses[0]
    net.freeze_norms()
    net.eval()
    path = net.export(tmp_path / "net.onnx")
    session = ort_session(onnx.load(path), threads=1, optimize=False)
    with torch.no_grad():
        mine = net(torch.from_numpy(SAMPLES.images[:16])).numpy()
    theirs = np.concatenate([session.run(None, {"x": SAMPLES[i][0]})[0] for i in range(16)])
    assert np.abs(mine - theirs).max() <= 0.02 * np.abs(theirs).max()


def test_a_live_module_is_deployed_by_its_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    module = Net().eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    net = edgeq.train.prepare(module, "x86-64-vnni", SAMPLES.images)
    steps(net, net.optimizer(0.005), 2)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    net.export("tuned.pt")
    state = torch.load("tuned.pt", weights_only=True)
    assert state["dense.weight"].shape == (4, 8)
    source = Path(__file__)
    made = edgeq.convert(
        f"{source}:Net", weights="tuned.pt", data=SAMPLES.images, target="x86-64-vnni", ignore_labels=True
    )
    assert "onnxruntime-trained_static" in [c.id for c in made.plan.candidates]


def test_its_state_goes_on_in_another_process() -> None:
    one, other = (
        edgeq.train.prepare(network(), "rpi4", SAMPLES.images, weight_bits=2, activation_bits=2)
        for _ in range(2)
    )
    steps(one, one.optimizer(0.02), 3)
    other.load_state_dict(one.state_dict())
    x = torch.from_numpy(SAMPLES.images[:4])
    with torch.no_grad():
        assert torch.equal(one.eval()(x), other.eval()(x))


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    net = edgeq.train.prepare(network(), "rpi4", SAMPLES.images)
    with pytest.raises(EdgeqError, match="neither an ONNX file nor weights"):
        net.export(tmp_path / "net.tflite")


def test_a_smaller_network_with_zeros_is_prepared(tmp_path: Path) -> None:
    net = edgeq.train.prepare(
        network(), "x86-64-vnni", SAMPLES.images, prune=0.4, sparsity=0.5, weight_bits=3.5
    )
    losses = steps(net, net.optimizer(0.02))
    assert losses[-1] < losses[0]
    stored = {t.name: numpy_helper.to_array(t) for t in net.eval().model().graph.initializer}
    inner = [w for w in stored.values() if w.dtype == np.int8 and w.ndim == 4 and w.shape[1] > 3]
    assert sum(w.size for w in inner) < 2 * 8 * 8 * 9
    assert sum((w == 0).sum() for w in inner) >= 0.5 * sum(w.size for w in inner)
    assert read_tuned(net.export(tmp_path / "net.pt")).training.macs_share <= 0.6


def test_it_is_there_without_an_import_of_its_own() -> None:
    code = "import edgeq; assert callable(edgeq.train.prepare)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
