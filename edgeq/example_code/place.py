"""Where the files lie that an example loads."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """`model` is the model file as the program names it: relative to its own folder, or absolute on a device. `program` is the
    program's file name without its suffix, `contract` the contract's file name beside it. `live` is the folder that always
    leads to the live release, where the program runs on a device that has one.
    """

    model: str
    program: str = "example"
    contract: str = "contract.json"
    live: str | None = None
