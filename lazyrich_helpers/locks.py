"""Claims on work that die with their owner, also where file locks do not reach.

On one machine a file lock tells whether an owner lives. Some network file systems do
not pass locks on to other machines, and some have none. So a claim is a small file as
well. It names its owner's machine and is touched every few seconds; where no lock can
tell, one that was not touched for `DEAD_AFTER` seconds is an orphan.
"""

import contextlib
import fcntl
import functools
import math
import os
import platform
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

LOOK_EVERY = 0.1
"""Seconds between two looks at a claim that is waited for."""
BEAT_EVERY = 15.0
"""Seconds between two touches of a claim."""
DEAD_AFTER = 120.0
"""Seconds without a touch after which a claim is an orphan, where no lock can tell."""


@contextlib.contextmanager
def claim(
    path: Path,
    *,
    seconds: float = math.inf,
    give_up: Callable[[], bool] = lambda: False,
) -> Iterator[bool]:
    """Hold the claim at `path`; yield whether it was got.

    Args:
        path: Names what is claimed; its folder is made.
        seconds: How long to wait for it at most; 0 asks once.
        give_up: Asked while waiting; True ends that.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + seconds
    mark = path.with_name(f"{path.name}.claim")
    with path.open("w") as file:
        while not (got := _taken(file.fileno(), mark)):
            left = end - time.monotonic()
            if left <= 0 or give_up():
                break
            time.sleep(min(LOOK_EVERY, left))
        with _beating(mark) if got else contextlib.nullcontext():
            yield got


def _taken(handle: int, mark: Path) -> bool:
    """Take the claim if nobody has it; return whether that was so."""
    lock_tells = True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # this file system has no locks
        lock_tells = False
    _bury_orphan(mark, lock_tells)
    if _put(mark):
        return True
    with contextlib.suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_UN)
    return False


def _bury_orphan(mark: Path, lock_tells: bool) -> None:
    """Remove a claim whose owner is dead."""
    try:
        owner, age = mark.read_text(), _age(mark)
    except FileNotFoundError:
        return
    ours = owner.startswith(machine())  # then the lock would have been held
    if age < DEAD_AFTER and not (ours and lock_tells):
        return
    grave = mark.with_name(f"{mark.name}.{secrets.token_hex(4)}")
    with contextlib.suppress(FileNotFoundError):  # another one was faster
        mark.rename(grave)
        if grave.read_text() != owner:  # and has claimed it already: give it back
            with contextlib.suppress(FileExistsError):
                os.link(grave, mark)
        grave.unlink()


def _age(path: Path) -> float:
    """Return the seconds since `path` was touched, by the file server's own clock."""
    probe = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    probe.touch()
    try:
        return probe.stat().st_mtime - path.stat().st_mtime
    finally:
        probe.unlink()


def _put(mark: Path) -> bool:
    """Put our claim there, whole, unless there is one; return whether it is ours."""
    own = mark.with_name(f"{mark.name}.{secrets.token_hex(4)}")
    own.write_text(f"{machine()} {platform.node()} {os.getpid()}\n")
    try:
        os.link(own, mark)  # fails where there is one, on network file systems, too
    except FileExistsError:
        return False
    finally:
        own.unlink()
    return True


@functools.cache
def machine() -> str:
    """Return what tells this machine from others: its boot's id, or its name."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return platform.node()


@contextlib.contextmanager
def _beating(mark: Path) -> Iterator[None]:
    """Touch the claim now and then inside; give it up afterwards."""
    done = threading.Event()

    def beat() -> None:
        while not done.wait(BEAT_EVERY):
            with contextlib.suppress(OSError):  # a full disk, or it was given up for us
                os.utime(mark)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        mark.unlink(missing_ok=True)
