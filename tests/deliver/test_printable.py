"""What a device says reaches a terminal: as words, never as orders to the terminal."""

import json

import pytest

from edgeq.deliver.agent_link import answer
from edgeq.deliver.printable import printable
from edgeq.errors import EdgeqError
from edgeq.transport.base import Completed

TITLE = "\x1b]0;owned\x07"


def test_escape_codes_are_shown_and_not_obeyed() -> None:
    said = {"board": f"Pi{TITLE}", "runs": [{"error\x9b": "a\tb\nc\r\x7f"}, 3, None, 1.5, True]}
    assert answer(Completed(0, json.dumps(said).encode(), b""), "facts", "pi@board") == {
        "board": "Pi\ufffd]0;owned\ufffd",
        "runs": [{"error\ufffd": "a\tb\nc\ufffd\ufffd"}, 3, None, 1.5, True],
    }


def test_words_of_every_language_stay_as_they_are() -> None:
    assert printable("Küche №2 デバイス 🍓") == "Küche №2 デバイス 🍓"


@pytest.mark.parametrize(
    "done",
    [
        Completed(
            1,
            json.dumps({"error": {"kind": "RemoteFailed", "what": TITLE, "details": [TITLE]}}).encode(),
            b"",
        ),
        Completed(70, b"", TITLE.encode()),
    ],
    ids=["error", "broken"],
)
def test_neither_do_errors_carry_them(done: Completed) -> None:
    with pytest.raises(EdgeqError) as refused:
        answer(done, "work", "pi@board")
    assert "\x1b" not in f"{refused.value.what}{refused.value.details}"
