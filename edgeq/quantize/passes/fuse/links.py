"""Who makes and who reads each tensor of one graph, and changes that keep names and order."""

from collections import defaultdict
from typing import Any

from edgeq.quantize.names_read import names_read_inside


class Links:
    """Of the main graph's nodes; a tensor that a graph inside reads, or that is an output, counts as read by others."""

    def __init__(self, graph: Any) -> None:
        self.makers = {name: node for node in graph.node for name in node.output}
        self.readers: dict[str, list[Any]] = defaultdict(list)
        self.elsewhere = {output.name for output in graph.output}
        for node in graph.node:
            for name in node.input:
                self.readers[name].append(node)
            self.elsewhere |= names_read_inside(node)

    def only_reader(self, tensor: str) -> Any | None:
        """None where there are several, or where it is an output."""
        found = self.readers[tensor]
        return found[0] if len(found) == 1 and tensor not in self.elsewhere else None


def attributes(node: Any) -> dict[str, Any]:
    import onnx

    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


def free_name(graph: Any, wished: str) -> str:
    """`wished`, or with a number behind it where a tensor has that name."""
    taken = {i.name for i in (*graph.initializer, *graph.input)} | {o for n in graph.node for o in n.output}
    names = (wished, *(f"{wished}_{k}" for k in range(len(taken) + 1)))
    return next(name for name in names if name not in taken)
