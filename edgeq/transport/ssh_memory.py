"""What a person typed for passwords and passphrases, kept for as long as the process lives."""

from collections.abc import Callable, Iterator

Ask = Callable[[str], str]
_TRIES = 3  # for a password or passphrase that a person types


class Memory:
    """Answers that worked once are not asked for again when a link has to be made anew. Never written anywhere."""

    def __init__(self, ask: Ask | None) -> None:
        self.ask = ask
        self._known: dict[str, str] = {}

    def answers(self, prompt: str) -> Iterator[str]:
        """Up to three answers to try; stops when the same one comes twice, for then no person is typing."""
        before = self._known.get(prompt)
        if before is not None:
            yield before
        for _ in range(_TRIES if self.ask else 0):
            assert self.ask is not None
            answer = self.ask(prompt)
            if answer == before:
                return
            before = answer
            yield answer

    def without_asking(self) -> "Memory":
        """The same answers, for a connection that is made while nobody expects a question."""
        silent = Memory(None)
        silent._known = self._known
        return silent

    def keep(self, prompt: str, answer: str) -> None:
        self._known[prompt] = answer
