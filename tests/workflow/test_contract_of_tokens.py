"""TFLite takes token numbers as int32 where torch and ONNX have int64: each candidate's contract says what its own file
takes.
"""

import json
from pathlib import Path

import numpy as np

from edgeq.workflow.convert import convert

WORDS = """
import torch
class Words(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.head = torch.nn.Embedding(50, 16), torch.nn.Linear(16, 4)
    def forward(self, words):
        return self.head(self.table(words).mean(1))
"""


def test_each_candidate_names_the_types_of_its_own_file(tmp_path: Path) -> None:
    (tmp_path / "words.py").write_text(WORDS)
    words = np.random.default_rng(0).integers(0, 50, (16, 8))
    np.savez(tmp_path / "words.npz", words=words)
    made = convert(
        f"{tmp_path / 'words.py'}:Words",
        target="x86-64-vnni",
        data=str(tmp_path / "words.npz"),
        recipe="float",
    )
    taken = {}
    for candidate in made.bundle.manifest.candidates:
        contract = json.loads(made.bundle.artifact(f"candidates/{candidate.id}/contract.json"))
        taken[candidate.runtime] = contract["inputs"][0]["dtype"]
    assert taken == {"litert": "int32", "onnxruntime": "int64"}
