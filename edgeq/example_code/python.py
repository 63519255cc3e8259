"""A Python program that loads the model with edgeq_runtime.py and prints the outputs by name."""

from edgeq.example_code.contract import Contract, Tensor, resizing
from edgeq.example_code.literals import words
from edgeq.example_code.place import Place

_PACKAGES = {"litert": "ai-edge-litert"}  # by runtime, where the package has another name


def program(contract: Contract, place: Place) -> str:
    name = f"{place.program}.py"
    uses = [(f"python3 {name}", "the input is zeros")]
    if contract.takes_image and contract.preprocessing is not None:
        uses.append(
            (f"python3 {name} photo.jpg", f"any image, read by Pillow: {resizing(contract.preprocessing)}")
        )
    arrays = " ".join(f"{_file(i, contract)}.npy" for i in range(len(contract.inputs)))
    uses.append((f"python3 {name} {arrays}", "; ".join(map(_takes, contract.inputs))))
    width = max(len(use) for use, _ in uses)
    return f'''"""Runs {words(contract.app)} ({words(contract.candidate)}) and prints its outputs by name.

{"".join(f"    {use.ljust(width)}    {what}{chr(10)}" for use, what in uses)}{_needs(contract, place)}"""

import sys
{_imports(contract, place)}
files = sys.argv[1:]
try:
    {_load(contract, place)}
except LoadError as error:
    sys.exit(f"error: {{error}}")

import numpy as np  # comes with the model on a device that has none

values = [np.load(file) if file.endswith(".npy") else file for file in files]
for name, array in (model(*values) if values else model(model.zeros())).items():
    print(name, list(array.shape), array.ravel()[:10])
'''


def _needs(contract: Contract, place: Place) -> str:
    """On a device the packages come with the model, or were found there."""
    if place.live is not None:
        return ""
    pillow = " pillow" if contract.takes_image else ""
    return f"\nIt needs edgeq_runtime.py beside it and: pip install {_PACKAGES.get(contract.runtime, contract.runtime)} numpy{pillow}\n"


def _file(index: int, contract: Contract) -> str:
    return "input" if len(contract.inputs) == 1 else f"input{index}"


def _takes(tensor: Tensor) -> str:
    shape = "x".join("?" if d is None else str(d) for d in tensor.shape) or "one value"
    return f"{words(tensor.called)}: {shape} {'float32' if tensor.affine else tensor.dtype}"


def _imports(contract: Contract, place: Place) -> str:
    if place.live is not None:
        return f"\nsys.path.insert(0, {place.live!a})\nfrom edgeq_runtime import LoadError, load\n"
    return "from pathlib import Path\n\nfrom edgeq_runtime import LoadError, load\n"


def _load(contract: Contract, place: Place) -> str:
    if place.live is not None:
        return f"model = load({contract.app!a})  # each call takes the release that is live then"
    folder = "Path(__file__).parent"
    return (
        f"model = load({folder if place.contract == 'contract.json' else f'{folder} / {place.contract!a}'})"
    )
