"""Complete small programs that run a delivered model, one file per language, each written from its contract.json.

Names of tensors come from an untrusted model file: they stand in the programs as quoted literals only.
"""

from collections.abc import Callable, Mapping

from edgeq.example_code import cpp, kotlin, python
from edgeq.example_code.contract import Contract, NoExample, contract_of, read_contract
from edgeq.example_code.place import Place

LANGUAGES: Mapping[str, Callable[[Contract, Place], str]] = {
    "python": python.program,
    "c++": cpp.program,
    "kotlin": kotlin.program,
}

__all__ = ["LANGUAGES", "Contract", "NoExample", "Place", "contract_of", "read_contract"]
