"""One owner at a time; a dead one's claim passes on, a living one's never."""

import errno
import multiprocessing
import os
import signal
import threading
import time

import pytest

from lazyrich_helpers.experiments import locks
from lazyrich_helpers.experiments.locks import claim


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "work"


@pytest.fixture(params=["no locks", "locks that stay on their machine"])
def without_locks(request, monkeypatch):
    """A network file system: another machine's file locks are not seen."""

    def flock(handle, flags):
        if request.param == "no locks":
            raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks.fcntl, "flock", flock)


def mark(path):
    return path.with_name(f"{path.name}.claim")


def elsewhere(path, monkeypatch):
    """Return another machine's view of the claim."""
    with monkeypatch.context() as patch:
        patch.setattr(locks, "machine", lambda: "another")
        with claim(path, seconds=0) as got:
            return got


def make_old(path, seconds):
    before = mark(path).stat().st_mtime - seconds
    os.utime(mark(path), (before, before))


def test_a_claim_is_whole_and_goes_with_its_owner(path):
    with claim(path) as got:
        assert got and mark(path).read_text().split()[-1] == str(os.getpid())
        with claim(path, seconds=0) as other:
            assert not other
    assert [p.name for p in path.parent.iterdir()] == ["work"]
    with claim(path, seconds=0) as again:
        assert again


def test_waiting_ends_when_asked_to_give_up(path):
    looks = iter([False, False, True])
    with claim(path), claim(path, give_up=lambda: next(looks)) as got:
        assert not got


def hold(path, ready):
    with claim(path) as got:
        ready.send(got)
        time.sleep(60)


def test_a_killed_owners_claim_passes_on_at_once(path):
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=hold, args=(path, there))
    process.start()
    assert here.recv() and mark(path).exists()
    with claim(path, seconds=0) as got:
        assert not got
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert mark(path).exists()
    with claim(path, seconds=0) as got:
        assert got


def test_another_machines_claim_stands_while_it_is_touched(
    path, monkeypatch, without_locks
):
    with claim(path):
        assert not elsewhere(path, monkeypatch)
        make_old(path, locks.DEAD_AFTER - 30)
        assert not elsewhere(path, monkeypatch)
        assert mark(path).exists()
    assert elsewhere(path, monkeypatch)


def test_an_orphan_of_another_machine_passes_on(path, monkeypatch, without_locks):
    with claim(path):
        make_old(path, locks.DEAD_AFTER + 30)
        assert elsewhere(path, monkeypatch)


@pytest.mark.parametrize("content", ["", "half a li"])
def test_nobody_waits_long_for_a_claim_without_its_line(path, content):
    """Its writer died between creating and writing it, or the disk was full."""
    path.parent.mkdir()
    mark(path).write_text(content)
    with claim(path, seconds=0) as got:
        assert not got, "it may be being written, on another machine"
    make_old(path, 6)
    with claim(path, seconds=0) as got:
        assert got


def test_a_claim_that_cannot_be_written_is_not_left_there(path, monkeypatch):
    opened = os.fdopen

    def full(handle, mode):
        opened(handle, mode).close()
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(locks.os, "fdopen", full)
        with pytest.raises(OSError, match=f"No space.*{mark(path)}"), claim(path):
            pass
    assert not mark(path).exists()
    with claim(path, seconds=0) as got:
        assert got


def test_where_there_are_no_locks_at_all_age_tells(path, monkeypatch):
    def flock(handle, flags):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks.fcntl, "flock", flock)
    with claim(path):
        with claim(path, seconds=0) as got:
            assert not got
        make_old(path, locks.DEAD_AFTER + 30)
        with claim(path, seconds=0) as got:
            assert got


def test_a_claim_is_touched_while_it_is_held(path, monkeypatch):
    monkeypatch.setattr(locks, "BEAT_EVERY", 0.05)
    before = threading.active_count()
    with claim(path):
        make_old(path, 1000)
        deadline = time.monotonic() + 10
        while time.time() - mark(path).stat().st_mtime > 100:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    assert threading.active_count() == before


def test_an_owner_that_was_taken_for_dead_hears_of_it(path, monkeypatch):
    def flock(handle, flags):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks.fcntl, "flock", flock)
    monkeypatch.setattr(locks, "BEAT_EVERY", 0.05)
    heard = threading.Event()
    with claim(path, on_loss=heard.set):
        mark(path).write_text("another machine's\n")
        assert heard.wait(10)
    assert mark(path).read_text() == "another machine's\n"


def contend(path, won, without):
    if without:
        locks.fcntl.flock = lambda handle, flags: None
    locks.machine = lambda: f"machine of {os.getpid()}"
    for _ in range(50):
        with claim(path, seconds=0) as got:
            if got:
                own = path.with_name("inside")
                own.mkdir()  # fails if another one is inside
                own.rmdir()
                won.send(1)
    won.send(0)


@pytest.mark.parametrize("without", [False, True])
def test_no_two_are_inside_at_once(path, without):
    context = multiprocessing.get_context("spawn")
    pipes = [context.Pipe() for _ in range(4)]
    workers = [
        context.Process(target=contend, args=(path, there, without))
        for _, there in pipes
    ]
    for worker in workers:
        worker.start()
    total = 0
    for here, _ in pipes:
        while here.recv():
            total += 1
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4 and total > 0
    assert sorted(p.name for p in path.parent.iterdir()) == ["work"]
