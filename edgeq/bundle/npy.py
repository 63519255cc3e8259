"""Arrays as .npy bytes that depend on nothing but the array, and back without pickle."""

import io

import numpy as np

from edgeq.errors import BundleRefused
from edgeq.npy_header import declared


def npy_bytes(array: np.ndarray) -> bytes:
    """C order, little endian, format 1.0 (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html)."""
    # `order="C"`, not ascontiguousarray: that one turns a scalar into a vector.
    plain = np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")
    stream = io.BytesIO()
    np.lib.format.write_array(stream, plain, version=(1, 0), allow_pickle=False)
    return stream.getvalue()


def npy_array(content: bytes, name: str) -> np.ndarray:
    """Raises BundleRefused, which calls the array `name`."""
    problem, _ = declared(io.BytesIO(content), len(content))
    if problem:
        raise BundleRefused(f"{name} is not an array: {problem}")
    try:
        array: np.ndarray = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    except Exception as error:  # numpy's own
        raise BundleRefused(f"{name} is not an array: {error}") from None
    return array
