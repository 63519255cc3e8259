"""A Python program that loads the model with edgeq_runtime.py and prints the outputs by name."""

from edgeq.example_code.contract import Contract, Tensor, resizing
from edgeq.example_code.literals import words
from edgeq.example_code.place import Place


def program(contract: Contract, place: Place) -> str:
    name = f"{place.program}.py"
    uses = [(f"python3 {name}", "the input is zeros")]
    if contract.takes_image and contract.preprocessing is not None:
        uses.append(
            (f"python3 {name} photo.jpg", f"an image, read by Pillow and {resizing(contract.preprocessing)}")
        )
    arrays = " ".join(f"{_file(i, contract)}.npy" for i in range(len(contract.inputs)))
    uses.append((f"python3 {name} {arrays}", "; ".join(map(_takes, contract.inputs))))
    width = max(len(use) for use, _ in uses)
    return f'''"""Runs {words(contract.app)} ({words(contract.candidate)}) and prints its outputs by name.

{"".join(f"    {use.ljust(width)}    {what}{chr(10)}" for use, what in uses)}"""

import sys
{_imports(contract, place)}
files = sys.argv[1:]
{_load(contract, place)}

import numpy as np  # comes with the model on a device that has none

values = [np.load(file) if file.endswith(".npy") else file for file in files]
for name, array in (model(*values) if values else model(model.zeros())).items():
    print(name, list(array.shape), array.ravel()[:10])
'''


def _file(index: int, contract: Contract) -> str:
    return "input" if len(contract.inputs) == 1 else f"input{index}"


def _takes(tensor: Tensor) -> str:
    shape = "x".join("?" if d is None else str(d) for d in tensor.shape) or "one value"
    return f"{words(tensor.called)}: {shape} {'float32' if tensor.affine else tensor.dtype}"


def _imports(contract: Contract, place: Place) -> str:
    if place.live is not None:
        return f"\nsys.path.insert(0, {place.live!a})\nfrom edgeq_runtime import load\n"
    return "from pathlib import Path\n\nfrom edgeq_runtime import load\n"


def _load(contract: Contract, place: Place) -> str:
    if place.live is not None:
        return f"model = load({contract.app!a})  # each call takes the release that is live then"
    folder = "Path(__file__).parent"
    return (
        f"model = load({folder if place.contract == 'contract.json' else f'{folder} / {place.contract!a}'})"
    )
