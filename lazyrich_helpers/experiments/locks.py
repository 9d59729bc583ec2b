"""Claims on work that die with their owner, also where file locks do not reach.

On one machine a file lock tells whether an owner lives. Some network file systems do
not pass locks on to other machines, and some have none. So a claim is a small file as
well. It names its owner's machine and is touched every few seconds; where no lock can
tell, one that was not touched for `DEAD_AFTER` seconds is an orphan.
"""

import contextlib
import errno
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
WRITTEN_AFTER = 5.0
"""The same of a claim without its whole line: its writer died, or the disk was full."""


@contextlib.contextmanager
def claim(
    path: Path,
    *,
    seconds: float = math.inf,
    give_up: Callable[[], bool] = lambda: False,
    on_loss: Callable[[], None] = lambda: None,
) -> Iterator[bool]:
    """Hold the claim at `path`; yield whether it was got.

    Args:
        path: Names what is claimed; its folder is made.
        seconds: How long to wait for it at most; 0 asks once.
        give_up: Asked while waiting; True ends that.
        on_loss: Called, in another thread, if the claim is found to be another's by
            now: this process was asleep for so long that it was taken to be dead.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + seconds
    mark = path.with_name(f"{path.name}.claim")
    own = f"{machine()} {platform.node()} {secrets.token_hex(4)} {os.getpid()}\n"
    with path.open("w") as file:
        while not (got := _taken(file.fileno(), mark, own)):
            left = end - time.monotonic()
            if left <= 0 or give_up():
                break
            time.sleep(min(LOOK_EVERY, left))
        with _beating(mark, own, on_loss) if got else contextlib.nullcontext():
            yield got


def _taken(handle: int, mark: Path, own: str) -> bool:
    """Take the claim if nobody has it; return whether that was so."""
    lock_tells = True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # this file system has no locks
        lock_tells = False
    _bury_orphan(mark, lock_tells)
    if _put(mark, own):
        return True
    with contextlib.suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_UN)
    return False


def _bury_orphan(mark: Path, lock_tells: bool) -> None:
    """Remove a claim whose owner is dead."""
    owner = _read(mark)
    if owner is None:
        return
    ours = owner.startswith(machine())  # then the lock would have been held
    patience = DEAD_AFTER if owner.endswith("\n") else WRITTEN_AFTER
    if not (ours and lock_tells) and _age(mark) < patience:
        return
    grave = mark.with_name(f"{mark.name}.{secrets.token_hex(4)}")
    with contextlib.suppress(FileNotFoundError):  # another one was faster
        mark.rename(grave)
        found = grave.read_text()
        if found != owner:  # and has claimed it already: give it back
            _put(mark, found)
        grave.unlink()


def _read(mark: Path) -> str | None:
    """Return whose a claim is; None where there is none."""
    try:
        return mark.read_text()
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ESTALE):
            return None
        raise


def _age(path: Path) -> float:
    """Return the seconds since `path` was touched, by the file server's own clock."""
    probe = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    probe.touch()
    try:
        return probe.stat().st_mtime - path.stat().st_mtime
    except FileNotFoundError:  # given up this moment
        return math.inf
    finally:
        probe.unlink()


def _put(mark: Path, own: str) -> bool:
    """Put a claim there unless there is one; return whether it was put.

    Raises:
        OSError: If it cannot be written, on a full disk for one; none is there then.
    """
    try:  # one of two wins, on network file systems, too
        handle = os.open(mark, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    except FileExistsError:
        return False
    try:
        with os.fdopen(handle, "w") as file:
            file.write(own)
    except OSError as error:
        mark.unlink(missing_ok=True)
        error.filename = str(mark)
        raise
    return True


@functools.cache
def machine() -> str:
    """Return what tells this machine from others: its boot's id, or its name."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return platform.node()


@contextlib.contextmanager
def _beating(mark: Path, own: str, on_loss: Callable[[], None]) -> Iterator[None]:
    """Touch the claim now and then inside; give it up afterwards."""
    done = threading.Event()

    def beat() -> None:
        while not done.wait(BEAT_EVERY):
            with contextlib.suppress(OSError):  # looked at again next time
                if _read(mark) != own:
                    on_loss()
                    return
                os.utime(mark)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        with contextlib.suppress(OSError):
            if _read(mark) == own:
                mark.unlink()
