"""Claims on work that die with their owner, also where file locks do not reach.

A claim is a small file that names its owner's process and machine. On one machine a
dead owner is noticed at once; another machine takes a claim over when it has waited for
it, and seen it untouched, for `LEASE` seconds.
"""

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import SoftFileLease, Timeout

LOOK_EVERY = 0.1
"""Seconds between two looks at a claim that is waited for."""
TOUCH_EVERY = 15.0
"""Seconds between two touches of a claim."""
LEASE = 120.0
"""Seconds of waiting without a touch, after which another machine takes it over."""


@dataclass(frozen=True)
class Held:
    """A claim that was got; it is lost if its process sleeps for too long."""

    lease: SoftFileLease

    @property
    def lost(self) -> bool:
        """Whether it was found to be another's; looked at every `TOUCH_EVERY`."""
        return self.lease.compromise is not None

    def holds(self) -> bool:
        """Look now whether it still is this process's."""
        try:
            owner = Path(self.lease.lock_file).read_text(encoding="utf-8")
        except FileNotFoundError:
            return False
        return self.lease.token is not None and self.lease.token in owner


@contextlib.contextmanager
def claim(
    path: Path,
    *,
    seconds: float = math.inf,
    give_up: Callable[[], bool] = lambda: False,
) -> Iterator[Held | None]:
    """Hold the claim at `path`; yield it, or None where it was not got.

    Args:
        path: Names what is claimed; its folder is made.
        seconds: How long to wait for it at most; 0 asks once.
        give_up: Asked while waiting; True ends that.

    Raises:
        OSError: If a claim cannot be written there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lease = SoftFileLease(
        path.with_name(f"{path.name}.claim"),
        lease_duration=LEASE,
        heartbeat_interval=TOUCH_EVERY,
    )
    timeout = -1 if math.isinf(seconds) else max(seconds, 0.0)
    with contextlib.ExitStack() as held:
        with contextlib.suppress(Timeout):
            lease.acquire(timeout, poll_interval=LOOK_EVERY, cancel_check=give_up)
            held.callback(lease.release)
        yield Held(lease) if lease.is_locked else None
