"""What a loaded model is made of: the contract and the model file of one candidate, and what is known of it."""

from dataclasses import dataclass
from pathlib import Path

from edgeq.errors import BundleRefused
from edgeq.example_code import NoExample, read_contract
from edgeq.example_code.contract import Contract
from edgeq.nouns.fidelity import Fidelity
from edgeq.nouns.record import canonical_json
from edgeq.nouns.tensor import TensorSpec


@dataclass(frozen=True)
class Source:
    """`path` is what was asked for, `contract_file` what edgeq_runtime.py reads. `candidates` could have been chosen. `bundle`
    can be measured as it is; None where there is none. The rest is None where it is not known.
    """

    path: Path
    contract_file: Path
    contract: Contract
    candidates: tuple[str, ...]
    bundle: Path | None = None
    target: str | None = None
    fidelity: Fidelity | None = None
    float_bytes: int | None = None
    memory_bytes: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def model(self) -> Path:
        """The file that the runtime loads."""
        return self.contract_file.parent / self.contract.model

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        return tuple(TensorSpec(t.called, t.dtype, t.shape, t.affine) for t in self.contract.inputs)

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        return tuple(TensorSpec(t.called, t.dtype, t.shape, t.affine) for t in self.contract.outputs)


def read(file: Path) -> Contract:
    """Of a contract.json. Raises BundleRefused for what is none."""
    try:
        return read_contract(file.read_bytes())
    except NoExample as error:
        raise BundleRefused(f"{file}: {error}") from None
    except OSError as error:
        raise BundleRefused(f"cannot read {file}: {error.strerror}") from None


def written(file: Path, contract: dict[str, object]) -> Contract:
    """The contract, which now is in `file` too. Without `python_path`: what is imported here is this Python's own."""
    file.write_bytes(canonical_json({key: value for key, value in contract.items() if key != "python_path"}))
    return read(file)
