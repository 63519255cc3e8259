"""Calls of native code that runs an untrusted model: Ctrl-C is heard meanwhile, and a model that never ends is ended.

A model may hold a loop without end, and a thread that is inside native code hears no signal. So the call is made by a
second thread, and the caller's waits for it, which can be interrupted.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Generic, TypeVar

from edgeq.errors import ModelRefused
from edgeq.limited.limits import RUN_SECONDS_VARIABLE, run_seconds

T = TypeVar("T")

_CHUNK_S = 0.002  # of calls that are handed over at once, where a hand-over takes 0.03 to 0.1 ms
_LARGEST_CHUNK = 16  # calls, whose inputs and outputs are held
_END_S = 5.0  # until a runtime that was told to end is left behind


class RunTooLong(ModelRefused):
    """One run of a model took longer than a run may."""


End = Callable[[], None]  # tells the runtime to end a call early


def native_call(call: Callable[[], T], *, end: End | None = None) -> T:
    """What `call` gives or raises. `end` tells the runtime to end it early, where it can be told.

    Raises RunTooLong after limits.run_seconds(). Where the runtime does not end, here or at Ctrl-C, its thread is left
    behind: see `left_running`.
    """
    seconds = run_seconds()
    caller = _caller()
    try:
        ended = caller.made(call, seconds)
    except BaseException:  # Ctrl-C while waiting
        _leave(caller, end)
        raise
    if ended:
        answer: T = caller.outcome()
        return answer
    _leave(caller, end)
    raise _too_long(seconds)


def native_calls(calls: Iterable[tuple[Callable[[], T], End]], jobs: int) -> Iterator[T]:
    """What each call gives, in their order; up to `jobs` threads make some at the same time, each with what ends it early. Raises
    what a call raises, and what `native_call` does; the others are ended then.

    Short calls are handed over several at a time, as a hand-over takes as long as some of them; a time limit is that of each.
    """
    seconds = run_seconds()
    idle: list[_Caller] = []
    running: deque[tuple[_Caller, _Chunk[T]]] = deque()
    left, size = iter(calls), 1

    def first() -> Iterator[T]:
        nonlocal size
        caller, chunk = running[0]
        while not caller.ended_within(chunk.seconds_left(seconds)):
            if chunk.seconds_left(seconds) <= 0.0:
                raise _too_long(seconds)
        running.popleft()
        idle.append(caller)
        size = chunk.size_worth_handing_over()
        yield from chunk.values
        caller.outcome()

    try:
        while together := list(islice(left, size)):
            caller, chunk = idle.pop() if idle else _Caller(), _Chunk(together)
            caller.begin(chunk)
            running.append((caller, chunk))
            if len(running) == jobs:
                yield from first()
        while running:
            yield from first()
    finally:  # Ctrl-C while waiting, for one
        for caller, chunk in running:
            _leave(caller, chunk.end)
        for caller in idle:
            caller.dismiss()


class _Chunk(Generic[T]):
    """Calls that one thread makes one after the other, until one raises."""

    def __init__(self, calls: Sequence[tuple[Callable[[], T], End]]) -> None:
        self._calls = calls
        self.values: list[T] = []
        self._first = self._latest = time.monotonic()

    def __call__(self) -> None:
        for call, _ in self._calls:
            self._latest = time.monotonic()
            self.values.append(call())
        self._latest = time.monotonic()

    def end(self) -> None:
        """Also of those that are still to come."""
        for _, end in self._calls:
            end()

    def seconds_left(self, seconds: float) -> float:
        """To the call that goes on now, of as many for each."""
        return max(self._latest + seconds - time.monotonic(), 0.0)

    def size_worth_handing_over(self) -> int:
        """How many calls like these take _CHUNK_S."""
        each = (self._latest - self._first) / len(self._calls)
        return min(max(int(_CHUNK_S / max(each, 1e-9)), 1), _LARGEST_CHUNK)


def _too_long(seconds: float) -> RunTooLong:
    return RunTooLong(
        f"the model takes more than {seconds:,.0f} s for one run on this host: stopped",
        f"a loop in it may never end; where you trust the model, set {RUN_SECONDS_VARIABLE} to more in the environment",
    )


def left_running() -> bool:
    """Whether a call goes on that could not be ended. A process that ends as usual then may crash on its way out."""
    return any(caller.busy for caller in _LEFT)


class _Caller:
    """A thread that makes one call after the other for the thread that owns it."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self.busy = self._over = False
        self._value: object = None
        self._error: BaseException | None = None
        self._given, self._ended = threading.Lock(), threading.Lock()
        self._given.acquire()
        self._ended.acquire()
        threading.Thread(target=self._serve, name="edgeq-native-call", daemon=True).start()

    def made(self, call: Callable[[], object], seconds: float) -> bool:
        """Whether the call ended in that time."""
        self.begin(call)
        return self.ended_within(seconds)

    def begin(self, call: Callable[[], object]) -> None:
        self._call, self.busy = call, True
        self._given.release()

    def dismiss(self) -> None:
        """Its thread ends."""
        self._over = True
        self._given.release()

    def ended_within(self, seconds: float) -> bool:
        return self._ended.acquire(timeout=seconds)

    def outcome(self) -> Any:
        """Held no longer than until it is asked for: outputs may be large."""
        value, error = self._value, self._error
        self._value = self._error = None
        if error is not None:
            raise error
        return value

    def _serve(self) -> None:
        while True:
            self._given.acquire()
            if self._over:
                return
            self._value = self._error = None
            try:
                self._value = self._call()
            except BaseException as error:  # raised where the call was asked for
                self._error = error
            del self._call
            self.busy = False
            self._ended.release()


_OWN = threading.local()
_LEFT: list[_Caller] = []


def _caller() -> _Caller:
    """This thread's. One that is busy serves whoever called from inside a call, or was left behind."""
    caller: _Caller | None = getattr(_OWN, "caller", None)
    if caller is None or caller.busy or caller.process != os.getpid():
        caller = _OWN.caller = _Caller()
    return caller


def _leave(caller: _Caller, end: End | None) -> None:
    """Its call may be over by now or not: the next one gets another."""
    if getattr(_OWN, "caller", None) is caller:
        _OWN.caller = None
    if end is not None:
        end()
        caller.ended_within(_END_S)
    if caller.busy:
        _LEFT.append(caller)
