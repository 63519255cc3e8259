"""Ctrl-C that waits for the end of a training step, so that what is kept is a state between two steps."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def between_steps() -> Iterator[Callable[[], bool]]:
    """Within it the first Ctrl-C only makes what it yields answer True; the second interrupts at once. Elsewhere than in the main
    thread, which alone gets signals, nothing changes.
    """
    asked = [False]
    if threading.current_thread() is not threading.main_thread():
        yield lambda: asked[0]
        return
    before = signal.getsignal(signal.SIGINT)

    def note(number: int, frame: FrameType | None) -> None:
        if asked[0]:
            raise KeyboardInterrupt
        asked[0] = True

    signal.signal(signal.SIGINT, note)
    try:
        yield lambda: asked[0]
    finally:
        signal.signal(signal.SIGINT, before)
