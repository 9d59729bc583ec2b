"""Several processes do what one would, and survive each other."""

import dataclasses
import functools
import multiprocessing
import os
import re
import signal
import sys
import threading
import time
from typing import ClassVar

import pytest
import torch

from lazyrich_helpers.config import Part
from lazyrich_helpers.experiments.records import Store
from lazyrich_helpers.lws.plans import Plan
from lazyrich_helpers.measures.measure import Accuracy
from lazyrich_helpers.measures.times import Clock, StepTimes
from lazyrich_helpers.models.network import ReluNet
from lazyrich_helpers.runner import batch, workers
from lazyrich_helpers.runner.attempts import Attempts
from lazyrich_helpers.runner.backlog import planned
from lazyrich_helpers.runner.progress import Lines, Progress
from lazyrich_helpers.runner.stopping import Stop
from lazyrich_helpers.runner.workers import slots, suitable_workers
from tests import tiny

SOME = [tiny.config(model=ReluNet(width=width, depth=2)) for width in (6, 7, 8, 9)]
"""Four runs that are not trained as one."""
LONG = [
    tiny.config(num_epochs=num, model=ReluNet(width=64, depth=2))
    for num in (3000, 3001)
]
"""Two that take a while."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Deadly(Part, slot="updates", kind="test_deadly"):
    """Ends any process but the parent, at once."""

    per_step: ClassVar[bool] = False

    def plan(self, epoch: int, step: int, num_layers: int, seed: int) -> Plan:
        if multiprocessing.parent_process() is not None:
            os.kill(os.getpid(), signal.SIGKILL)
        return Plan(frozenset(range(num_layers)))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Failing(Part, slot="updates", kind="test_failing"):
    """Fails in any process but the parent, and notes each time in a file."""

    file: str
    per_step: ClassVar[bool] = False

    def plan(self, epoch: int, step: int, num_layers: int, seed: int) -> Plan:
        if multiprocessing.parent_process() is not None:
            with open(self.file, "a") as tries:
                tries.write("once\n")
            raise RuntimeError("out of luck")
        return Plan(frozenset(range(num_layers)))


class Watching(Lines):
    """Calls back, once, when the first epoch is heard of; notes which ended."""

    def __init__(self, callback=lambda: None):
        self.callback, self.finished = callback, []

    def advance(self, config, epoch):
        if not self.done:
            self.callback()
        super().advance(config, epoch)

    def finish(self, record):
        self.finished.append(record.run_id)
        super().finish(record)


finish = functools.partial(tiny.finish, workers=2)


def test_two_do_what_one_does(store, tmp_path):
    progress = Watching()
    summary = finish(store, *SOME, *tiny.SEEDS, progress=progress)
    assert (summary.num_trained, summary.failed, summary.postponed) == (7, {}, [])
    assert sorted(progress.finished) == store.ids() and len(store.ids()) == 7
    assert progress.done == pytest.approx(progress.total)
    alone = Store(tmp_path / "alone", tmp_path / "weights")
    tiny.finish(alone, *SOME)
    for config in SOME:
        one, two = (s.read(config.run_id) for s in (alone, store))
        assert (one.curves, one.measures) == (two.curves, two.measures)
        assert one.origin["weights"] == two.origin["weights"]
        assert two.origin["threads"] == 1
    assert store.read(tiny.SEEDS[0].run_id).origin["together"] == [0, 1, 2]
    again = finish(store, *SOME, *tiny.SEEDS)
    assert (again.num_trained, again.num_there) == (0, 7)


def test_seeds_are_shared_out_when_there_is_nothing_else(store):
    seeds = [tiny.config(seed=seed) for seed in range(4)]
    groups = planned(seeds, tiny.recipe(*seeds), store, "cpu", workers=2)
    assert groups == [seeds[:2], seeds[2:]]


def test_what_a_killed_process_had_is_done_by_another(store):
    killed = []

    def kill():
        killed.append(multiprocessing.active_children()[0])
        killed[0].kill()

    progress = Watching(kill)
    summary = finish(store, *SOME, progress=progress)
    assert (summary.num_trained, summary.failed, summary.postponed) == (4, {}, [])
    assert killed[0].exitcode == -signal.SIGKILL
    assert sorted(progress.finished) == store.ids() and len(store.ids()) == 4
    assert progress.done == pytest.approx(progress.total)


def test_what_ended_a_process_is_told(monkeypatch):
    monkeypatch.setattr(workers, "free", lambda device: 3.2e9)
    memory = "2 times, as the system does where memory runs out; 3.2 GB are free now."
    assert workers._cause(-signal.SIGKILL).endswith(f" by SIGKILL, {memory}")
    assert workers._cause(-signal.SIGSEGV).endswith(" by SIGSEGV, 2 times.")
    assert workers._cause(3) == "its process ended with status 3, 2 times."


def test_a_run_that_takes_processes_down_is_given_up(store, tmp_path):
    deadly = tiny.config(updates=Deadly())
    failing = tiny.config(updates=Failing(file=str(tmp_path / "tries")))
    summary = finish(store, deadly, failing, *SOME[:2])
    assert summary.num_trained == 2 and len(summary.failed) == 2
    why, other = summary.failed.values()
    if "its process" in other:
        why, other = other, why
    assert why.startswith("RuntimeError: its process was ended by SIGKILL, 2 times, as")
    assert re.search(r" GB are free now\. \(by estimate it takes [\d.]+ GB\)$", why)
    assert store.read(deadly.run_id).status == f"failed: {why}"
    assert other == "RuntimeError: out of luck"
    assert (tmp_path / "tries").read_text() == "once\n"  # not by each process


def test_a_failed_run_is_not_tried_again_for_its_neighbour(store, tmp_path):
    tries = tmp_path / "tries"
    failing = tiny.config(updates=Failing(file=str(tries)))
    deadly = tiny.config(updates=Deadly())
    progress, recipe = Progress(), tiny.recipe(failing, deadly)
    progress.begin([failing, deadly])
    attempts = Attempts(recipe, store, "cpu", progress, Stop())
    workers.work_together(attempts, [[failing, deadly]], 1)
    assert attempts.summary.ended == {failing, deadly}
    assert tries.read_text() == "once\n"


def test_a_machine_that_starts_no_process_is_a_sentence(store, monkeypatch):
    monkeypatch.setattr(workers, "_work", sys.exit)  # ends at once
    with pytest.raises(ValueError, match="workers must be 1 where no process can be"):
        finish(store, *SOME)
    assert store.ids() == []


def test_asked_to_stop_all_end_after_their_epoch(store):
    stop = Stop()

    def ask():
        stop.ask()

    summary = finish(store, *LONG, *SOME, stop=stop, progress=Watching(ask))
    assert summary.num_trained == 0 and len(summary.postponed) == 6
    assert 1 <= summary.num_begun <= 2
    assert len(list(store.checkpoints.glob("*.pt"))) == summary.num_begun
    assert store.ids() == [] and not multiprocessing.active_children()


def test_the_time_is_every_processes(store):
    summary = finish(store, *LONG, stop=Stop(1.0))
    assert summary.num_trained == 0 and len(summary.postponed) == 2


def test_an_impatient_end_leaves_nothing_running(store):
    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        finish(store, *LONG, progress=Watching(interrupt))
    assert not multiprocessing.active_children() and store.ids() == []


def test_what_another_launcher_holds_is_left_to_it(store):
    released = threading.Event()

    def hold():
        with store.lock(SOME[0].run_id):
            held.set()
            while len(store.ids()) < 3:
                time.sleep(0.01)
        released.set()

    held = threading.Event()
    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    summary = finish(store, *SOME)
    thread.join()
    assert released.is_set() and summary.num_trained == 4 and len(store.ids()) == 4


def test_a_slot_has_its_device_and_threads(monkeypatch):
    torch.set_num_threads(2)
    assert slots("cpu", 2) == [("cpu", 1)] * 2
    assert slots("cpu", 3) == [("cpu", 1)] * 3
    assert slots("cuda:1", 1) == [("cuda:1", 2)]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [device for device, _ in slots("cuda", 3)] == ["cuda:0", "cuda:1", "cuda:0"]


def test_as_many_processes_as_serve(monkeypatch):
    torch.set_num_threads(2)
    assert suitable_workers(SOME, "cpu") == 1
    monkeypatch.setattr(workers, "WORTH_SHARING", 0.0)
    assert suitable_workers(SOME, "cpu") == 2
    assert suitable_workers(SOME[:1], "cpu") == 1
    with monkeypatch.context() as patch:
        patch.setattr(workers, "free", lambda device: 1.5 * workers.PROCESS_BYTES)
        assert suitable_workers(SOME, "cpu") == 1
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert suitable_workers(SOME, "cuda") == 4
    assert suitable_workers(SOME, "cuda:1") == 1


@pytest.mark.parametrize("timing", [Clock, StepTimes])
def test_a_run_that_is_timed_has_the_machine_to_itself(store, monkeypatch, timing):
    torch.set_num_threads(2)
    monkeypatch.setattr(workers, "WORTH_SHARING", 0.0)
    monkeypatch.setattr(batch, "work_together", None)  # which would start processes
    monkeypatch.setattr(StepTimes, "result", lambda self, trained: {})
    measures = (Accuracy, timing)
    summary = tiny.finish(store, *SOME[:2], measures=measures, workers=None)
    assert (summary.num_trained, summary.failed) == (2, {})
    with pytest.raises(ValueError, match=rf"must be 1 where {timing.name} .*got 2\.$"):
        tiny.finish(store, *SOME, measures=measures, workers=2)
    assert len(store.ids()) == 2


def test_a_killed_launcher_leaves_nothing_running(store):
    words = ("-m", "lazyrich_helpers.run", *tiny.TINY[:3], "--device", "cpu")
    words = (*words, "--widths", "40", "41", "--seeds", "0", "--num-epochs", "100000")
    launcher = tiny.python(*words, "--workers", "2")
    marks = store.folder / ".locks"

    def owners():
        found = [mark.read_text() for mark in marks.glob("*.claim")]
        return [int(pid) for pid in re.findall(r"pid=(\d+)", "".join(found))]

    tiny.wait_for(lambda: len(owners()) == 2 or launcher.poll() is not None)
    pids = owners()
    assert len(set(pids)) == 2 and launcher.pid not in pids
    launcher.kill()
    launcher.communicate(timeout=300)
    tiny.wait_for(lambda: not any(_runs(pid) for pid in pids))
    assert store.ids() == []


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
