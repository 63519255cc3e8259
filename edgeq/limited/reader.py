"""Which function reads a kind of file, and how its refusal is called."""

from dataclasses import dataclass

from edgeq.errors import EdgeqError


@dataclass(frozen=True)
class Reader:
    """`function` is "package.module:name"; it takes a path and JSON values by keyword. A function `prepare` in its module,
    where there is one, imports what is needed before limits are set. `refusal` is raised for what is no EdgeqError there;
    `remedy` goes with it. `what` names the file in messages: "the model".
    """

    function: str
    refusal: type[EdgeqError]
    what: str
    remedy: str | None = None
