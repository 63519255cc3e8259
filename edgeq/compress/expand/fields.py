"""Reads numbers and short vectors out of a few bytes, and says `Malformed` of whatever is not there."""


class Malformed(Exception):
    """A compressed file that nobody packed; what is wrong with it."""


class Fields:
    """Numbers are LEB128: seven bits a byte, lowest first, the high bit set on all but the last."""

    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, 0

    def number(self, least: int, most: int) -> int:
        value = shift = 0
        while True:
            byte = self.vector(1)[0]
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
            if shift > 63:
                raise Malformed("a number of more than 63 bits")
        if not least <= value <= most:
            raise Malformed(f"{value} where {least} to {most} may be")
        return value

    def vector(self, count: int) -> bytes:
        found = self._content[self._at : self._at + count]
        if len(found) != count:
            raise Malformed("it ends early")
        self._at += count
        return found

    def end(self) -> None:
        if self._at != len(self._content):
            raise Malformed("there is more than was announced")
