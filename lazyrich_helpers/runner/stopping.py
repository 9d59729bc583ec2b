"""Ending early without loss: asked to stop, a batch ends after the epoch in hand."""

import contextlib
import math
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
GRACE = 10.0
"""Seconds that Python has to react to a second signal."""


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


@contextlib.contextmanager
def forced_stop() -> Iterator[None]:
    """Inside `graceful_stop`, let a second signal end a process that no longer reacts.

    Python handles a signal between two of its own instructions: never, where a library
    is in an endless loop. A thread hears it all the same, and ends the process where
    nothing has come of the second one after `GRACE`.
    """
    heard, told = socket.socketpair()
    told.setblocking(False)
    before = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
    done = threading.Event()
    listener = threading.Thread(target=_listen, args=(heard, done), daemon=True)
    listener.start()
    try:
        yield
    finally:
        done.set()
        signal.set_wakeup_fd(before)
        told.close()  # the listener reads nothing more, and ends
        listener.join()
        heard.close()


def _listen(heard: socket.socket, done: threading.Event) -> None:
    num_heard = 0
    while number := heard.recv(1):
        num_heard += number[0] in SIGNALS
        if num_heard >= 2 and not done.wait(GRACE):
            os.write(2, b"It does not react; ended. What was kept is there.\n")
            os._exit(128 + number[0])
