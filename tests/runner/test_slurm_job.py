"""A Slurm job's work, and how runs are dealt out to jobs."""

import dataclasses
import os
import pickle
import signal
from typing import Any, ClassVar

import pytest
import torch

from lazyrich_helpers.experiments.exhibits import make_recipe
from lazyrich_helpers.measures.costs import work
from lazyrich_helpers.measures.measure import Measure
from lazyrich_helpers.runner import slurm_job
from lazyrich_helpers.runner.backlog import grouped
from lazyrich_helpers.runner.options import SlurmOptions
from lazyrich_helpers.runner.slurm_job import PER_JOB, Job, shares
from tests import tiny


def dealt(recipe, *, device="cpu", **options):
    """Return the runs of each job."""
    parts = shares(recipe, recipe.configs, device, SlurmOptions(**options))
    for part in parts:
        assert dataclasses.replace(part, configs=recipe.configs) == recipe
    return [list(part.configs) for part in parts]


@pytest.mark.parametrize("runs_per_job", [0, 1, 3, 100])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_every_run_is_dealt_once_and_groups_stay_together(runs_per_job, device):
    recipe = make_recipe("figure-2", "paper", seeds=list(range(7)))
    jobs = dealt(recipe, runs_per_job=runs_per_job, device=device)
    groups = grouped(recipe.configs, device)
    assert [config for job in jobs for config in job] == [
        config for group in groups for config in group
    ]
    for group in groups:
        assert sum(bool(set(group) & set(job)) for job in jobs) == 1
    assert not runs_per_job or max(map(len, jobs)) <= max(runs_per_job, 7)


def test_short_runs_share_a_job_and_long_ones_do_not(monkeypatch):
    assert len(dealt(tiny.recipe(*tiny.WIDTHS, *tiny.APART))) == 1
    runs = [tiny.config(num_epochs=num) for num in (500, 600)]
    monkeypatch.setattr(slurm_job, "WORK_PER_SECOND", min(map(work, runs)) / PER_JOB)
    assert dealt(tiny.recipe(*runs)) == [[run] for run in runs]


def test_a_job_takes_what_half_its_time_holds(monkeypatch):
    runs = [tiny.config(num_epochs=num) for num in range(500, 510)]
    each = max(map(work, runs))
    monkeypatch.setattr(slurm_job, "WORK_PER_SECOND", each / (60 / 2 / 3.5))
    assert [len(job) for job in dealt(tiny.recipe(*runs), time="1m")] == [3, 3, 3, 1]
    monkeypatch.setattr(slurm_job, "MOST_JOBS", 2)  # an array has an end
    assert len(dealt(tiny.recipe(*runs), time="1m")) <= 2


@pytest.fixture
def in_slurm(monkeypatch):
    """What a job finds on a compute node; returns what its warning is to do."""
    monkeypatch.setenv("SUBMITIT_EXECUTOR", "slurm")
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    warned: list[Exception] = []

    def warn(number, frame):
        raise warned[0]

    before = signal.signal(signal.SIGUSR2, warn)
    yield warned
    signal.signal(signal.SIGUSR2, before)


def job(store, *configs, measures=tiny.MEASURES, device="cpu", **fields) -> Job:
    share = tiny.recipe(*configs, measures=measures)
    return pickle.loads(pickle.dumps(Job(share, store, device, 1, **fields)))


def test_a_job_completes_its_share_on_its_threads(store, in_slurm):
    threads = torch.get_num_threads()
    try:
        dataclasses.replace(job(store, *tiny.WIDTHS), threads=threads + 1)()
        assert torch.get_num_threads() == threads + 1
    finally:
        torch.set_num_threads(threads)
    assert len(store.ids()) == len(tiny.WIDTHS)


def test_what_is_done_is_not_done_again_after_a_requeue(store, in_slurm, no_training):
    first = job(store, *tiny.APART)
    first()
    again = first.checkpoint()
    assert again.function == first
    no_training()
    again.function(*again.args, **again.kwargs)


def test_a_failed_run_is_told_when_the_others_are_done(store, in_slurm):
    store.folder.mkdir(parents=True)
    broken = store.folder / f"{tiny.APART[0].run_id}.json"
    broken.write_text("{")
    with pytest.raises(RuntimeError, match=r"seed=0: RecordError: .* not a readable"):
        job(store, *tiny.APART)()
    assert [store.read(c.run_id).status for c in tiny.APART[1:]] == ["ok", "ok"]


def test_a_device_that_is_not_there_is_a_sentence(store, in_slurm):
    with pytest.raises(ValueError, match=r"device must be .* got 'cuda:99'"):
        job(store, *tiny.APART, device="cuda:99")()
    assert store.ids() == []


class Warned(Measure):
    """Has Slurm's warning come amid the second epoch."""

    name: ClassVar[str] = "warned"
    version: ClassVar[int] = 1
    watches: ClassVar[bool] = True

    def after_epoch(self, run: Any, epoch: Any) -> None:
        if epoch.number == 2:
            os.kill(os.getpid(), signal.SIGUSR2)

    def result(self, trained: Any) -> dict[str, Any]:
        return {}


class Endless(Warned):
    """As Warned, in an epoch that does not end."""

    name: ClassVar[str] = "endless"

    def after_epoch(self, run: Any, epoch: Any) -> None:
        super().after_epoch(run, epoch)
        while epoch.number == 2:
            signal.pause()


def test_a_warned_job_goes_on_after_its_epoch(store, in_slurm):
    in_slurm.append(SystemExit(-1))  # as submitit ends a job that is requeued
    warned = job(store, measures=(Warned,))
    with pytest.raises(SystemExit, match="-1"):
        warned()
    assert store.ids() == [] and len(list(store.checkpoints.glob("*.pt"))) == 1
    warned()
    (part,) = store.read(tiny.CONFIG.run_id).origin["resumed"]
    assert part["num_epochs"] == 2


@pytest.mark.parametrize("measure", [Warned, Endless])
def test_a_requeue_that_fails_ends_the_job_and_blames_no_run(store, in_slurm, measure):
    """At the end of the epoch, or amid it where that does not come."""
    in_slurm.append(RuntimeError("requeued too often"))
    with pytest.raises(SystemExit, match="requeued too often"):
        job(store, measures=(measure,), patience=1)()
    assert store.ids() == []


class AllWarned(Warned):
    """Has Slurm's warning come to every process of a job, as Slurm does it."""

    name: ClassVar[str] = "all-warned"

    def after_epoch(self, run: Any, epoch: Any) -> None:
        if epoch.number == 2:
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
            for process in (os.getpid(), os.getppid(), int(os.environ["JOB"])):
                os.kill(process, signal.SIGUSR2)
            signal.sigwait([signal.SIGTERM])  # by which the job ends them
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
            os.kill(os.getpid(), signal.SIGTERM)


def test_a_warned_job_of_several_processes_goes_on(store, in_slurm, monkeypatch):
    monkeypatch.setenv("JOB", str(os.getpid()))
    in_slurm.append(SystemExit(-1))
    warned = job(store, tiny.CONFIG, measures=(AllWarned,), shard="dp", patience=300)
    with pytest.raises(SystemExit, match="-1"):
        warned()
    assert store.ids() == [] and list(store.checkpoints.glob("*.sharded"))
    warned()
    record = store.read(tiny.CONFIG.run_id)
    assert record.done and record.origin["mesh"] == {"layout": "dp", "data": 1}
    (part,) = record.origin["resumed"]
    assert part["num_epochs"] == 2
