"""What the agent answers to commands whose answer is none of the other data classes (docs/protocol.md), and its failures."""

from dataclasses import dataclass
from typing import Optional

from .record import Record


@dataclass(frozen=True)
class Nothing(Record):
    """`{}`: it was done."""


@dataclass(frozen=True)
class Token(Record):
    """To be shown with every command that changes the device."""

    token: str


@dataclass(frozen=True)
class Inventory(Record):
    """Of what was asked for: file contents by sha256 and unpacked wheels by folder that the device has already."""

    have: tuple[str, ...]
    wheels: tuple[str, ...]


@dataclass(frozen=True)
class LiveContract(Record):
    """`contract` is the contract.json of what is live under a name, `path` the link that always leads to its folder, `files` what
    lies there.
    """

    path: str
    contract: dict[str, object]
    files: tuple[str, ...]


@dataclass(frozen=True)
class Placed(Record):
    """`path` is a folder relative to the device's root."""

    path: str


@dataclass(frozen=True)
class Submitted(Record):
    id: str


@dataclass(frozen=True)
class Withdrawn(Record):
    """Whether the job still waited and was taken back."""

    withdrawn: bool


@dataclass(frozen=True)
class ResultIds(Record):
    """In the order they were stored."""

    results: tuple[str, ...]


@dataclass(frozen=True)
class Removed(Record):
    """Paths relative to the device's root, the bytes that its disk got back, and where the files of others are that lay in
    what was removed.
    """

    removed: tuple[str, ...]
    bytes: int
    kept: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failure(Record):
    """An error as `EdgeqError.to_dict` writes it."""

    kind: str
    what: str
    remedy: Optional[str] = None
    details: tuple[str, ...] = ()
    live: Optional[str] = None
    exit_code: int = 1
