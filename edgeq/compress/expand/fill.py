"""Fills the file that comes out: first all symbols, in the order of the plan, then the bytes that are not coded."""

from typing import TYPE_CHECKING, Any, Union

from .fields import Malformed
from .lanes import Lanes
from .plan import DIFFERENCE, IN_PLAIN, PALETTE, ROTATED, Books, Coded, Copy, Levels, Plan, Tensor
from .plan import Plain as PlainBytes
from .streams import Plain, Streams

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_AT_ONCE = 1 << 18  # symbols that are decoded together; the encoder cuts at the same rows


def filled(plan: Plan, streams: Streams, base: bytes) -> bytearray:
    """Raises Malformed."""
    import numpy as np

    content = bytearray(plan.size)
    out = np.frombuffer(content, np.uint8)
    at = 0
    for segment in plan.segments:
        if isinstance(segment, Tensor):
            _put_symbols(segment, streams, out[at : at + segment.size])
        at += segment.size
    plain, stored = streams.after_symbols()
    at = taken = 0
    for segment in plan.segments:
        part = out[at : at + segment.size]
        if isinstance(segment, PlainBytes):
            _put_plain(plain, part)
        elif isinstance(segment, Copy):
            _put_copy(segment, base, part)
        else:
            palette = plain.take(segment.palette * segment.width)
            taken = _put_bytes(segment, plain, stored, taken, part)
            _undo_form(segment, base, palette, part)
        at += segment.size
    plain.end()
    if taken != len(stored):
        raise Malformed("there is more than was announced")
    return content


def _put_symbols(tensor: Tensor, streams: Streams, part: "npt.NDArray[np.uint8]") -> None:
    """A palette's symbols lie in the lowest byte of each element until the palette is known."""
    for k, plane in enumerate(tensor.planes):
        if isinstance(plane, Coded):
            assert streams.lanes is not None
            _decode(plane, tensor.shape, streams.lanes, part.reshape(*tensor.shape, tensor.width)[..., k])


def _decode(plane: Coded, shape: "tuple[int, ...]", lanes: Lanes, out: "npt.NDArray[np.uint8]") -> None:
    for rows in row_slices(shape):
        symbols = lanes.take(contexts(plane, shape, rows)).reshape(-1, *shape[1:])
        if isinstance(plane.levels, Books):
            symbols = _of_books(plane.levels, symbols, shape, rows)
        elif plane.levels is not None:
            first, step = (_along(plane.levels, v, shape, rows) for v in _vectors(plane.levels))
            symbols = first + step * symbols  # modulo 256
        out[rows] = symbols


def row_slices(shape: "tuple[int, ...]") -> "list[slice]":
    """Of the first axis, as many rows at a time as are decoded together."""
    row = 1
    for count in shape[1:]:
        row *= count
    step = max(1, _AT_ONCE // row)
    return [slice(start, min(start + step, shape[0])) for start in range(0, shape[0], step)]


def contexts(plane: Coded, shape: "tuple[int, ...]", rows: slice) -> "npt.NDArray[np.uint8]":
    """The table of each symbol of these rows, flat."""
    import numpy as np

    found = np.full((rows.stop - rows.start, *shape[1:]), plane.start, np.int16)
    for axis, classes in enumerate(plane.classes):
        if classes is not None:
            each = np.frombuffer(classes, np.int8).astype(np.int16)
            each = each[rows] if axis == 0 else each
            found += each.reshape(-1, *[1] * (len(shape) - 1 - axis))
    return np.clip(found, plane.low, plane.high, out=found).astype(np.uint8).reshape(-1)


def _vectors(levels: Levels) -> "tuple[Any, Any]":
    import numpy as np

    return np.frombuffer(levels.first, np.uint8), np.frombuffer(levels.step, np.uint8)


def _of_books(
    books: Books, symbols: "npt.NDArray[np.uint8]", shape: "tuple[int, ...]", rows: slice
) -> "npt.NDArray[np.uint8]":
    """The bytes that `symbols` of these rows stand for."""
    import numpy as np

    levels = np.cumsum(np.frombuffer(books.changes, np.uint8).reshape(books.count, -1), 0, np.uint8)
    number = symbols + np.uint8(books.count // 2)  # modulo 256
    if int(number.max()) >= books.count:
        raise Malformed("a level that the codebook does not have")
    places = _along(books, np.arange(levels.shape[1]), shape, rows)
    found: npt.NDArray[np.uint8] = levels[number, places]
    return found


def _along(levels: "Union[Levels, Books]", vector: Any, shape: "tuple[int, ...]", rows: slice) -> Any:
    vector = vector[rows] if levels.axis == 0 else vector
    return vector.reshape(-1, *[1] * (len(shape) - 1 - levels.axis))


def _put_plain(plain: Plain, out: "npt.NDArray[np.uint8]") -> None:
    """A slice at a time, so that the bytes are not in memory twice."""
    import numpy as np

    for at in range(0, len(out), _AT_ONCE):
        part = out[at : at + _AT_ONCE]
        part[:] = np.frombuffer(plain.take(len(part)), np.uint8)


def _put_bytes(tensor: Tensor, plain: Plain, stored: Any, taken: int, part: "npt.NDArray[np.uint8]") -> int:
    """The planes that have no symbols; how many of the stored bytes are taken by now."""
    planes, count = part.reshape(-1, tensor.width), tensor.size // tensor.width
    for k, plane in enumerate(tensor.planes):
        if plane == IN_PLAIN:
            _put_plain(plain, planes[:, k])
        elif not isinstance(plane, Coded):
            if taken + count > len(stored):
                raise Malformed("it ends early")
            planes[:, k] = stored[taken : taken + count]
            taken += count
    return taken


def _undo_form(tensor: Tensor, base: bytes, palette: bytes, part: "npt.NDArray[np.uint8]") -> None:
    """A slice at a time, so that what is between takes little memory."""
    import numpy as np

    all_values = part.view(f"<u{tensor.width}")
    for at in range(0, len(all_values), _AT_ONCE):
        values = all_values[at : at + _AT_ONCE]
        if tensor.form == ROTATED:
            values[:] = values >> 1 | values << 31
        elif tensor.form == DIFFERENCE:
            old = np.frombuffer(base, values.dtype, len(values), tensor.base + at * tensor.width)
            values[:] = old + (values >> 1 ^ -(values & 1)) if tensor.width > 1 else old + values
        elif tensor.form == PALETTE:
            number = values.astype(np.uint8) + np.uint8(tensor.middle)  # modulo 256
            if int(number.max()) >= tensor.palette:
                raise Malformed("a value that the palette does not have")
            values[:] = np.frombuffer(palette, values.dtype)[number]


def _put_copy(copy: Copy, base: bytes, part: "npt.NDArray[np.uint8]") -> None:
    import numpy as np

    if not copy.axes:
        part[:] = np.frombuffer(base, np.uint8, copy.size, copy.base)
        return
    there = np.frombuffer(base, f"<u{copy.width}", copy.size // copy.width, copy.base).reshape(copy.shape)
    turned = there.transpose(copy.axes)
    part.view(there.dtype).reshape(turned.shape)[...] = turned
