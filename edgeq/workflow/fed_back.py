"""States: outputs that look like the next value of an input, by name and shape."""

import re

from edgeq.nouns.tensor import TensorSpec

# What is added to the name of a state to tell its next value from it: state and stateN, h0 and hn, cell_in and cell_out.
_MARKS = re.compile(r"(?:[._-]?(?:in|input|out|output|new|next|prev|old|cur|n|t|0|1))+$", re.IGNORECASE)


def fed_back(inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]) -> tuple[tuple[str, str], ...]:
    """(output, input) of each; none for a model of one input, whose outputs are no more than its answers."""
    if len(inputs) < 2:
        return ()
    found = []
    for output in outputs:
        alike = [i for i in inputs if (i.shape, i.dtype) == (output.shape, output.dtype)]
        stem = _stem(output.name)
        alike = [i for i in alike if stem and i.name != output.name and _stem(i.name) == stem]
        found += [(output.name, alike[0].name)] if len(alike) == 1 else []
    return tuple(found)


def _stem(name: str) -> str:
    return _MARKS.sub("", name).casefold()
