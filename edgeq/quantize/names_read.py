"""Which tensors a node needs, the graphs inside of it too."""

from typing import Any


def names_read(node: Any) -> set[str]:
    """Inputs, and what the node's subgraphs take from outside."""
    return {name for name in node.input if name} | names_read_inside(node)


def names_read_inside(node: Any) -> set[str]:
    """What the node's subgraphs read, by names of their own or from outside."""
    names: set[str] = set()
    for attribute in node.attribute:
        for graph in (*([attribute.g] if attribute.HasField("g") else ()), *attribute.graphs):
            for inner in graph.node:
                names |= names_read(inner)
            names |= {o.name for o in graph.output}
    return names
