"""Words through a login shell: the shells themselves are asked what they understood."""

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeq.transport.shell_words import one_line

# No NUL (no command line holds one) and no lone surrogates (no UTF-8 holds one).
WORDS = st.lists(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=1, max_size=5
)


SHELLS = ["sh", *filter(shutil.which, ["bash", "dash", "zsh", "fish"])]


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_splits_the_line_into_the_same_words(shell: str) -> None:
    @settings(max_examples=60, deadline=None)
    @given(WORDS)
    def round_trip(words: list[str]) -> None:
        line = one_line(["printf", "%s\\0", *words])
        out = subprocess.run([shell, "-c", line], capture_output=True, check=True).stdout
        assert out == b"".join(word.encode() + b"\0" for word in words)

    round_trip()


def test_plain_words_stay_readable() -> None:
    assert (
        one_line(["python3", "-I", "/opt/a.pyz", "--root", "my files"])
        == "python3 -I /opt/a.pyz --root 'my files'"
    )


def test_a_nul_is_refused() -> None:
    with pytest.raises(ValueError, match="NUL"):
        one_line(["a\0b"])
