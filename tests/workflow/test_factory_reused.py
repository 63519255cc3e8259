"""A torch factory with weights is converted once, and again when anything that it reads has changed."""

from pathlib import Path

import torch

from edgeq.workflow.convert import Conversion, convert


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
        shapes={"x": (1, 3, 8, 8)},
        recipe="float",
        runtime="onnxruntime",
        output=output,
    )


def test_again_only_when_something_it_reads_has_changed(tmp_path: Path) -> None:
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


def test_without_weights_nothing_says_that_it_is_the_same(tmp_path: Path) -> None:
    source = net(tmp_path)
    converted(source, None)
    assert not converted(source, None).reused
