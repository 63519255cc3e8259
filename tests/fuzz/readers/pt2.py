"""Programs saved by torch.export: the graph's JSON, the weights' configuration, the archive."""

import io
import random
from pathlib import Path

import torch
from torch import nn

from edgeq.ingest.pytorch.program import _saved
from edgeq.ingest.request import Request
from tests.fuzz.archives import changed_zip
from tests.fuzz.mutations import changed_bytes, changed_json


class _Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 4), nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat((self.second(self.first(x).relu()), x[:, :1]), 1)


IN_TESTS = 25  # each takes longer than those of other readers


def examples(folder: Path) -> list[bytes]:
    free = ({0: torch.export.Dim("batch", min=2, max=8)},)
    found = []
    for shapes in (None, free):
        out = io.BytesIO()
        torch.export.save(torch.export.export(_Net().eval(), (torch.ones(3, 3),), dynamic_shapes=shapes), out)
        found.append(out.getvalue())
    return found


def mutated(example: bytes, rng: random.Random) -> bytes:
    return changed_zip(
        example,
        rng,
        lambda name, was, rng: changed_json(was, rng) if name.endswith(".json") else changed_bytes(was, rng),
    )


def read(content: bytes, folder: Path) -> object:
    path = folder / "net.pt2"
    path.write_bytes(content)
    with torch.no_grad():
        return len(_saved(Request(str(path), folder, "net"))[1])
