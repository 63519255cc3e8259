"""A selection of passes is words; wrong ones are answered with the right ones."""

import pytest

from edgeq.nouns.passes import ALL, passes_of


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("all", ALL),
        ("none", ()),
        ("fit,head", ("head", "fit")),  # in the order in which they are done
        (" fit , head ", ("head", "fit")),
        ("-fit", tuple(name for name in ALL if name != "fit")),
        ("all,-fit,-head", tuple(name for name in ALL if name not in ("fit", "head"))),
        ("none,smooth", ("smooth",)),
    ],
)
def test_words_select(text: str, names: tuple[str, ...]) -> None:
    assert passes_of(text) == names


@pytest.mark.parametrize(
    ("text", "said"), [("fit,heads,-x", "'heads', '-x'"), ("", "''"), ("-all", "'-all'")]
)
def test_every_wrong_word_is_named_with_what_there_is(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=f"there is no pass {said}; there are {', '.join(ALL)}"):
        passes_of(text)


@pytest.mark.parametrize("text", ["fit,-fit", "-fit,fit", "fit,none"])
def test_words_for_and_against_a_pass_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="asks for a pass and against it"):
        passes_of(text)
