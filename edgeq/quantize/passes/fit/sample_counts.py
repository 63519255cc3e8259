"""How many samples each layer is fitted to: as many as there is room for what they hold from that layer on.

The first layers of a network of pictures hold most, and need the fewest samples: each picture gives them thousands of columns.
Samples that come in later are run to where the others are, so each is run once, whatever the numbers.
"""

from collections.abc import Mapping

FEWEST = 8  # samples to learn from
_ROOM = 192 * 2**20  # bytes for the activations of all samples between two layers, in float and quantized
_MOST_ROOM = 512 * 2**20  # where there are fewest


def sample_counts(held: Mapping[str, int], samples: int) -> dict[str, int]:
    """At most so many of `samples` by tensor, given the bytes that one of them holds in float from that tensor on; no tensor where
    the fewest take too much.

    A number is kept until there is room for twice as many, or for all.
    """
    wanted = {name: min(_ROOM // max(2 * each, 1), samples) for name, each in held.items()}
    if min(samples, _MOST_ROOM // max(2 * max(held.values(), default=0), 1)) < FEWEST:
        return {}
    found, count = {}, 0
    for name, most in sorted(wanted.items(), key=lambda item: item[1]):
        if most >= 2 * count or most == samples:
            count = max(most, FEWEST)
        found[name] = count
    return found
