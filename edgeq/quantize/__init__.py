"""From a float graph to candidates. `edgeq.quantize(...)`, the function, is edgeq/loaded/quantize.py."""

from edgeq.also_a_function import also_a_function

also_a_function(__name__, "edgeq.loaded.quantize", "quantize")
