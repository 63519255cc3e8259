"""The layers of a graph and its channels, by the units that can only be removed together."""

from dataclasses import dataclass

from edgeq.train.smaller.units import Ids


@dataclass(frozen=True, eq=False)
class Layer:
    """A node with constant weights, by its first output. `outputs` and `inputs`: the unit of each of its channels; a layer of several `groups` has the
    inputs of the first one. `kernel`: products in one run for each pair of an output and an input at each of its `places`. `spatial`: a convolution,
    whose channels are the second axis; else they are the last.
    """

    output: str
    outputs: Ids
    inputs: Ids
    groups: int
    places: int
    kernel: int = 1
    spatial: bool = False


@dataclass(frozen=True, eq=False)
class Channels:
    """Of a tensor, the units along its one `axis` whose indices can be removed, [n]."""

    axis: int
    units: Ids


@dataclass(frozen=True, eq=False)
class ChannelUnits:
    """`channels` by tensor, of those that have some that can be removed."""

    layers: tuple[Layer, ...]
    channels: dict[str, Channels]
