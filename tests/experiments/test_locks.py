"""One owner at a time; a dead one's claim passes on, a living one's never."""

import errno
import multiprocessing
import os
import re
import signal
import threading
import time

import filelock
import pytest

from lazyrich_helpers.experiments import locks
from lazyrich_helpers.experiments.locks import claim


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "work"


def mark(path):
    return path.with_name(f"{path.name}.claim")


def moved_elsewhere(path):
    """Have the claim be another machine's, as far as anybody can tell."""
    text = re.sub("host=.*", "host=elsewhere", mark(path).read_text())
    mark(path).write_text(text)


def test_a_claim_goes_with_its_owner(path):
    with claim(path) as own:
        assert own.holds() and not own.lost
        assert f"pid={os.getpid()}\n" in mark(path).read_text()
        with claim(path, seconds=0) as other:
            assert other is None
    assert list(path.parent.iterdir()) == [] and not own.holds()
    with claim(path, seconds=0) as again:
        assert again.holds()


def test_an_error_inside_gives_the_claim_up(path):
    with pytest.raises(ValueError, match="inside"), claim(path):
        raise ValueError("inside")
    assert list(path.parent.iterdir()) == []


def test_waiting_ends_when_asked_to_give_up(path):
    looks = iter([False, False, True])

    def wait():
        with claim(path, give_up=lambda: next(looks)) as got:
            found.append(got)

    found = []
    with claim(path):
        thread = threading.Thread(target=wait)
        thread.start()
        thread.join(timeout=30)
    assert found == [None]


def hold(path, ready):
    with claim(path) as got:
        ready.send(got is not None)
        time.sleep(60)


@pytest.fixture
def owner(path):
    """Another process that has the claim."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=hold, args=(path, there))
    process.start()
    assert here.recv()
    yield process
    process.kill()
    process.join()


def test_a_killed_owners_claim_passes_on_at_once(path, owner):
    with claim(path, seconds=0) as got:
        assert got is None
    os.kill(owner.pid, signal.SIGKILL)
    owner.join()
    assert mark(path).exists()
    with claim(path, seconds=0) as got:
        assert got.holds()


def test_another_machines_claim_stands_while_it_is_touched(path, owner, monkeypatch):
    monkeypatch.setattr(locks, "LOOK_EVERY", 0.02)
    moved_elsewhere(path)
    with claim(path, seconds=0.5) as got:
        assert got is None
    owner.kill()  # its machine went down, and cannot be asked
    owner.join()
    with claim(path, seconds=0) as got:
        assert got is None
    short = mark(path).read_text().replace("duration=120.0", "duration=0.2")
    mark(path).write_text(short)
    monkeypatch.setattr(locks, "LEASE", 0.2)
    monkeypatch.setattr(locks, "TOUCH_EVERY", 0.1)
    with claim(path, seconds=30) as got:
        assert got.holds()


def test_an_owner_that_was_taken_for_dead_hears_of_it(path, monkeypatch):
    monkeypatch.setattr(locks, "TOUCH_EVERY", 0.02)
    with claim(path) as own:
        mark(path).unlink()
        mark(path).write_text("another machine's\n")
        assert not own.holds()  # at once
        deadline = time.monotonic() + 30
        while not own.lost:  # by and by
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert mark(path).read_text() == "another machine's\n"


def test_a_claim_that_cannot_be_written_says_so(path, monkeypatch):
    def full(*args, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(filelock.SoftFileLease, "_acquire", full)
        with pytest.raises(OSError, match="No space"), claim(path):
            pass
    with claim(path, seconds=0) as got:
        assert got.holds()


def contend(path, won):
    for _ in range(50):
        with claim(path, seconds=0) as got:
            if got is not None:
                own = path.with_name("inside")
                own.mkdir()  # fails if another one is inside
                own.rmdir()
                won.send(1)
    won.send(0)


def test_no_two_are_inside_at_once(path):
    context = multiprocessing.get_context("spawn")
    pipes = [context.Pipe() for _ in range(3)]
    workers = [context.Process(target=contend, args=(path, p)) for _, p in pipes]
    for worker in workers:
        worker.start()
    total = 0
    for here, _ in pipes:
        while here.recv():
            total += 1
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 3 and total > 0
    assert list(path.parent.iterdir()) == []
