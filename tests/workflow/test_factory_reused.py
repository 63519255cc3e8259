"""A torch factory is converted once, and again when it builds something else, whatever made it do so."""

import json
from pathlib import Path

import numpy as np
import torch

from edgeq.ingest.pytorch.program import open_program
from edgeq.ingest.request import Request
from edgeq.nouns.results import Conversion
from edgeq.workflow.convert import convert


def net(folder: Path) -> Path:
    """One convolution; by how much it is scaled stands in a file beside the factory."""
    (folder / "scale.txt").write_text("4")
    (folder / "net.py").write_text(
        "import torch\nfrom pathlib import Path\n"
        "SCALE = int(Path(__file__).with_name('scale.txt').read_text())\n"
        "class Net(torch.nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n        self.conv = torch.nn.Conv2d(3, 4, 3)\n"
        "    def forward(self, x):\n        return self.conv(x) * SCALE\n"
    )
    weights = {"conv.weight": torch.ones(4, 3, 3, 3), "conv.bias": torch.zeros(4)}
    torch.save(weights, folder / "net.pth")
    return folder / "net.py"


def converted(source: Path, weights: Path | None, output: Path | None = None) -> Conversion:
    return convert(
        f"{source}:Net",
        weights=str(weights) if weights else None,
        shape={"x": (1, 3, 8, 8)},
        recipe="float",
        runtime="onnxruntime",
        output=output,
    )


def test_again_only_when_it_builds_something_else(tmp_path: Path) -> None:
    source, weights = net(tmp_path), tmp_path / "net.pth"
    first, again = converted(source, weights), converted(source, weights)
    assert (first.reused, again.reused) == (False, True)
    assert again.bundle.digest == first.bundle.digest

    (tmp_path / "scale.txt").write_text("8")
    changed = converted(source, weights)
    assert not changed.reused
    assert changed.bundle.digest != first.bundle.digest
    (tmp_path / "elsewhere").mkdir()
    assert converted(source, weights.rename(tmp_path / "elsewhere" / "net.pth")).reused


def test_a_bundle_from_before_the_change_is_not_taken_for_one_from_after(tmp_path: Path) -> None:
    source, weights, kept = net(tmp_path), tmp_path / "net.pth", tmp_path / "kept.edgeq"
    converted(source, weights, kept)
    (tmp_path / "scale.txt").write_text("8")
    converted(source, weights)
    assert not converted(source, weights, kept).reused


def test_parameters_drawn_at_random_are_others_each_time(tmp_path: Path) -> None:
    source = net(tmp_path)
    converted(source, None)
    assert not converted(source, None).reused


def test_a_factory_that_comes_to_the_same_by_other_code_is_the_same(tmp_path: Path) -> None:
    source, weights = net(tmp_path), tmp_path / "net.pth"
    converted(source, weights)
    source.write_text("# a comment more\n" + source.read_text())
    assert converted(source, weights).reused


def test_names_of_outputs_count(tmp_path: Path) -> None:
    """An application asks for an output by its name, which is no operator."""
    source, digests = tmp_path / "named.py", set()
    for name in ("scores", "logits"):
        source.write_text(
            f"import torch\nclass Net(torch.nn.Module):\n    def forward(self, x):\n        return {{'{name}': x * 2}}\n"
        )
        digests.add(open_program(Request(f"{source}:Net", tmp_path, "net", shapes={"x": (1, 4)})).sha256)
    assert len(digests) == 2


def test_branches_count(tmp_path: Path) -> None:
    """What a branch computes stands in a graph of its own."""
    source = tmp_path / "branch.py"
    code = (
        "import torch\n"
        "class Net(torch.nn.Module):\n"
        "    def forward(self, x):\n"
        "        return torch.cond(x.sum() > 0, lambda x: x * 2, lambda x: x - 1, (x,))\n"
    )
    digests = set()
    for text in (code, code.replace("x - 1", "x - 3")):
        source.write_text(text)
        digests.add(open_program(Request(f"{source}:Net", tmp_path, "net", shapes={"x": (1, 4)})).sha256)
    assert len(digests) == 2


def test_a_graph_that_another_version_kept_is_exported_anew(own_home: Path, tmp_path: Path) -> None:
    """Its model has a field that this one does not know."""
    source, weights = net(tmp_path), tmp_path / "net.pth"
    first = converted(source, weights)
    [kept] = (own_home / "cache/edgeq/exported").glob("*.npz")
    with np.load(kept) as file:
        arrays = {name: file[name] for name in file.files}
    about = json.loads(arrays["json"].tobytes()) | {"trained": ""}
    arrays["json"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    np.savez(kept, **arrays)
    assert converted(source, weights, tmp_path / "again.edgeq").bundle.digest == first.bundle.digest


def test_a_graph_that_was_kept_is_not_exported_again(own_home: Path, tmp_path: Path, monkeypatch) -> None:
    source, weights = net(tmp_path), tmp_path / "net.pth"
    first = converted(source, weights)

    def fails(*given: object, **more: object) -> None:
        raise AssertionError

    monkeypatch.setattr("torch.onnx.export", fails)
    assert converted(source, weights, tmp_path / "again.edgeq").bundle.digest == first.bundle.digest
