"""Names of one table in the room that there is: abbreviated, and yet no two alike. `--json` has the whole of them.

Converters give names as long as a screen, many of which begin and end alike.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from itertools import takewhile

from edgeq.report.formats.units import abbreviated

_ROOM = 60
_END = 14  # characters of either end that are kept beside what tells names apart
_MODULES = re.compile(r"\b(?:\w+\.)+(?=[A-Z])")
_BREAKS = "/;: "


def short_names(names: Iterable[str]) -> dict[str, str]:
    """Each of `names` with what it is shown as."""
    plain = {name: name if len(name) <= _ROOM else _plainer(name) for name in names}
    shown = {name: abbreviated(short) for name, short in plain.items()}
    for alike in _alike(shown):
        apart = _told_apart([plain[name] for name in alike])
        shown |= {name: apart[plain[name]] for name in alike}
    for alike in _alike(shown):  # they differ in too many places
        shown |= {name: f"{shown[name]} #{k}" for k, name in enumerate(alike, 1)}
    return shown


def _plainer(name: str) -> str:
    """Without the modules that torch's classes come from, and of parts that go on where others end only the longest:
    "a.Net/b.Block_0;;a.Net/b.Block_0/torch.nn.Conv2d_conv1;1" is "Net/Block_0/Conv2d_conv1;1".
    """
    parts = [_MODULES.sub("", part) for part in name.split(";") if part]
    longest = [p for p in parts if not any(other != p and other.startswith(f"{p}/") for other in parts)]
    return ";".join(dict.fromkeys(longest))


def _alike(shown: dict[str, str]) -> list[list[str]]:
    """Names that are shown as the same."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name, short in shown.items():
        groups[short].append(name)
    return [group for group in groups.values() if len(group) > 1]


def _told_apart(names: list[str]) -> dict[str, str]:
    """Both ends, and between them what begins where the names part."""
    start = _word_before(names[0], _alike_from_the_start(names))
    end = _alike_from_the_start([name[::-1] for name in names])
    return {name: _cut(name, start, len(name) - end) for name in names}


def _cut(name: str, start: int, end: int) -> str:
    """What lies from `start` to `end`, which differs, and as much of the ends as fits."""
    middle = name[start : max(start, end)][: _ROOM - 2 * _END]
    head, tail = min(start, _END), min(len(name) - start - len(middle), _END)
    left = name[:head] + ("..." if head < start else "")
    right = ("..." if start + len(middle) + tail < len(name) else "") + name[len(name) - tail :]
    return left + middle + right


def _alike_from_the_start(names: list[str]) -> int:
    """How many characters all of them begin with."""
    return sum(1 for _ in takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False)))


def _word_before(name: str, at: int) -> int:
    """Where the word around `at` begins, if that is near."""
    begins = max((name.rfind(mark, 0, at) for mark in _BREAKS), default=-1) + 1
    return begins if at - begins <= _END else at
