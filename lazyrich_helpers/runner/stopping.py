"""Ending early without loss: asked to stop, a batch ends after the epoch in hand."""

import contextlib
import math
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(KeyboardInterrupt):
    """A run was left amid its training."""


class Stop:
    """A request to end, or a time to do so.

    Args:
        seconds: From now, after which it is time.
        also: Asked as well whether somebody wants it to end.
    """

    def __init__(
        self, seconds: float = math.inf, *, also: Callable[[], bool] = lambda: False
    ) -> None:
        self._deadline = time.monotonic() + seconds
        self._asked = False
        self._also = also

    def ask(self) -> None:
        """Make it due now."""
        self._asked = True

    @property
    def asked(self) -> bool:
        """Whether somebody asked, rather than the clock."""
        return self._asked or self._also()

    @property
    def due(self) -> bool:
        """Whether to end at the next place where nothing is lost."""
        return self.asked or self.seconds_left <= 0

    @property
    def seconds_left(self) -> float:
        """How long until it is time; infinite where no time was set."""
        return self._deadline - time.monotonic()


@contextlib.contextmanager
def unheard(*signals: signal.Signals) -> Iterator[None]:
    """Inside, hold signals back; a process that is started inside never hears them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def graceful_stop(stop: Stop) -> Iterator[None]:
    """Inside, the first Ctrl-C or SIGTERM is a request; the second ends at once.

    Outside the main thread signals cannot be caught, and nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ask(number: int, frame: FrameType | None) -> None:
        del frame
        if stop.asked:
            raise KeyboardInterrupt
        stop.ask()
        name = "Ctrl-C" if number == signal.SIGINT else "SIGTERM"
        print(
            f"{name}: stopping after this epoch; once more stops at once.",
            file=sys.stderr,
            flush=True,
        )

    before = {number: signal.signal(number, ask) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
