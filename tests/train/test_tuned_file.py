"""The file of a training: float's weights for whoever loads them, the network for edgeq, and nothing that is executed."""

from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from edgeq.errors import EdgeqError, ModelRefused  # noqa: E402
from edgeq.ingest.pytorch.weights import load_weights  # noqa: E402
from edgeq.nouns.plan import Scheme  # noqa: E402
from edgeq.nouns.training import Evaluation, Training  # noqa: E402
from edgeq.train.tuned_file import load_plain, read_tuned, save_atomically, write_tuned  # noqa: E402
from tests.train.residual_network import network, quantized  # noqa: E402

TRAINING = Training(
    source_sha256="a" * 64,
    data_sha256="b" * 64,
    scheme=Scheme("uint8", "int8", True),
    weight_bits=4,
    activation_bits=8,
    low_bit_layers=("first", "second"),
    samples=100,
    validated=32,
    epochs=0.5,
    step=3,
    steps=4,
    before=Evaluation(0, 0.5, 90.0),
    best=Evaluation(3, 0.25, None),
    scored_by="",
    float_score=None,
    seconds=1.5,
)
STATE = {"layer.weight": torch.ones(2, 3), "layer.bias": torch.zeros(2)}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "tuned.pt"
    write_tuned(path, STATE, quantized(network()), TRAINING)
    tuned = read_tuned(path)
    assert tuned is not None
    assert tuned.training == TRAINING
    assert tuned.model == quantized(network()).SerializeToString()


def test_a_torch_program_loads_the_float_weights_as_from_any_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "tuned.pt"
    write_tuned(path, STATE, quantized(network()), TRAINING)
    found = load_weights(path)
    assert found.keys() == STATE.keys()
    assert all(torch.equal(found[name], value) for name, value in STATE.items())


def test_other_weights_hold_no_trained_network(tmp_path: Path) -> None:
    path = tmp_path / "plain.pt"
    torch.save(STATE, path)
    assert read_tuned(path) is None
    path.write_bytes(b"no checkpoint at all")
    assert read_tuned(path) is None


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"format": 99}, "another version of edgeq"),
        ({"model": None}, "its bytes are missing"),
        ({"model": torch.zeros(1, dtype=torch.uint8).expand(1 << 40)}, "its bytes are missing"),
        ({"training": {"nonsense": 1}}, "is damaged"),
        ({"training": None}, "is damaged"),
    ],
)
def test_a_damaged_one_is_refused(tmp_path: Path, change: dict[str, object], says: str) -> None:
    path = tmp_path / "tuned.pt"
    write_tuned(path, STATE, quantized(network()), TRAINING)
    document = load_plain(path)
    document["edgeq"].update(change)
    torch.save(document, path)
    with pytest.raises(ModelRefused, match=says):
        read_tuned(path)


def test_a_network_of_which_a_byte_changed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tuned.pt"
    write_tuned(path, STATE, quantized(network()), TRAINING)
    content = bytearray(path.read_bytes())
    content[content.find(b"first.w_quantized") + 3] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(ModelRefused, match="is not what was written"):
        read_tuned(path)


def test_where_it_cannot_be_written_what_was_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "there" / "tuned.pt"
    with pytest.raises(EdgeqError, match="cannot write"):
        save_atomically({}, path)
    path.parent.mkdir()
    path.write_bytes(b"before")
    with pytest.raises(AttributeError):
        save_atomically(lambda: None, path)  # torch cannot store it
    assert path.read_bytes() == b"before"
    assert [p.name for p in path.parent.iterdir()] == ["tuned.pt"]


def test_the_json_of_a_training_is_its_inverse() -> None:
    assert Training.from_dict(TRAINING.to_dict()) == TRAINING
    assert replace(TRAINING, interrupted=True) != TRAINING
