"""How many samples each layer is fitted to: as many as there is room for what they hold from that layer on.

The first layers of a network of pictures hold most, and need the fewest samples: each picture gives them thousands of columns.
Samples that come in later are run to where the others are, so each is run once, whatever the numbers.
"""

from collections.abc import Sequence
from itertools import accumulate

FEWEST = 8  # samples to learn from
_ROOM = 144 * 2**20  # bytes for what all samples hold between two layers, in float and quantized
_MOST_ROOM = 512 * 2**20  # where there are fewest
_WORTH_MORE = 0.1  # share of the weights that is left to fit where more samples are run from the inputs on


def sample_counts(held: Sequence[int], weights: Sequence[int], samples: int) -> list[int]:
    """Of `samples`, for each layer: given the bytes that one holds at the layer's input in float, and the number of the layer's
    weights. None where the fewest take too much.

    A number is kept until there is room for twice as many, or for all.
    """
    most_held = [*accumulate(reversed(held), max)][::-1]  # from each layer on
    left = [*accumulate(reversed(weights))][::-1]
    if min(samples, _MOST_ROOM // max(2 * max(held, default=0), 1)) < FEWEST:
        return []
    found: list[int] = []
    count = 0
    for each, share in zip(most_held, left, strict=True):
        most = min(max(_ROOM // max(2 * each, 1), FEWEST), samples)
        if count == 0 or ((most >= 2 * count or most == samples) and share >= _WORTH_MORE * left[0]):
            count = most
        found.append(count)
    return found
